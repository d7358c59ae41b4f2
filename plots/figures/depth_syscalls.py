# SPDX-License-Identifier: MIT
"""System calls for an operation against depth."""
from drawing.figure import StudyFigure
from figures import syscalls
from readings import verdicts

SHALLOW, DEEP = 1, 128
WITHIN = 4
SHARED = WITHIN / DEEP  # one call a batch of 128, within a factor of four; the kernel hands back what is ready
TOGETHER = 0.75  # one call for libaio's two, and half of that more
AS_MANY = 1  # calls: nothing is shared


def calls(found, label, x):
    """Its interval goes from the least to the greatest of the runs that counted."""
    c = found.at("depths", label, x)
    return c and syscalls.calls(c)


def reason(found):
    """Why there are none; None where there are."""
    reasons = [syscalls.reason(c) for c in found.panel("depths").configurations
               if c.ok and syscalls.calls(c) is None]
    return reasons[0] if reasons else None


def statements(found):
    why = reason(found)
    if why:
        return [verdicts.left_open("not_counted", "system calls were not counted here: {cause}", cause=why)]
    return [verdicts.at_most(f"io_uring: calls for a read at depth {DEEP} over those at {SHALLOW}",
                             verdicts.ratio(calls(found, "io_uring", DEEP),
                                            calls(found, "io_uring", SHALLOW)), SHARED, AS_MANY),
            verdicts.at_most(f"at depth {SHALLOW}: calls of io_uring over those of libaio",
                             verdicts.ratio(calls(found, "io_uring", SHALLOW),
                                            calls(found, "libaio", SHALLOW)), TOGETHER, AS_MANY)]


def place(page, found):
    page.plan_with_notes(syscalls.plan_of(found.panel("depths"), log=True))
    if not page.bare:
        page.note("", f"{syscalls.MARKS[0].upper()}{syscalls.MARKS[1:]}.")


FIGURE = StudyFigure(
    name="depth_syscalls",
    title="Depth: system calls for a read",
    subtitle="Random reads of 4 KiB, O_DIRECT: system calls of the process, counted in separate runs",
    caption="System calls for a read, against how many reads are in flight. Separate runs count them: bars go "
            "from the least of these to the greatest.",
    reading="One call can hand over all that is ready and collect all that is done, so a deeper queue needs "
            "fewer calls. A bar that cannot be seen is shorter than its mark, or has no width.",
    comparisons=("depths",),
    place=place,
    interval_marks=False,
    claim=verdicts.Claim(
        "Didona et al., SYSTOR 2022, figure 3, from a digest of the paper; io_uring_enter(2), io_submit(2)",
        "with depth io_uring approaches one call for a whole batch, because one call hands over and waits; "
        "libaio needs one to hand over and one to collect",
        f"reproduced when io_uring makes less than {WITHIN}/{DEEP} × the calls for a read at depth {DEEP} "
        f"that it makes at {SHALLOW} (one call a batch, within a factor of {WITHIN}), and at {SHALLOW} less "
        f"than {TOGETHER} × those of libaio (one for its two, and half of that more); contradicted when it "
        "makes as many or more. Intervals go from the least to the greatest of the runs that counted",
        statements))
