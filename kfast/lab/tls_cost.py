"""E8, what does TLS cost, and how much of it is the lost zero copy? The same log over plain connections and over TLS.

    consume   plaintext, sendfile  ->  plaintext, read+send  ->  TLS        no copies, two, three by the broker's CPU
    produce   plaintext            ->  TLS                                  never was zero copy

The first step on the consumer's side is what TLS takes away, the second what it adds. Producing has the second step
alone. TLS sends records of 16 KiB, so read+send is run in chunks of that size too: what small sends cost is not the
cipher's. `tls_session` runs the arms.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from kfast.lab.copy_cost import large_working_set
from kfast.lab.copy_session import COPIES
from kfast.lab.experiment import Arm, Comparison, Experiment, Measure, Options, Plan, block_count
from kfast.lab.experiment_findings import is_effect, no_finding
from kfast.lab.experiment_result import ExperimentResult
from kfast.lab.mode_comparison import LABELS
from kfast.lab.sizes import size_text
from kfast.lab.summary import Interval, interval, paired_share
from kfast.lab.tls_session import (
    BROKER_CPU,
    BROKER_USER_CPU,
    CLIENT_CPU,
    CONSUME,
    PLAINTEXT,
    PRODUCE,
    PRODUCED_SIZE,
    SSL,
    THROUGHPUT,
    open_tls_session,
)
from kfast.lab.unavailable import Unavailable
from kfast.transfer.tls_connection import SENT_AS

MIB = 1 << 20
CHUNK_SIZE = MIB
TLS_RECORD_SIZE = 16 << 10
"""The most that one TLS record holds (RFC 8446, 5.1), and so the most that OpenSSL sends with one call."""

SMALL_LOG_SIZE = 4 * MIB  # less than a last-level cache
SMOKE_LOG_SIZE = 8 * MIB

ZERO_COPY, COPYING = "sendfile", "read_send"
PROTOCOL_LABELS = {PLAINTEXT: "plaintext", SSL: "TLS"}
MEASURED = {
    BROKER_CPU: "broker CPU a GB",
    CLIENT_CPU: "client CPU a GB",
    THROUGHPUT: "MB/s",
}


def consume_arm(copy_mode: str, log_size: int, chunk_size: int = CHUNK_SIZE, is_small: bool = False) -> Arm:
    """A consumer that reads the log again and again. `copy_mode` "tls" is what TLS makes of every mode."""
    is_encrypted = copy_mode == SENT_AS
    words = [CONSUME, "TLS"] if is_encrypted else [CONSUME, "plaintext", LABELS[copy_mode]]
    words += [] if chunk_size == CHUNK_SIZE else [f"{size_text(chunk_size)} chunks"]
    words += [f"{size_text(log_size)} log"] if is_small else []
    return Arm.of(
        ", ".join(words),
        direction=CONSUME,
        security_protocol=SSL if is_encrypted else PLAINTEXT,
        copy_mode=copy_mode,
        chunk_size=chunk_size,
        log_size=log_size,
    )


def produce_arm(security_protocol: str) -> Arm:
    """A producer that sends a batch that was built beforehand."""
    name = f"{PRODUCE}, {PROTOCOL_LABELS[security_protocol]}"
    return Arm.of(name, direction=PRODUCE, security_protocol=security_protocol)


def tls_arms(log_size: int, is_smoke: bool = False) -> list[Arm]:
    """The steps from sendfile to TLS, on a small log as well; producing over both; and A/A pairs.

    One of the two arms of each comparison on the large log is run twice, and each of those without TLS: so there is a
    resolution where TLS is missing.
    """
    arms = [consume_arm(mode, log_size) for mode in (ZERO_COPY, COPYING, SENT_AS)]
    twice = arms[:1] if is_smoke else [*arms[:2], produce_arm(PLAINTEXT)]
    if not is_smoke:
        arms.append(consume_arm(COPYING, log_size, TLS_RECORD_SIZE))
        arms += [consume_arm(mode, SMALL_LOG_SIZE, is_small=True) for mode in (ZERO_COPY, COPYING, SENT_AS)]
    arms += [produce_arm(protocol) for protocol in (PLAINTEXT, SSL)]
    return [*arms, *(arm.again() for arm in twice)]


def tls_comparisons(arms: Sequence[Arm]) -> list[Comparison]:
    """All that TLS costs, the lost zero copy, encryption; producing; clients; MB/s; the same on the small log."""
    zero, copying, encrypted = arms[:3]
    plain, encrypted_producer = (produce_arm(protocol) for protocol in (PLAINTEXT, SSL))
    found = [
        *_steps(arms[:3]),
        _compared("produce: TLS over plaintext", BROKER_CPU, encrypted_producer, plain),
        _compared("consume: TLS over plaintext with sendfile", CLIENT_CPU, encrypted, zero),
        _compared("produce: TLS over plaintext", CLIENT_CPU, encrypted_producer, plain),
        _compared("consume: plaintext with sendfile over TLS", THROUGHPUT, zero, encrypted),
        _compared("consume: plaintext with read+send over TLS", THROUGHPUT, copying, encrypted),
        _compared("produce: plaintext over TLS", THROUGHPUT, plain, encrypted_producer),
    ]
    for arm in arms:
        if dict(arm.factors).get("chunk_size") == TLS_RECORD_SIZE:
            words = f"consume: plaintext with read+send, chunks of {size_text(TLS_RECORD_SIZE)} over 1 MiB"
            found.append(_compared(words, BROKER_CPU, arm, copying))
    small = [arm for arm in arms if dict(arm.factors).get("log_size") == SMALL_LOG_SIZE]
    return [*found, *(_steps(small, f" ({size_text(SMALL_LOG_SIZE)} log)") if small else [])]


def _steps(steps: Sequence[Arm], where: str = "") -> list[Comparison]:
    zero, copying, encrypted = steps
    return [
        _compared(f"consume{where}: TLS over plaintext with sendfile", BROKER_CPU, encrypted, zero),
        _compared(f"consume{where}: plaintext, read+send over sendfile", BROKER_CPU, copying, zero),
        _compared(f"consume{where}: TLS over plaintext with read+send", BROKER_CPU, encrypted, copying),
    ]


def _compared(words: str, measure: str, over: Arm, under: Arm) -> Comparison:
    return Comparison(f"{words}, {MEASURED[measure]}", measure, over, under)


def share_of(result: ExperimentResult, copying: Arm) -> Interval | Unavailable:
    """Which share of the broker CPU that TLS adds to a GB a plaintext arm adds already, both to plaintext's sendfile.

    From the differences within each block; 0 to 1 unless one of them is no more than noise.
    """
    zero, _, encrypted = (_by_block(result, arm) for arm in result.arms[:3])
    part = _by_block(result, copying)
    blocks = sorted(zero.keys() & part.keys() & encrypted.keys())
    if not blocks:
        return Unavailable("no block has all three arms")
    bases, parts, wholes = ([values[block] for block in blocks] for values in (zero, part, encrypted))
    try:
        return paired_share(bases, parts, wholes)
    except ValueError as error:
        return Unavailable(str(error))


def share_sentence(result: ExperimentResult) -> str:
    """How the cost of TLS splits, or why that cannot be said."""
    if reason := no_finding(result):
        return reason
    share = share_of(result, result.arms[1])
    if isinstance(share, Unavailable):
        return f"How much of what TLS adds is the lost zero copy is not known: {share.reason}."
    if not is_effect(result, result.comparisons[0]):
        return "TLS added no broker CPU to be seen, so there is nothing to split."
    return (
        f"Of the broker CPU that TLS adds to a GB consumed, {_percent(share)} is the lost zero copy: plaintext pays it "
        f"too, with read+send instead of sendfile. The other {1 - share.median:.0%} came with encryption: the cipher, "
        f"OpenSSL's own copy, and sends of 16 KiB each.{_small_chunks_words(result)}"
    )


def _small_chunks_words(result: ExperimentResult) -> str:
    """The share of read+send in chunks of a TLS record, where that arm was run."""
    for arm in result.arms:
        if dict(arm.factors).get("chunk_size") == TLS_RECORD_SIZE:
            share = share_of(result, arm)
            return f" In chunks of 16 KiB read+send alone adds {_percent(share)}." if share else ""
    return ""


def _percent(share: Interval) -> str:
    return f"{share.median:.0%} [{share.low:.0%}, {share.high:.0%}]"


def encryption_sentence(result: ExperimentResult) -> str:
    """What encryption alone adds, to a broker that sends and to one that receives: seconds of its CPU for each GB."""
    if reason := no_finding(result):
        return reason
    pairs = [
        (result.arms[2], result.arms[1], "a GB that the broker sends (TLS over plaintext with read+send)"),
        (produce_arm(SSL), produce_arm(PLAINTEXT), "a GB that it receives (producing)"),
    ]
    found = [f"{added} to {words}" for over, under, words in pairs if (added := _added(result, over, under))]
    return f"Encryption added {' and '.join(found)}." if found else "TLS could not be run here."


def _added(result: ExperimentResult, over: Arm, under: Arm) -> str:
    """The difference of two arms within each block; empty where there is none."""
    more, less = _by_block(result, over), _by_block(result, under)
    differences = [value - less[block] for block, value in more.items() if block in less]
    return f"{interval(differences)} s of broker CPU" if differences else ""


def _by_block(result: ExperimentResult, arm: Arm) -> dict[int, float]:
    values = {run.block: run.value(BROKER_CPU) for run in result.runs_of(arm)}
    return {block: value for block, value in values.items() if not isinstance(value, Unavailable)}


def _plan(options: Options) -> Plan:
    settle_s, measure_s = (0.05, 0.1) if options.is_smoke else (0.2, 0.8)
    log_size = SMOKE_LOG_SIZE if options.is_smoke else large_working_set()
    arms = tls_arms(log_size, options.is_smoke)
    sizes = sorted({int(arm["log_size"]) for arm in arms if arm["direction"] == CONSUME})
    return Plan(
        arms=arms,
        comparisons=tls_comparisons(arms),
        block_count=block_count(options),
        run_s=settle_s + measure_s + 0.5,
        open_session=partial(open_tls_session, log_sizes=sizes, settle_s=settle_s, measure_s=measure_s),
        touched_bytes=64 << 20 if options.is_smoke else 2 * sum(sizes) + PRODUCED_SIZE,
        warms_up=not options.is_smoke,
    )


TLS_COST = Experiment(
    name="E8",
    slug="tls-cost",
    title="What does TLS cost?",
    question="how much processor time does a GB take over TLS, and how much of what it takes more is the lost zero "
    "copy?",
    factors={
        "direction": "consume: the log is read again and again; produce: a prepared batch is sent again and again",
        "security_protocol": "PLAINTEXT, or SSL: Kafka's name for TLS",
        "copy_mode": "sendfile makes no copy, read_send two; tls, with which any mode leaves as read+send, makes three",
        "chunk_size": "bytes that the broker reads and sends at a time",
        "log_size": "bytes of the log that is read: within the last-level cache, or larger where 512 MiB are",
    },
    control="plaintext with sendfile; it runs twice in each block, and so do read+send and producing without TLS (A/A)",
    measures=(
        Measure(BROKER_CPU, "broker CPU s/GB", "less"),
        Measure(BROKER_USER_CPU, "of it user CPU s/GB", "less"),
        Measure(CLIENT_CPU, "client CPU s/GB", "less"),
        Measure(THROUGHPUT, "MB/s", "more", scale=1e6),
        Measure(COPIES, "copies by the broker's CPU", "less"),
    ),
    falsifier="TLS over plaintext with read+send costs much more than read+send over sendfile: then it is encryption "
    "that costs, and the lost zero copy is the smaller part",
    shows="what TLS costs the broker and the client, and which part of it a broker without TLS would pay for copying",
    shows_not="more than the negotiated cipher in Python's OpenSSL: kernel TLS, a network card that encrypts and "
    "Java's TLS cost something else; nor handshakes, as every connection here lives long",
    counter_check="openssl speed -elapsed -bytes 16384 -evp aes-256-gcm: a GB divided by its bytes a second is the "
    "cipher's own part, for one end",
    plan=_plan,
)
