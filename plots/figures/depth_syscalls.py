# SPDX-License-Identifier: MIT
"""System calls for an operation against depth."""
from drawing import sheet, study
from figures import syscalls
from readings import verdicts

NAME = "depth_syscalls"
TITLE = "Depth: system calls for a read"
READING = ("Random reads of 4 KiB, O_DIRECT. System calls of the process for a read, counted in runs of "
           "their own at each depth; marks: median, bars: from the least to the greatest")
CAPTION = ("System calls for a read, against how many are in flight. One call can hand over all that is "
           "ready and collect all that is done, so the deeper the queue, the fewer calls. The kernel's "
           "tracepoint counts them in runs of their own; bars go from the least of these to the greatest. "
           "One that is not seen is shorter than its mark, or has no width at all.")
COMPARISONS = ("depths",)
OWN_MARKS = True  # not over the rounds: READING says what they are
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
    """Why there are none."""
    reasons = [syscalls.reason(c) for c in found.panel("depths").configurations
               if c.ok and syscalls.calls(c) is None]
    return reasons[0] if reasons else None


def statements(found):
    why = reason(found)
    if why:
        return [verdicts.open_statement(f"system calls were not counted here: {why}")]
    return [verdicts.at_most(f"io_uring: calls for a read at depth {DEEP} over those at {SHALLOW}",
                             verdicts.ratio(calls(found, "io_uring", DEEP),
                                            calls(found, "io_uring", SHALLOW)), SHARED, AS_MANY),
            verdicts.at_most(f"at depth {SHALLOW}: calls of io_uring over those of libaio",
                             verdicts.ratio(calls(found, "io_uring", SHALLOW),
                                            calls(found, "libaio", SHALLOW)), TOGETHER, AS_MANY)]


CLAIM = verdicts.Claim(
    "Didona et al., SYSTOR 2022, figure 3, from a digest of the paper; io_uring_enter(2), io_submit(2)",
    "with depth io_uring approaches one call for a whole batch, since one call hands over and waits; "
    "libaio needs one to hand over and one to collect",
    f"reproduced when io_uring makes less than {WITHIN}/{DEEP} × the calls for a read at depth {DEEP} that "
    f"it makes at {SHALLOW} (one call a batch, within a factor of {WITHIN}), and at {SHALLOW} less than "
    f"{TOGETHER} × those of libaio (one for its two, and half of that more); contradicted when it makes as "
    "many or more. Intervals go from the least to the greatest of the runs that counted",
    statements)


def load(folder):
    return study.load(folder, COMPARISONS)


def draw(found, width_in=sheet.WIDE_IN, bare=False):
    def place(page):
        study.add_plan(page, syscalls.plan(found.panel("depths"), log=True))

    return study.compose(TITLE, READING, CLAIM, found, place, width_in, bare, marks=not OWN_MARKS)


def alt_text(found):
    return study.alt_text(TITLE, CLAIM, found)
