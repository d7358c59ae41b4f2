# SPDX-License-Identifier: MIT
"""System calls per operation: where batching shows."""
from drawing import charts, sheet
from readings.quantities import count, listed
from readings.results import Estimate, Remark

NAME = "syscalls"
TITLE = "System calls per operation"
READING = ("System calls of this process per operation, counted in runs of their own; marks: median, bars: "
           "from the least to the greatest")
CAPTION = ("System calls of this process per operation. The kernel's tracepoint counts them in runs of "
           "their own, because counting slows cheap calls down; bars go from the least of these runs to "
           "the greatest, and where none is seen they are narrower than the mark. Below 1, one call serves "
           "several operations.")


def calls(configuration):
    """The median, and as its interval the least and the greatest. Without a count of rounds: they are
    not those of the other figures."""
    value = configuration.syscalls_per_op if configuration.ok else None
    spread = configuration.syscalls_spread or {"min": value, "max": value}
    return None if value is None else Estimate(value, spread["min"], spread["max"])


def spread_words(panel):
    """How many runs counted, and whether they differed at all."""
    counted = [c for c in panel.configurations if c.ok and c.syscalls_per_op is not None]
    runs = sorted({(c.syscalls_spread or {}).get("count", 1) for c in counted})
    if runs == [1]:
        return "counted in one run only, so the spread is not known and no bar is drawn"
    words = f"counted in {listed(runs)} runs each"
    differing = sum(calls(c).low < calls(c).high for c in counted)
    if not differing:
        return f"{words}, which never differed: the bars have no width"
    where = "everywhere" if differing == len(counted) else f"in {differing} of {len(counted)} places"
    return f"{words}, which differed {where}; a bar that is not seen is shorter than its mark, or has no width"


def reason(configuration):
    return configuration.syscalls_reason or "no reason was given"


def draw(summary, width_in=sheet.WIDE_IN, bare=False):
    return sheet.compose(summary, TITLE, READING, plan, width_in, bare)


def plan(panel, log=False):
    if charts.present(panel, calls):
        found = charts.swept_plan(panel, {"": calls}, f"system calls per {panel.op}", count,
                                  baseline=None, log=log, why=reason, what="not counted here")
        found.notes.append(Remark("System calls", "note", spread_words(panel)))
        return found
    reasons = dict.fromkeys(reason(c) for c in panel.configurations if c.ok)
    return sheet.Plan(message=f"not counted here: {'; '.join(reasons) or 'no run ended ok'}")
