# SPDX-License-Identifier: MIT
"""What it takes until a write is durable."""
from drawing import series
from drawing.figure import StudyFigure
from readings import studies, verdicts
from readings.quantities import duration

METHODS = (("none", "no sync"), ("fdatasync", "fdatasync"), ("fsync", "fsync"))
LABELS = ("blocking", "libaio", "io_uring")


def time_ns(found, method, label):
    """Operations follow each other, so the time for one is what the rate leaves."""
    return studies.reversed_estimate(found.metric(f"durability_{method}", label, "ops_per_s"), 1e9)


def statements(found):
    plain, synced = (time_ns(found, method, "blocking") for method in ("none", "fsync"))
    return [verdicts.above("blocking: a write with fsync over one without",
                           verdicts.ratio(synced, plain), verdicts.CLOSE),
            verdicts.above("fsync: io_uring over blocking",
                           verdicts.inverse(found.ratio("durability_fsync", "io_uring", "ops_per_s")),
                           1)]


def place(page, found):
    entries = [(f"{words}, {label}", label, time_ns(found, method, label))
               for method, words in METHODS for label in LABELS]
    series.rows(page, entries, "time for a write and its sync", duration)


FIGURE = StudyFigure(
    name="durability",
    title="Durability: time for a write",
    subtitle="Random writes of 4 KiB, O_DIRECT, one at a time, each followed by the named sync",
    caption="Time for a write and its sync, one at a time.",
    reading="O_DIRECT alone passes the page cache and promises nothing: the device may keep the data in its own "
            "cache until a sync.",
    comparisons=tuple(f"durability_{method}" for method, _ in METHODS),
    place=place,
    claim=verdicts.Claim(
        "io_uring hands every fsync to a worker thread, io_uring_enter(2) and Linux, io_uring/sync.c; "
        "Jasny et al., PVLDB 19, 2026, measure the methods",
        "the cost of a write is the cost of its durability, and through io_uring a sync also waits for a worker",
        f"reproduced when a blocking write with fsync takes more than {verdicts.CLOSE} × one without, and "
        "write and fsync through io_uring take longer than the blocking calls. The limits are ours: more "
        "than is close, and more at all",
        statements))
