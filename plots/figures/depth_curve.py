# SPDX-License-Identifier: MIT
"""Latency against throughput on one CPU, depth along the curve."""
from drawing.figure import StudyFigure
from figures import latency_throughput
from readings import verdicts

SHALLOW, DEEP = 1, 128
GAIN = 1.09  # half of the source's 171 / 145
MORE = 2  # deep over shallow, a limit of ours


def statements(found):
    def growth(key):
        return verdicts.ratio(found.metric("depths", "io_uring", key, DEEP),
                              found.metric("depths", "io_uring", key, SHALLOW))

    return [verdicts.at_least(f"at depth {DEEP}: throughput of io_uring over libaio",
                              found.ratio("depths", "io_uring", "ops_per_s", DEEP), GAIN, 1),
            verdicts.above(f"io_uring: throughput at depth {DEEP} over that at {SHALLOW}",
                           growth("ops_per_s"), MORE),
            verdicts.above(f"io_uring: median latency at depth {DEEP} over that at {SHALLOW}",
                           growth("latency_ns.p50"), MORE)]


def place(page, found):
    page.plan_with_notes(latency_throughput.plan(found.panel("depths")))


FIGURE = StudyFigure(
    name="depth_curve",
    title="Depth on one CPU: throughput bought with latency",
    subtitle="Random reads of 4 KiB, O_DIRECT, through one thread on one CPU",
    caption="Median latency at the throughput reached, with one CPU for the program. Each mark is one depth "
            "(the small figure beside it).",
    reading="More reads in flight give the device more to do and the interface larger batches, until one of "
            "them is full. Beyond that, reads only wait longer.",
    comparisons=("depths",),
    place=place,
    claim=verdicts.Claim(
        "Didona et al., SYSTOR 2022, figure 2, numbers from a digest of the paper; the same curves in Ren "
        "and Trivedi, CHEOPS 2023, figure 5",
        "on one core io_uring reaches more than libaio, 171 thousand reads a second against 145, and deeper "
        "queues buy throughput with latency",
        f"reproduced when io_uring's throughput at depth {DEEP} is above {GAIN} × libaio's (half of the "
        f"source's gain of 18 %; contradicted when it is not above), and both its throughput and its median "
        f"latency are above {MORE} × those at depth {SHALLOW} (a limit of ours: the digest has no number)",
        statements))
