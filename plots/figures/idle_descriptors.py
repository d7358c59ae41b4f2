# SPDX-License-Identifier: MIT
"""What watching silent descriptors costs."""
from drawing import series
from drawing.figure import StudyFigure
from readings import verdicts
from readings.quantities import cpu_time

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
        return verdicts.left_open("no_growth", "{what} cannot be told: with {watched} the intervals do not "
                                  "show that it costs more", what=what, watched=SOME)
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


def place(page, found):
    series.lines(page, found.series("idle_descriptors", KEY), "connections watched",
                 "CPU time for a message", cpu_time)


FIGURE = StudyFigure(
    name="idle_descriptors",
    title="Idle descriptors: CPU time for an event",
    subtitle="One connection talks, all others are silent: CPU time of the server for a message",
    caption="CPU time of the server for a message of the one connection that talks, against how many are "
            "watched. poll hands the whole list to the kernel with every call; epoll and io_uring leave it "
            "there.",
    comparisons=("idle_descriptors",),
    place=place,
    claim=verdicts.Claim(
        "Kerrisk, slides at linux.conf.au 2006, whose numbers these are; The Linux Programming Interface, "
        "2010, table 63-9",
        "poll's cost grows with the number of descriptors that are watched, epoll's hardly: 100 000 calls "
        "took 1.12 s with 10 and 1750 s with 10 000, those of epoll 0.65 s and 0.97 s",
        f"reproduced when what an event costs poll more among {MANY} than among {FEW} is in proportion to the "
        f"number watched, within a factor of {FACTOR} of {IN_PROPORTION:.2f} × what it costs more among "
        f"{SOME}, and when an event among {MANY} costs epoll less than {EPOLL_LIMIT} × one among {FEW} (the "
        "source's 1.49 ×, and a quarter more; contradicted when epoll's cost grows as many times as poll's). "
        "Growth is compared, because a message here is also received and answered, which the source's loop "
        "does not do",
        statements))
