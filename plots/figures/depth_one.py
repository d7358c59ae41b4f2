# SPDX-License-Identifier: MIT
"""One operation at a time: throughput and latency of every engine."""
from drawing import series
from drawing.figure import StudyFigure
from readings import verdicts
from readings.quantities import count, duration

COMPLETION = ("libaio", "io_uring")


def statements(found):
    return [verdicts.within(f"throughput of {label} over blocking",
                            found.ratio("depth_one", label, "ops_per_s"), verdicts.CLOSE)
            for label in COMPLETION]


def place(page, found):
    labels = found.panel("depth_one").labels
    for key, words, as_text in (("ops_per_s", "reads per second", count),
                                ("latency_ns.p50", "latency p50", duration)):
        series.rows(page, [(label, label, found.metric("depth_one", label, key)) for label in labels],
                    words, as_text)
        page.add(0.05)


FIGURE = StudyFigure(
    name="depth_one",
    title="One operation at a time",
    subtitle="Random reads of 4 KiB, O_DIRECT, one in flight",
    caption="Throughput and median latency with one read in flight.",
    reading="There is nothing to batch and nothing to overlap, so the difference is the cost of the call and of "
            "being woken.",
    comparisons=("depth_one",),
    place=place,
    claim=verdicts.Claim(
        "Ren and Trivedi, Performance Characterization of Modern Storage Stacks, CHEOPS 2023, abstract",
        "at low load all interfaces perform competitively with each other",
        f"reproduced when the throughput of libaio and of io_uring lies within a factor of {verdicts.CLOSE} "
        "of a blocking pread's, with its whole interval (a limit of ours: the source has no number)",
        statements))
