# SPDX-License-Identifier: MIT
"""CPU time for a no-op of io_uring, against how many one system call hands over."""
from drawing import series
from drawing.figure import StudyFigure
from readings import verdicts
from readings.quantities import cpu_time

BATCHES = (1, 128, 4096)
LABEL = "io_uring"
KEY = "cpu.us_per_op"
FALL, ABSENT = 5, 1  # the source has 5.7: less an eighth; and where nothing is gained
LEVEL = 1.4  # the source has 1.11, and a quarter more


def statements(found):
    one, many, most = (found.metric("batching", LABEL, KEY, x) for x in BATCHES)
    return [verdicts.at_least("the cost alone over that in batches of 128", verdicts.ratio(one, many),
                              FALL, ABSENT),
            verdicts.within("the cost in batches of 4096 over that in batches of 128",
                            verdicts.ratio(most, many), LEVEL)]


def place(page, found):
    series.lines(page, found.series("batching", KEY), "no-ops handed over by one system call",
                 "CPU time for a no-op", cpu_time)


FIGURE = StudyFigure(
    name="batching",
    title="Batching: CPU time for a no-op",
    subtitle="No-ops through io_uring: one system call hands over all that are in flight",
    caption="CPU time of the process for one no-op, against how many no-ops one io_uring_enter(2) hands over.",
    reading="A no-op does nothing, so this is the cost of asking. It falls as more no-ops share a system call, "
            "and levels off at the work that each one needs.",
    comparisons=("batching",),
    place=place,
    claim=verdicts.Claim(
        "Jasny et al., PVLDB 19, 2026: 1326 cycles alone, 231 at 128, 257 at 4096",
        "a no-op in a batch of 128 costs less than a fifth of one alone, and larger batches gain no more",
        f"reproduced when a no-op alone costs more than {FALL} × one of 128 (the source's 5.7, less an "
        f"eighth), and one of 4096 is within a factor of {LEVEL} of one of 128 (its 1.11, and a quarter "
        "more); contradicted when one alone costs no more, or one of 4096 is outside of that range",
        statements))
