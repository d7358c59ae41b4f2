# SPDX-License-Identifier: MIT
"""What the figures have in common: scales, lines over a swept value, rows for a single value."""
import math

from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator

from drawing import sheet, style, words
from readings.quantities import duration, tick
from readings.remarks import Remark

UNMEASURED = "the results have no value for this"
LOG_ABOVE = 50  # a linear scale from zero is easier to judge; beyond this factor it hides the small


def words_for_x(panel):
    return panel.axis.label


def extent(panel, *picks):
    """The least and greatest value that any interval reaches; None when there is none."""
    found = [e for c in panel.configurations for pick in picks for e in [pick(c)] if e]
    if not found:
        return None
    return min(e.low for e in found), max(e.high + e.error for e in found)


def scale_durations(axes, limits):
    """A logarithmic x axis of nanoseconds, from limit to limit: values from below a microsecond to seconds."""
    axes.set_xscale("log")
    axes.set_xlim(limits)
    axes.xaxis.set_major_locator(LogLocator(subs=(1,), numticks=12))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: tick(value, duration)))
    axes.grid(True, axis="x")


def scale_values(axes, which, low_high, as_text, log=False):
    """Scale, limits and ticks of the "x" or "y" axis for measured values."""
    low, high = low_high
    log = low > 0 and (log or high / low > LOG_ABOVE)  # a zero has to be seen
    axis = getattr(axes, which + "axis")
    if log:
        margin = max(1.15, (high / low) ** 0.06)
        getattr(axes, f"set_{which}scale")("log")
        limits = (low / margin, high * margin)
        decades = math.log10(limits[1] / limits[0])
        axis.set_major_locator(LogLocator(subs=(1, 2, 5) if decades < 2.2 else (1,), numticks=12))
    else:
        limits = (min(0, low * 1.06), high * 1.06 if high > 0 else 1 if low >= 0 else 0)
        axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: tick(value, as_text)))
    getattr(axes, f"set_{which}lim")(limits)
    axes.grid(True, axis=which)


def scale_swept(axes, panel):
    """A logarithmic axis whose ticks are the values that were measured."""
    low, high = panel.xs[0], panel.xs[-1]
    margin = (high / low) ** 0.07
    every = -(-len(panel.xs) // 9)
    axes.set_xscale("log")
    axes.set_xlim(low / margin, high * margin)
    axes.xaxis.set_major_locator(FixedLocator(panel.xs[::every]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def part_groups(axes, xs):
    """Light bands half-way between the values that were measured: marks that stand beside each other
    between two of them belong to one value, whose tick is in their midst."""
    low, high = axes.get_xlim()
    half = (high / low) ** 0.004
    for a, b in zip(xs, xs[1:]):
        middle = math.sqrt(a * b)
        axes.axvspan(middle / half, middle * half, color=style.BAND, linewidth=0, zorder=0.2)


def bars_show(estimates):
    """Is any bar longer than a mark? Where none is, none can hide another, and marks stand where their
    value is."""
    return any(e.high + e.error > 1.1 * (e.low - e.error) for e in estimates)


def dodges(xs, count):
    """Factors that set `count` lines a little apart, so that no bar hides another."""
    gaps = [math.log(b / a) for a, b in zip(xs, xs[1:])]
    room = min(0.035 * sum(gaps), 0.25 * min(gaps, default=0))
    middle = (count - 1) / 2
    return [math.exp(room * (i - middle) / max(middle, 1)) for i in range(count)]


def present(panel, *picks):
    """The labels that have something to draw."""
    return [label for label in panel.labels
            if any(pick(c) for c in panel.of(label) for pick in picks)]


def draw_bar(axes, which, at, estimate, colour, width_pt=0.8):
    """The interval, when there is one; a finer line beyond it is the error of each value."""
    def draw(low, high, **keywords):
        across, along = [at, at], [low, high]
        axes.plot(*((across, along) if which == "y" else (along, across)), color=colour,
                  solid_capstyle="butt", **keywords)

    if estimate.low < estimate.high:
        draw(estimate.low, estimate.high, linewidth=width_pt, zorder=2.5)
    if estimate.error > 0:
        least = estimate.low - estimate.error
        if getattr(axes, f"get_{which}scale")() == "log":
            least = max(least, getattr(axes, f"get_{which}lim")()[0])  # it goes on below the scale
        draw(least, estimate.high + estimate.error, linewidth=0.35 * width_pt, zorder=2.4)


def draw_lines(axes, panel, pick):
    """One line an engine over the swept value. Returns where each ends."""
    labels = present(panel, pick)
    ends = {}
    apart = bars_show([e for c in panel.configurations if (e := pick(c))])
    factors = dodges(panel.xs, len(labels)) if apart else [1] * len(labels)
    if apart and len(labels) > 1:
        part_groups(axes, panel.xs)
    for label, dodge in zip(labels, factors):
        look = style.look_of(label)
        points = [(c.x * dodge, pick(c)) for c in panel.of(label)]
        shown = [(x, e.median) for x, e in points if e]
        axes.plot(*zip(*shown), color=look.colour, linestyle=look.line, zorder=3,
                  **look.marker_keywords())
        for x, estimate in points:
            if estimate is None:
                axes.plot([x], [0.025], transform=axes.get_xaxis_transform(), marker="x",
                          markersize=3.6, color=look.colour, markeredgewidth=0.9)
            else:
                draw_bar(axes, "y", x, estimate, look.colour)
        ends[label] = shown[-1]
    return ends


def baseline_level(panel, pick, baseline):
    """The baseline's estimate where a single value is swept, or None."""
    x = panel.xs[0]
    found = baseline and panel.at(panel.baseline_at(x), x)
    return pick(found) if found else None


def draw_rows(axes, panel, picks, baseline):
    """One row an engine, for a panel with a single swept value.

    The first of `picks` has the engine's own marker, a second one an open ring. The baseline's
    interval is shaded through all rows.
    """
    x = panel.xs[0]
    reference = baseline_level(panel, picks[0], baseline)
    if reference:
        axes.axvspan(reference.low, reference.high, color=style.SHADE, zorder=0)
        axes.axvline(reference.median, color=style.FAINT, linewidth=0.8, zorder=0.5)
    for row, label in enumerate(panel.labels):
        look = style.look_of(label)
        configuration = panel.at(label, x)
        estimates = [pick(configuration) for pick in picks]
        if not any(estimates):
            axes.text(0.012, row, configuration.status if not configuration.ok else "not measured",
                      transform=axes.get_yaxis_transform(), va="center_baseline", fontsize=6.5,
                      style="italic", color=style.GREY)
        if all(estimates) and len(estimates) > 1:
            axes.plot([e.median for e in estimates], [row] * len(estimates), color=look.colour,
                      linewidth=0.5, alpha=0.6, zorder=2)
        for estimate, ring in zip(estimates, (False, True)):
            if estimate is None:
                continue
            draw_bar(axes, "x", row, estimate, look.colour, width_pt=1.4)
            keywords = look.marker_keywords(5)
            if ring:
                keywords.update(marker="o", markersize=4, markerfacecolor="white")
            axes.plot([estimate.median], [row], linestyle="none", zorder=3, **keywords)
    axes.set_ylim(len(panel.labels) - 0.3, -0.7)
    axes.yaxis.set_major_locator(FixedLocator(range(len(panel.labels))))
    axes.set_yticklabels(panel.labels)
    axes.tick_params(axis="y", length=0)
    absent = panel.absent()
    for label, text in zip(panel.labels, axes.get_yticklabels()):
        if label in absent:
            text.set(color=style.GREY, style="italic")


def unmeasured(panel, picks, why=UNMEASURED, what="not measured"):
    """Notes on runs that are fine but lack a value. `why`: text, or of a configuration a Remark."""
    said = [(what, why(c) if callable(why) else Remark(what, why), c)
            for c in panel.configurations if c.ok and any(pick(c) is None for pick in picks)]
    return words.notes(panel, said)


def bands_words(panel, picks):
    """What the grey lines are, where draw_lines() draws them."""
    shown = [e for c in panel.configurations for pick in picks if (e := pick(c))]
    return "; between two grey lines: one value" if bars_show(shown) and len(panel.labels) > 1 else ""


def swept_plan(panel, picks, label, as_text, baseline, log=False, rows_heading="", own_scales=False, **why):
    """Lines over the swept value, a cell for each of `picks` (heading: pick); rows where only one
    value was measured. `own_scales`: of the cells, else they have the same."""
    chosen = list(picks.values())
    reach = extent(panel, *chosen)
    notes = unmeasured(panel, chosen, **why)
    if reach is None:
        return sheet.Plan(message=UNMEASURED, notes=notes)

    def rows(axes):
        scale_values(axes, "x", reach, as_text, log)
        draw_rows(axes, panel, chosen, baseline)

    def lines(pick):
        def paint(axes):
            scale_swept(axes, panel)
            scale_values(axes, "y", own_scales and extent(panel, pick) or reach, as_text, log)
            return draw_lines(axes, panel, pick)
        return paint

    if len(panel.xs) == 1:
        band = f"grey band: {panel.baseline_at(panel.xs[0])}" if baseline_level(panel, chosen[0], baseline) else ""
        return sheet.Plan([sheet.Cell(rows, "; ".join(filter(None, [rows_heading, band])))],
                          f"{label}, at {words.x_words(panel, panel.xs)}", rows=panel.labels, notes=notes)
    shown = present(panel, *chosen)
    return sheet.Plan([sheet.Cell(lines(pick), heading) for heading, pick in picks.items()],
                      words_for_x(panel) + bands_words(panel, chosen), label, names=shown, own_scales=own_scales,
                      absent=[name for name in panel.labels if name not in shown], notes=notes)
