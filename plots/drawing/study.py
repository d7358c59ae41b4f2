# SPDX-License-Identifier: MIT
"""Comparisons that belong to one figure of the literature, and how such a figure is laid out."""
import os
from dataclasses import dataclass

from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from drawing import charts, sheet, style
from readings import results, verdicts

FOLDER = results.STUDY


@dataclass(frozen=True)
class Study:
    """One figure's comparisons, by name."""

    folder: str
    summaries: dict
    quick: bool

    @property
    def env(self):
        return next(iter(self.summaries.values())).env

    @property
    def rounds(self):
        """Of the comparison that has the fewest."""
        return min(s.rounds_done for s in self.summaries.values())

    @property
    def load(self):
        """That of the comparison beside which others did most; None where none measured it."""
        return max((s.load for s in self.summaries.values() if s.load), default=None,
                   key=lambda load: load.busy_pct)

    @property
    def command(self):
        return "; ".join(s.command for s in self.summaries.values())

    def marks_words(self):
        return next(iter(self.summaries.values())).marks_words()

    def foot(self, *more):
        first = next(iter(self.summaries.values()))
        return [first.machine_words() + [first.device_words()],
                [*more, first.rounds_words(), results.load_words(self.load), first.time_utc,
                 first.commit_words()]]

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
        return found and verdicts.Ratio(found.mean, found.low, found.high, found.count)

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
        """Label and reason of what did not run, each once."""
        return list(dict.fromkeys(
            (c.label, c.status, c.reason) for s in self.summaries.values() for panel in s.panels
            for c in panel.configurations if not c.ok))


def load(folder, names):
    """The study of these comparisons; None unless all of them are there and something ran."""
    places = {name: os.path.join(folder, FOLDER, name) for name in names}
    if not all(os.path.exists(os.path.join(p, "summary.json")) for p in places.values()):
        return None
    try:
        summaries = {name: results.load(place) for name, place in places.items()}
    except results.NothingRan:
        return None
    return Study(folder, summaries, any(results.was_quick(folder, name) for name in names))


def reversed_estimate(estimate, scale):
    """scale / estimate: an interval turns around, a median over rounds stays one."""
    if not estimate or estimate.low <= 0:
        return None
    return results.Estimate(scale / estimate.median, scale / estimate.high, scale / estimate.low,
                            estimate.count)


def scaled(estimate, factor):
    return estimate and results.Estimate(estimate.median * factor, estimate.low * factor,
                                         estimate.high * factor, estimate.count)


def add_claim(page, claim, found):
    """What the literature found, the rule by which it is judged here, and the verdict."""
    page.add(0.07)
    page.paragraph(f"Found: {claim.found} ({claim.source}).")
    page.add(0.03)
    page.paragraph(f"Rule: {claim.rule}.", color=style.GREY)
    page.add(0.03)
    page.paragraph(f"Verdict: {verdicts.judge(claim, found)}.", color=style.INK)


def add_plan(page, plan):
    """What another module drew of a panel."""
    if plan.message:
        page.message(plan.message)
    else:
        sheet.PanelBlock(page, plan).add()
    for remark in plan.notes:
        page.note(remark.mark, str(remark))


def compose(title, reading, claim, study, place, width_in, bare, marks=True):
    """Head, the figure itself, what the literature found, the rule and the verdict, the machine.
    `marks`: are marks and bars medians and intervals over the rounds?"""
    if marks:
        reading = f"{reading}; {study.marks_words()}"

    def body(page):
        place(page)
        if study.load and study.load.noted:
            page.note("!", f"{study.load.words()[0].upper()}{study.load.words()[1:]}.")
        for label, status, reason in study.missing():
            page.note("×", f"{label}: {status}: {reason}")
        add_claim(page, claim, study)

    return sheet.compose_document(study, title, reading, body, width_in, bare,
                                  foot=("quick",) if study.quick else ())


def alt_text(title, claim, study):
    return f"{title}. Verdict: {verdicts.judge(claim, study)}."


def lines(page, series, x_label, y_label, as_text, x_ticks=None):
    """Lines over a logarithmic axis. `series`: label -> [(x, Estimate or None)]."""
    grid(page, {"": series}, x_label, y_label, as_text, x_ticks)


def grid(page, cells, x_label, y_label, as_text, x_ticks=None, paint_behind=None, log=None):
    """As lines(), a pair of axes for each of `cells`: heading -> series; all have the same scales.
    `paint_behind(axes, heading)` is called first. `log` is the y axis; None: where it helps."""
    cells = {heading: {label: shown for label, points in series.items()
                       if (shown := [(x, e) for x, e in points if e])}
             for heading, series in cells.items()}
    points = [point for series in cells.values() for shown in series.values() for point in shown]
    if not points:
        page.message(charts.UNMEASURED)
        return
    xs = sorted({x for x, _ in points})
    reach = min(e.low for _, e in points), max(e.high + e.error for _, e in points)
    apart = charts.bars_show([e for _, e in points])
    if log is None:
        log = reach[1] > 10 * max(reach[0], 1e-12)

    def cell(heading, series):
        def paint(axes):
            margin = (xs[-1] / xs[0]) ** 0.07 if len(xs) > 1 else 1.5
            axes.set_xscale("log")
            axes.set_xlim(xs[0] / margin, xs[-1] * margin)
            axes.xaxis.set_major_locator(FixedLocator(xs))
            axes.xaxis.set_minor_locator(NullLocator())
            axes.xaxis.set_major_formatter(FuncFormatter(x_ticks or (lambda v, _: f"{v:g}")))
            charts.scale_values(axes, "y", reach, as_text, log)
            if paint_behind:
                paint_behind(axes, heading)
            if apart and len(names) > 1:
                charts.part_groups(axes, xs)
            factors = charts.dodges(xs, len(names)) if apart else [1] * len(names)
            return draw_series(axes, series, dict(zip(names, factors)))
        return sheet.Cell(paint, heading)

    names = list(dict.fromkeys(label for series in cells.values() for label in series))
    sheet.PanelBlock(page, sheet.Plan([cell(*pair) for pair in cells.items()], x_label, y_label,
                                      names=names, height_in=2.1 if len(cells) == 1 else 1.5,
                                      columns=3 if page.width_in >= sheet.WIDE_IN else 2)).add()


def draw_series(axes, series, dodge_of):
    """Returns where each line ends."""
    ends = {}
    for label, points in series.items():
        look = style.look_of(label)
        for x, e in points:
            charts.draw_bar(axes, "y", x * dodge_of[label], e, look.colour)
        shown = [(x * dodge_of[label], e.median) for x, e in points]
        axes.plot(*zip(*shown), color=look.colour, linestyle=look.line, zorder=3,
                  **look.marker_keywords())
        ends[label] = shown[-1]
    return ends


def rows(page, entries, x_label, as_text, log=False):
    """One mark a row. `entries`: (words, label for the look, Estimate or None)."""
    found = [e for _, _, e in entries if e]
    if not found:
        page.message(charts.UNMEASURED)
        return

    def paint(axes):
        charts.scale_values(axes, "x", (min(e.low for e in found), max(e.high for e in found)),
                            as_text, log)
        for i, (_, label, estimate) in enumerate(entries):
            look = style.look_of(label)
            if not estimate:
                axes.text(0.012, i, "not measured", transform=axes.get_yaxis_transform(),
                          va="center_baseline", fontsize=6.5, style="italic", color=style.GREY)
                continue
            charts.draw_bar(axes, "x", i, estimate, look.colour, width_pt=1.4)
            axes.plot([estimate.median], [i], linestyle="none", zorder=3,
                      **look.marker_keywords(5))
        axes.set_ylim(len(entries) - 0.3, -0.7)
        axes.yaxis.set_major_locator(FixedLocator(range(len(entries))))
        axes.set_yticklabels([words for words, _, _ in entries])
        axes.tick_params(axis="y", length=0)

    sheet.PanelBlock(page, sheet.Plan([sheet.Cell(paint)], x_label,
                                      rows=[words for words, _, _ in entries])).add()
