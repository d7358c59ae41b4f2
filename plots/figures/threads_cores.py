# SPDX-License-Identifier: MIT
"""Threads and CPUs against throughput, and against the CPU time of the whole machine."""
import os
import re

from drawing import series
from drawing.figure import StudyFigure
from readings import studies, study_notes, verdicts
from readings.quantities import count, percent

FOLDER_NAME = re.compile(r"cores_(\d+)$")
RATE, BUSY = "ops_per_s", "cpu.host_util_pct"
PLAIN, POLLED = "io_uring", "io_uring:sqpoll_shared"
DEPTH = 16
FALLEN = 0.15  # twice the source's 13 / 171
RISEN = 10  # half of the source's 260 / 13
ABSENT = 1  # not slower on one CPU, not faster on two
TAKES_TURNS = ("iolab sleeps until completions are there, so on one CPU it and the polling thread take "
               "turns, where a program that spins on the completion ring fights for that CPU: the source's "
               "numbers are hardly within reach of one that sleeps")
ONE_ONLY = "this machine has one CPU only, so nothing can be said of a second one"


def cpu_counts(found):
    return sorted(int(FOLDER_NAME.search(name).group(1)) for name in found.summaries)


def statements(found):
    counts = cpu_counts(found)
    alone = found.ratio("cores_1", POLLED, RATE, DEPTH)
    stated = [(alone, verdicts.at_most("on one CPU: throughput of io_uring with SQPOLL over that without",
                                       alone, FALLEN, ABSENT))]
    if len(counts) == 1:
        stated.append((None, verdicts.left_open("one_cpu", ONE_ONLY)))
    else:
        gain = verdicts.ratio(found.metric(f"cores_{counts[1]}", POLLED, RATE, DEPTH),
                              found.metric("cores_1", POLLED, RATE, DEPTH))
        stated.append((gain, verdicts.at_least(f"SQPOLL: throughput on {counts[1]} CPUs over that on one",
                                               gain, RISEN, ABSENT)))
    # What was measured and stays open does so because of how this program waits.
    left_open = any(value and statement.holds is None for value, statement in stated)
    return [statement for _, statement in stated] + [verdicts.left_open("takes_turns", TAKES_TURNS)] * left_open


def load(folder):
    try:
        names = sorted(filter(FOLDER_NAME.match, os.listdir(os.path.join(folder, study_notes.FOLDER))),
                       key=lambda name: int(FOLDER_NAME.match(name).group(1)))
    except OSError:
        return None
    return studies.load(folder, names) if "cores_1" in names else None


def busy(found, name):
    """label -> [(x, how busy the machine was, with the error of each reading)]"""
    panel = found.panel(name)
    return {label: [(c.x, c.with_error(BUSY, "cpu.host_error_pct")) for c in panel.of(label)]
            for label in panel.labels}


def place(page, found):
    counts = cpu_counts(found)

    def cells(of):
        return {f"{n} CPU{'' if n == 1 else 's'}": of(f"cores_{n}") for n in counts}

    across = "threads, or operations in flight"
    series.grid(page, cells(lambda name: found.series(name, RATE)), across, "reads a second", count)
    page.add(0.06)
    series.grid(page, cells(lambda name: busy(found, name)), across, "busy, whole machine", percent,
                log=False)
    page.add(0.05)
    if len(counts) == 1:
        page.note("×", f"2 CPUs: skipped: {ONE_ONLY}")


FIGURE = StudyFigure(
    name="threads_cores",
    title="Threads and CPUs: throughput, and what the machine pays",
    subtitle="Random reads of 4 KiB, O_DIRECT, by a program that may use one CPU or several",
    caption="Throughput, and how busy the whole machine was, for each number of CPUs that the program may use.",
    reading="Across is the number of threads or of operations in flight. The kernel's threads that work for the "
            "program, SQPOLL's among them, share these CPUs. 100 % is one CPU. The finer line beyond a bar is "
            "the error of /proc/stat: two ticks of 10 ms a window, three where a hypervisor takes time.",
    comparisons=("cores_1",),
    place=place,
    loads=load,
    claim=verdicts.Claim(
        "Didona et al., SYSTOR 2022, numbers from a digest of the paper",
        "SQPOLL needs a spare core: on one it falls to 13 thousand reads a second with a median of 8 ms, on "
        "two it reaches 260 thousand",
        f"reproduced when, at depth {DEPTH}, io_uring with SQPOLL reaches less than {FALLEN} × io_uring's "
        "throughput without it on one CPU (twice what 13 thousand are of the 171 thousand without), and more "
        f"than {RISEN} × its own there when it has another (half of 260 over 13); contradicted when it is not "
        "slower on one, or not faster on two. A weaker effect leaves it open, and is what to expect here: "
        f"{TAKES_TURNS}",
        statements))
