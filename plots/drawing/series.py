# SPDX-License-Identifier: MIT
"""Lines and rows of measured values, for figures that lay out several comparisons themselves."""
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from drawing import charts, sheet, style


def lines(page, series, x_label, y_label, as_text, x_ticks=None):
    """Lines over a logarithmic axis. `series`: label -> [(x, Estimate or None)]."""
    grid(page, {"": series}, x_label, y_label, as_text, x_ticks)


def grid(page, cells, x_label, y_label, as_text, x_ticks=None, paint_behind=None, log=None, columns=3):
    """As lines(), a pair of axes for each of `cells`: heading -> series; all have the same scales.
    `paint_behind(axes, heading)` is called first. `log` is the y axis; None: where it helps. `columns`:
    on a wide sheet."""
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
                                      columns=columns if page.width_in >= sheet.WIDE_IN else 2)).add()


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


def rows(page, entries, x_label, as_text, log=False, mark=None):
    """One mark a row. `entries`: (words, label for the look, Estimate or None). At `mark` stands a line."""
    found = [e for _, _, e in entries if e]
    if not found:
        page.message(charts.UNMEASURED)
        return

    def paint(axes):
        ends = [end for e in found for end in (e.low, e.high)] + ([] if mark is None else [mark])
        charts.scale_values(axes, "x", (min(ends), max(ends)), as_text, log)
        if mark is not None:
            axes.axvline(mark, color=style.GREY, linewidth=0.6, zorder=1)
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
