# SPDX-License-Identifier: MIT
"""What watching silent descriptors costs."""
from drawing import sheet, study
from readings import verdicts
from readings.quantities import cpu_time

NAME = "idle_descriptors"
TITLE = "Idle descriptors: CPU time for an event"
READING = "One connection talks, all others are silent; CPU of the server for a message"
CAPTION = ("CPU time of the server for a message of the one connection that talks, against how many "
           "are watched. poll hands the whole list to the kernel with every call; epoll and io_uring "
           "leave it there.")
COMPARISONS = ("idle_descriptors",)
KEY = "cpu.us_per_op"
FEW, SOME, MANY = 10, 1000, 4000
IN_PROPORTION = (MANY - FEW) / (SOME - FEW)
FACTOR = 2
EPOLL_LIMIT = 1.9  # the source's 0.97 / 0.65, and a quarter more


def cost(found, label, watched):
    return found.metric("idle_descriptors", label, KEY, watched)


def proportion(found):
    """What poll costs more among 4000 than among 10, over what it does among 1000."""
    what = f"poll: what an event costs more among {MANY} than among {FEW}, over that among {SOME},"
    few, some, many = (cost(found, "poll", watched) for watched in (FEW, SOME, MANY))
    far, near = verdicts.growth(many, few), verdicts.growth(some, few)
    if far and near and near.low <= 0:
        return verdicts.open_statement(f"{what} cannot be told: with {SOME} the intervals do not show "
                                       "that it costs more")
    return verdicts.within(what, verdicts.ratio(far, near), FACTOR, IN_PROPORTION)


def hardly(found):
    """Does epoll's cost hardly grow? It is no different from poll where it grows as much as that."""
    def what(label):
        return f"{label}: the cost with {MANY} over that with {FEW}"

    grown = {label: verdicts.ratio(cost(found, label, MANY), cost(found, label, FEW))
             for label in ("poll", "epoll")}
    return (verdicts.unknown(what("poll"), grown["poll"]) or
            verdicts.at_most(what("epoll"), grown["epoll"], EPOLL_LIMIT, grown["poll"].high))


def statements(found):
    return [proportion(found), hardly(found)]


CLAIM = verdicts.Claim(
    "Kerrisk, slides at linux.conf.au 2006, whose numbers these are; The Linux Programming Interface, "
    "2010, table 63-9",
    "poll's cost grows with the number of descriptors that are watched, epoll's hardly: 100 000 calls "
    "took 1.12 s with 10 and 1750 s with 10 000, those of epoll 0.65 s and 0.97 s",
    f"reproduced when what an event costs poll more among {MANY} than among {FEW} is in proportion to the "
    f"number watched, within a factor of {FACTOR} of {IN_PROPORTION:.2f} × what it costs more among {SOME}, "
    f"and when an event among {MANY} costs epoll less than {EPOLL_LIMIT} × one among {FEW} (the source's "
    "1.49 ×, and a quarter more; contradicted when epoll's cost grows as many times as poll's). Growth is "
    "compared, since a message here is received and answered, too, which the source's loop does not do",
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
