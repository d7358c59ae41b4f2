# SPDX-License-Identifier: MIT
"""Throughput: operations a second against depth or connections."""
from drawing import charts, sheet
from readings.quantities import count

NAME = "throughput"
TITLE = "Throughput"
READING = "Operations finished per second"
CAPTION = ("Operations finished per second, against what was in flight. More is faster. A line "
           "that rises shows an interface that keeps more of the device, or of the peer, at work.")


def throughput(configuration):
    return configuration.metric("ops_per_s")


def draw(summary, width_in=sheet.WIDE_IN, bare=False):
    def plan(panel):
        return charts.swept_plan(panel, {"": throughput}, f"{panel.op}s per second", count,
                                 summary.baseline)

    return sheet.compose(summary, TITLE, f"{READING}; {summary.marks_words()}", plan, width_in,
                         bare)
