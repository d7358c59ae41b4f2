# SPDX-License-Identifier: MIT
"""System calls per operation: where batching shows."""
import charts
import sheet
from quantities import count
from results import Estimate

NAME = "syscalls"
TITLE = "System calls per operation"
READING = ("System calls of this process per operation, counted in one run of its own, hence "
           "without an interval")
CAPTION = ("System calls of this process per operation. The kernel's tracepoint counts them in a "
           "run of its own, because counting slows cheap calls down; there is one such run, hence "
           "no interval. Below 1, one call serves several operations.")


def calls(configuration):
    value = configuration.syscalls_per_op if configuration.ok else None
    return None if value is None else Estimate(value, value, value)


def reason(configuration):
    return configuration.syscalls_reason or "no reason was given"


def draw(summary, width_in=sheet.WIDE_IN, bare=False):
    return sheet.compose(summary, TITLE, READING, plan, width_in, bare)


def plan(panel, log=False):
    if charts.present(panel, calls):
        return charts.swept_plan(panel, {"": calls}, f"system calls per {panel.op}", count,
                                 baseline=None, log=log, why=reason, what="not counted here")
    reasons = dict.fromkeys(reason(c) for c in panel.configurations if c.ok)
    return sheet.Plan(message=f"not counted here: {'; '.join(reasons) or 'no run ended ok'}")
