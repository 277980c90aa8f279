"""One look for each meaning of an arm, in every figure of every experiment: copy modes, brokers, clients, codecs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from kfast.lab.beside_session import CHECKING_KFAST, CLUSTER, KAFKA, KFAST, OPEN_KAFKA
from kfast.lab.experiment import Arm, Factor
from kfast.viz import style
from kfast.viz.spread import Look

PLAIN = Look("", style.BLACK, "o", "-")

FACTOR_LOOKS: Mapping[tuple[str, Factor], Look] = {
    **{
        ("copy_mode", name): Look(mode.label, mode.color, mode.marker, mode.linestyle)
        for name, mode in style.MODE_STYLES.items()
    },
    ("compression", "gzip"): Look("gzip", style.ORANGE, "P", "--"),
    ("compression", "snappy"): Look("snappy", style.REDDISH_PURPLE, "X", "-."),
    ("compression", "lz4"): Look("lz4", style.SKY_BLUE, "v", ":"),
    ("compression", "zstd"): Look("zstd", style.BLUISH_GREEN, "*", "-"),
    ("broker", KFAST): Look(KFAST, style.BLUE, "o", "-"),
    ("broker", CHECKING_KFAST): Look(CHECKING_KFAST, style.SKY_BLUE, "v", ":"),
    ("broker", KAFKA): Look(KAFKA, style.VERMILLION, "s", "--"),
    ("broker", OPEN_KAFKA): Look(OPEN_KAFKA, style.ORANGE, "D", "-."),
    ("broker", CLUSTER): Look("the cluster", style.REDDISH_PURPLE, "^", ":"),
    ("client", "raw"): Look("raw client", style.BLUE, "o", "-"),
    ("client", "confluent"): Look("librdkafka", style.VERMILLION, "s", "--"),
}
"""In order of precedence: an arm has the look of the first factor that has one."""

SPARE_LOOKS = (
    PLAIN,
    Look("", style.VERMILLION, "s", "--"),
    Look("", style.BLUISH_GREEN, "D", "-."),
    Look("", style.REDDISH_PURPLE, "^", ":"),
    Look("", style.SKY_BLUE, "v", "-"),
    Look("", style.ORANGE, "P", "--"),
    Look("", style.GREY, "X", "-."),
)
"""For lines that no factor gives a look of their own."""


def look_of(arm: Arm) -> Look:
    """The look of what is special about an arm; black dots for one without."""
    factors = set(arm.factors)
    return next((look for factor, look in FACTOR_LOOKS.items() if factor in factors), PLAIN)


def looks_of(arms: Iterable[Arm]) -> list[Look]:
    """Looks for lines that share axes. Where two arms mean the same, the second is hollow, and a third has another."""
    looks: list[Look] = []
    for arm in arms:
        wanted = look_of(arm)
        choice = [wanted, replace(wanted, linestyle=":", is_hollow=True), *SPARE_LOOKS]
        looks.append(next((look for look in choice if look not in looks), wanted))
    return looks
