# SPDX-License-Identifier: MIT
"""The comparisons that were made for one figure of the literature."""
import os
from dataclasses import dataclass

from readings import remarks, results, study_notes
from readings.estimates import Estimate
from readings.verdicts import Quotient


@dataclass(frozen=True)
class Study:
    """One figure's comparisons, by name."""

    folder: str
    summaries: dict
    quick: bool

    @property
    def first(self):
        return next(iter(self.summaries.values()))

    @property
    def env(self):
        return self.first.env

    @property
    def time_utc(self):
        return self.first.time_utc

    @property
    def rounds(self):
        """Of the comparison that has the fewest."""
        return min(s.rounds_done for s in self.summaries.values())

    @property
    def load(self):
        """The value of the busiest comparison, by others' CPU use; None where none measured it."""
        return max((s.load for s in self.summaries.values() if s.load), default=None,
                   key=lambda load: load.busy_pct)

    @property
    def command(self):
        return "; ".join(s.command for s in self.summaries.values())

    def at(self, name, label, x=None):
        """The configuration, or None. Without `x` the only one."""
        for panel in self.summaries[name].panels:
            for c in panel.configurations:
                if c.label == label and x in (None, c.x):
                    return c
        return None

    def metric(self, name, label, key, x=None):
        c = self.at(name, label, x)
        return c.metric(key) if c else None

    def ratio(self, name, label, key, x=None):
        """To the comparison's baseline, round by round."""
        c = self.at(name, label, x)
        # Where another engine stands in for the baseline it is another question.
        asked = c and c.baseline == self.summaries[name].baseline
        found = c.ratio(key) if asked else None
        return found and Quotient(found.mean, found.low, found.high, found.count)

    def panel(self, name):
        return self.summaries[name].panels[0]

    def peer_limited(self, name, x):
        """Was the client at its limit there, with one of the engines at least?"""
        return any(c.peer_limited for c in self.panel(name).configurations if c.x == x)

    def series(self, name, key):
        """label -> [(x, Estimate or None)]"""
        panel = self.panel(name)
        return {label: [(c.x, c.metric(key)) for c in panel.of(label)] for label in panel.labels}

    def missing(self):
        """Label, status and reason of what did not run, each once."""
        return list(dict.fromkeys(
            (c.label, c.status, c.reason or remarks.NO_REASON)
            for s in self.summaries.values() for panel in s.panels
            for c in panel.configurations if not c.ok))


def load(folder, names):
    """The study of these comparisons; None unless all of them are there and something ran."""
    places = {name: os.path.join(folder, study_notes.FOLDER, name) for name in names}
    if not all(os.path.exists(os.path.join(p, results.FILE)) for p in places.values()):
        return None
    try:
        summaries = {name: results.load(place) for name, place in places.items()}
    except results.NothingRan:
        return None
    return Study(folder, summaries, any(study_notes.was_quick(folder, name) for name in names))


def reversed_estimate(estimate, scale):
    """scale / estimate: an interval turns around, a median over rounds stays one."""
    if not estimate or min(estimate.median, estimate.low, estimate.high) <= 0:
        return None
    return Estimate(scale / estimate.median, scale / estimate.high, scale / estimate.low,
                    estimate.count)


def scaled(estimate, factor):
    return estimate and Estimate(estimate.median * factor, estimate.low * factor,
                                 estimate.high * factor, estimate.count)
