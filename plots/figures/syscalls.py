# SPDX-License-Identifier: MIT
"""System calls per operation: where batching shows."""
from drawing import charts, sheet, words
from drawing.figure import PanelFigure
from readings import remarks
from readings.estimates import Estimate
from readings.quantities import count, listed

MARKS = "marks: median of the runs that counted; bars: from the least of them to the greatest"


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
    said = f"counted in {listed(runs)} runs each"
    differing = sum(calls(c).low < calls(c).high for c in counted)
    if not differing:
        return f"{said}, which never differed: the bars have no width"
    where = "everywhere" if differing == len(counted) else f"in {differing} of {len(counted)} places"
    return (f"{said}, which differed {where}; a bar that cannot be seen is shorter than its mark, or has no "
            "width")


def reason(configuration):
    return configuration.syscalls_reason or remarks.NO_REASON


def plan_of(panel, log=False):
    if charts.present(panel, calls):
        found = charts.swept_plan(panel, {"": calls}, f"system calls per {panel.op}", count,
                                  baseline=None, log=log, why=reason, what="not counted here")
        found.notes.append(words.Note("System calls", words.NOTE, spread_words(panel)))
        return found
    reasons = map(str, dict.fromkeys(reason(c) for c in panel.configurations if c.ok))
    return sheet.Plan(message=f"not counted here: {'; '.join(reasons) or 'no run ended ok'}")


FIGURE = PanelFigure(
    name="syscalls",
    title="System calls per operation",
    subtitle="System calls of this process per operation, counted in separate runs",
    caption="System calls of this process for one operation. Below 1, one call serves several operations.",
    reading="The kernel's tracepoint counts them in separate runs, because counting slows cheap calls down. "
            "Bars go from the least of these runs to the greatest. A bar that cannot be seen is narrower than "
            "the mark.",
    plan=lambda panel, summary: plan_of(panel),
    legend=lambda summary: MARKS)
