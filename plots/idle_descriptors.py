# SPDX-License-Identifier: MIT
"""What watching silent descriptors costs."""
import sheet
import study
import verdicts
from quantities import cpu_time

NAME = "idle_descriptors"
TITLE = "Idle descriptors: CPU time for an event"
READING = "One connection talks, all others are silent; CPU of the server for a message"
CAPTION = ("CPU time of the server for a message of the one connection that talks, against how many "
           "are watched. poll hands the whole list to the kernel with every call; epoll and io_uring "
           "leave it there.")
COMPARISONS = ("idle_descriptors",)
KEY = "cpu.us_per_op"
FEW, MANY = 10, 4000


def growth(found, label):
    return verdicts.ratio(found.metric("idle_descriptors", label, KEY, MANY),
                          found.metric("idle_descriptors", label, KEY, FEW))


def statements(found):
    return [verdicts.above(f"poll: the cost with {MANY} over that with {FEW}",
                           growth(found, "poll"), 5),
            verdicts.below(f"epoll: the cost with {MANY} over that with {FEW}",
                           growth(found, "epoll"), 2)]


CLAIM = verdicts.Claim(
    "Kerrisk, slides at linux.conf.au 2006, whose numbers these are; The Linux Programming Interface, "
    "2010, table 63-9",
    "poll's cost grows with the number of descriptors that are watched, epoll's hardly: 100 000 calls "
    "took 1.12 s with 10 and 1750 s with 10 000, those of epoll 0.65 s and 0.97 s",
    f"reproduced when an event among {MANY} costs poll more than 5 × one among {FEW}, and epoll less "
    "than 2 ×",
    statements)


def load(folder):
    return study.load(folder, COMPARISONS)


def draw(found, width_in=sheet.WIDE_IN, bare=False):
    panel = found.panel("idle_descriptors")

    def place(page):
        series = {label: [(c.x, c.metric(KEY)) for c in panel.of(label)] for label in panel.labels}
        study.lines(page, series, "connections watched", "CPU time for a message", cpu_time)

    return study.compose(TITLE, READING, CLAIM, found, place, width_in, bare)


def alt_text(found):
    return study.alt_text(TITLE, CLAIM, found)
