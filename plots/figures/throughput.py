# SPDX-License-Identifier: MIT
"""Throughput: operations a second against depth or connections."""
from drawing import charts
from drawing.figure import PanelFigure
from readings.quantities import count


def throughput(configuration):
    return configuration.metric("ops_per_s")


def plan(panel, summary):
    return charts.swept_plan(panel, {"": throughput}, f"{panel.op}s per second", count, summary.baseline)


FIGURE = PanelFigure(
    name="throughput",
    title="Throughput",
    subtitle="Operations finished per second",
    caption="Operations finished per second, against how many were in flight. More is faster.",
    reading="A rising line shows an interface that keeps more of the device, or of the peer, at work.",
    plan=plan)
