# SPDX-License-Identifier: MIT
"""Which option of a tuned ring brings what: each alone, and the best set, for files and for sockets."""
from drawing import series
from drawing.figure import RatioTable, StudyFigure
from readings import estimates, verdicts
from readings.quantities import ratio

ENGINE = "uring_tuned"
FILES, SOCKETS = "options_file", "options_echo"
WORK = ((FILES, "reads of a file"), (SOCKETS, "messages of an echo server"))
RATE, CPU = "ops_per_s", "cpu.us_per_op"
MULTISHOT = f"{ENGINE}:multishot"
MARKS = "marks are geometric means of the rounds' ratios, bars their intervals of 95 %"
GAIN = 1.03  # half of the source's 6 to 8 %


def statements(found):
    saved = verdicts.inverse(found.ratio(SOCKETS, MULTISHOT, CPU))
    return [verdicts.at_least("CPU time of a message without multishot over that with it", saved, GAIN, 1)]


def labels(found, name):
    """What ran, beside the plain engine."""
    return [c.label for c in found.panel(name).configurations if c.ok and c.label != ENGINE]


def short(label):
    """The plain engine is what all are compared with, so its name says nothing here."""
    return label.removeprefix(f"{ENGINE}:") if label.startswith(f"{ENGINE}:") else label


def place(page, found):
    for name, work in WORK:
        for key, words in ((RATE, "a second"), (CPU, "CPU time of each")):
            ratios = [(short(label), label, found.ratio(name, label, key)) for label in labels(found, name)]
            series.rows(page, [(words, label, q and estimates.Estimate(q.median, q.low, q.high, q.count))
                               for words, label, q in ratios],
                        f"{work}, {words}: ratio to plain {ENGINE}", ratio, mark=1)
            page.add(0.05)
    page.note("", f"{MARKS[0].upper()}{MARKS[1:]}.")


def table(found):
    """The same in numbers."""
    names = [label for label in dict.fromkeys(label for name, _ in WORK for label in found.panel(name).labels)
             if label != ENGINE]
    return RatioTable(f"Which option brings what: ratios to plain {ENGINE}.", "option",
                      {work: ("a second", "CPU time of each") for _, work in WORK},
                      {short(label): [found.ratio(name, label, key) for name, _ in WORK for key in (RATE, CPU)]
                       for label in names})


FIGURE = StudyFigure(
    name="each_option",
    title="Which option brings what",
    subtitle="Each option of a tuned ring alone, and the best set: random reads of 4 KiB with O_DIRECT, 16 in "
             "flight; and an echo server of 50 connections, 128 bytes a message",
    caption=f"Ratios to plain {ENGINE}, which has what every ring should have (SINGLE_ISSUER, DEFER_TASKRUN). Right "
            "of 1 is more a second, or more CPU time of each.",
    reading="Where the client is at its limit, only the CPU time tells the server's options apart. What could not "
            "run is named with its cause.",
    comparisons=(FILES, SOCKETS),
    interval_marks=False,
    place=place,
    table=table,
    claim=verdicts.Claim(
        "Yudaken, [PATCH] io_uring: multishot recv, io-uring mailing list, June 2022",
        "multishot receives raise the requests a second of a small network benchmark by about 6 to 8 %",
        f"reproduced when a message costs the server more than {GAIN} × the CPU time without multishot that it costs "
        "with it (half of the source's gain; CPU time, since the client may be at its limit here); contradicted when "
        "it costs no more",
        statements))
