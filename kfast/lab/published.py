"""Numbers that others have published, to stand beside one's own: each with its source, and what it was measured on.

None of them was measured here. What confounds a number, as far as its source lets one see, is part of it. Ratios can be
held against ratios measured elsewhere (`PUBLISHED`); other numbers belong to their machines (`REPORTED`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kfast.lab.prediction import number

IBM = 'IBM developerWorks, "Efficient data transfer through zero copy" (2008)'
NETDB = 'Kreps, Narkhede and Rao, "Kafka: a Distributed Messaging System for Log Processing" (NetDB 2011)'
LINKEDIN = 'Kreps, "Benchmarking Apache Kafka: 2 Million Writes Per Second" (LinkedIn Engineering, 2014)'
DESIGN_PAGE = "Apache Kafka, documentation, design, persistence"
JACOBS = 'Jacobs, "The Pathologies of Big Data" (ACM Queue, 2009)'
PYSENDFILE = "pysendfile, README (2011)"
HAAS_LEIS = 'Haas and Leis, "What Modern NVMe Storage Can Do, and How to Exploit It" (PVLDB 16(9), 2023)'
CONFLUENT = 'Confluent, "Benchmarking Apache Kafka, Apache Pulsar, and RabbitMQ" (2020)'
KAFKA_7504 = (
    'KAFKA-7504, "Broker performance degradation caused by call of sendfile reading disk in network thread" (2018)'
)
KAFKA_2561 = "KAFKA-2561, comments (2015)"
MSG_ZEROCOPY = 'de Bruijn, "tcp: enable MSG_ZEROCOPY" (Linux 4.14, commit f214f915e7db, 2017)'
NETFLIX = 'FreeBSD Foundation, "Netflix Case Study" (2020)'
SYSTEM_TESTS = "Kafka's system tests, consumer throughput (2016)"


@dataclass(frozen=True, slots=True)
class Published:
    """`words` say what the number is; `ratio` is how many times more (or less) than what it was compared with."""

    experiment: str
    words: str
    ratio: float
    source: str
    measured_on: str
    confounded_by: str

    def __str__(self) -> str:
        return f"{self.words}: {number(self.ratio)} times. {self.source}; {self.measured_on}. {self.confounded_by}"


@dataclass(frozen=True, slots=True)
class Reported:
    """A number that is no ratio: it says what one machine did, and nothing about another."""

    words: str
    value: float
    unit: str
    source: str
    measured_on: str
    confounded_by: str

    def __str__(self) -> str:
        return f"{self.words}: {self.value:,} {self.unit}. {self.source}; {self.measured_on}. {self.confounded_by}"


IBM_TABLE_MB_MS: tuple[tuple[int, int, int], ...] = (
    (7, 156, 45),
    (21, 337, 128),
    (63, 843, 387),
    (98, 1320, 617),
    (200, 2124, 1150),
    (350, 3631, 1762),
    (700, 13498, 4422),
    (1024, 18399, 8537),
)
"""File size in MB, milliseconds by read and write, milliseconds by transferTo: the table of IBM's article."""


def ibm_gains() -> list[float]:
    """The share of the time that transferTo saves in each row of the table."""
    return [1 - zero / copying for _, copying, zero in IBM_TABLE_MB_MS]


def ibm_sentence() -> str:
    """The article's text against its own table."""
    gains = ibm_gains()
    return (
        f"The article says that transferTo saves approximately 65 percent of the time; the {len(gains)} rows of its "
        f"table save {min(gains):.0%} to {max(gains):.0%}, {sum(gains) / len(gains):.0%} in the mean."
    )


PUBLISHED: Sequence[Published] = (
    Published(
        "E2",
        "throughput of sendfile over send, Python",
        861 / 359,
        PYSENDFILE,
        "Linux 2.6.38, 1.6 GHz dual core, loopback",
        "Buffer size and cache state are not given.",
    ),
    Published(
        "E2",
        "cycles of the process that copies over one that sends with MSG_ZEROCOPY, up to",
        1 / (1 - 0.70),
        MSG_ZEROCOPY,
        "two hosts, 10 streams",
        "The best of several packet sizes; over loopback the kernel copies all the same.",
    ),
    Published(
        "E2",
        "cycles of the whole machine, copying over MSG_ZEROCOPY, up to",
        1 / (1 - 0.20),
        MSG_ZEROCOPY,
        "two hosts, 10 streams",
        "The same runs: what one process saves is a small part of what a machine does.",
    ),
    Published(
        "E3",
        "time of read and write over transferTo, mean of eight files",
        sum(copying / zero for _, copying, zero in IBM_TABLE_MB_MS) / len(IBM_TABLE_MB_MS),
        IBM,
        "Linux 2.6, one run of each",
        "Its copying client reads 4 KB at a time; the state of the cache is not controlled.",
    ),
    Published(
        "E4",
        "linear over random writes",
        600e6 / 100e3,
        DESIGN_PAGE,
        "six 7200 rpm SATA disks, RAID-5",
        "Neither block size nor sync policy is given.",
    ),
    Published(
        "E5",
        "values read in order over values read at random, disk",
        53.2e6 / 316,
        JACOBS,
        "a disk of 2009, values of 4 bytes",
        "One value a request against whole blocks in order.",
    ),
    Published(
        "E5",
        "an NVMe drive's stream over one reader's random 4 KiB reads",
        7e9 / 40e6,
        HAAS_LEIS,
        "NVMe drives of 2022",
        "With about 3,000 requests in flight eight drives answer 12.5 million such reads a second.",
    ),
    Published(
        "E6",
        "batches of 50 over 1, messages a second of one producer",
        400_000 / 50_000,
        NETDB,
        "messages of 200 bytes, 1 Gb/s network, 2011",
        "The producer did not wait for acknowledgements.",
    ),
    Published(
        "E7",
        "p99 of Produce while old records were read from the disk, up to 200 ms, over the usual, less than 20 ms",
        200 / 20,
        KAFKA_7504,
        "a cluster in production, CentOS 6",
        "Seen in operation, not arranged: the ticket says 50 to 200 ms, and much else may have happened meanwhile.",
    ),
    Published(
        "E8",
        "consumer throughput without over with TLS",
        97.6 / 44.3,
        SYSTEM_TESTS,
        "Java 8",
        "TLS also takes away zero copy, so two causes are one number.",
    ),
    Published(
        "E8",
        "throughput without TLS over the JDK's TLS, no zero copy in either",
        337 / 94,
        KAFKA_2561,
        "Java 8",
        "With OpenSSL it was 1.4 times: most of this was cryptography.",
    ),
    Published(
        "E8",
        "throughput without TLS over OpenSSL's TLS, no zero copy in either",
        337 / 247,
        KAFKA_2561,
        "Java 8",
        "Beside the JDK's TLS only the library differs: most of that one's cost was cryptography.",
    ),
    Published(
        "E11",
        "Kafka's over Pulsar's peak throughput",
        605 / 305,
        CONFLUENT,
        "three i3en.2xlarge, OpenMessaging benchmark",
        "A vendor's figure; vendors dispute each other's.",
    ),
    Published(
        "E11",
        "Kafka's over RabbitMQ's peak throughput",
        605 / 38,
        CONFLUENT,
        "three i3en.2xlarge, OpenMessaging benchmark",
        "A vendor's figure; vendors dispute each other's.",
    ),
)


LINKEDIN_RECORDS_PER_S = (
    ("one producer, no replication", 821_557),
    ("one producer, three replicas, asynchronous", 786_980),
    ("one producer, three replicas, synchronous", 421_823),
    ("three producers, three replicas, asynchronous", 2_024_032),
    ("one consumer", 940_521),
    ("three consumers", 2_615_968),
)
LINKEDIN_LATENCY_MS = (("median", 2), ("p99", 3), ("p99.9", 14))
LINKEDIN_MACHINES = "three brokers, 1 Gb/s network, records of 100 bytes"
CONFLUENT_MB_PER_S = (("Kafka", 605), ("Pulsar", 305), ("RabbitMQ", 38))
KAFKA_2561_MB_PER_S = (("without TLS", 337), ("the JDK's TLS", 94), ("OpenSSL's TLS", 247))

REPORTED: Sequence[Reported] = (
    *(
        Reported(words, rate, "records/s", LINKEDIN, LINKEDIN_MACHINES, "The network was the limit, or near it.")
        for words, rate in LINKEDIN_RECORDS_PER_S
    ),
    *(
        Reported(f"end to end, {words}", time, "ms", LINKEDIN, LINKEDIN_MACHINES, "One record at a time.")
        for words, time in LINKEDIN_LATENCY_MS
    ),
    Reported(
        "one consumer",
        22_000,
        "messages/s",
        NETDB,
        "messages of 200 bytes, 1 Gb/s network, 2011",
        "Fetches of some 200 KB; the messages were in memory.",
    ),
    *(
        Reported(
            f"peak throughput, {words}",
            rate,
            "MB/s",
            CONFLUENT,
            "three i3en.2xlarge, OpenMessaging benchmark",
            "A vendor's figure; vendors dispute each other's.",
        )
        for words, rate in CONFLUENT_MB_PER_S
    ),
    *(
        Reported(f"throughput, {words}", rate, "MB/s", KAFKA_2561, "Java 8", "No zero copy in any of the three.")
        for words, rate in KAFKA_2561_MB_PER_S
    ),
    Reported(
        "throughput over TLS at 55 % of the processors",
        90,
        "Gb/s",
        NETFLIX,
        "one server, FreeBSD",
        "The kernel encrypts, so that sendfile stays; a content server and no broker.",
    ),
)
"""LinkedIn's MB/s are these records: 100 bytes each, 2^20 bytes a MB."""


def published_of(experiment: str) -> list[Published]:
    """What others have published on the question of an experiment ("E6")."""
    return [one for one in PUBLISHED if one.experiment == experiment]
