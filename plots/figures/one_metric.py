# SPDX-License-Identifier: MIT
"""Any metric of a comparison. The summary says what it is called, its unit, and which direction is
better, so a new metric needs no edit here."""
import re

from drawing import charts
from drawing.figure import PanelFigure
from readings import quantities
from readings.json_file import ResultsError
from readings.results import Metric

BETTER = {"lower": "less is better", "higher": "more is better"}


def described(summary, name):
    """An older summary holds metrics without describing them."""
    if name in summary.metrics:
        return summary.metrics[name]
    known = {key for panel in summary.panels for c in panel.configurations for key in c.metrics}
    if name not in known:
        raise ResultsError(f"{summary.folder} has no metric {name}; it has {', '.join(sorted(known))}")
    return Metric(name, name, "", "")


def figure(summary, name):
    """The metric against depth or connections, a panel for each workload."""
    metric = described(summary, name)
    as_text = quantities.of_unit(metric.unit)

    def value(configuration):
        return configuration.metric(name)

    return PanelFigure(
        name=re.sub(r"[^a-z0-9_]+", "_", name.lower()),
        title=f"{metric.words[:1].upper()}{metric.words[1:]}",
        subtitle="; ".join(word for word in (f"The metric {name}", BETTER.get(metric.better)) if word),
        caption=f"The metric {name} of every configuration.",
        plan=lambda panel, summary: charts.swept_plan(panel, {"": value}, metric.words, as_text,
                                                      summary.baseline))
