# SPDX-License-Identifier: MIT
"""Latency against throughput: what each step of depth or connections buys, and what it costs."""
import math

from drawing import charts, sheet, style, words
from drawing.figure import PanelFigure
from readings.quantities import count, duration

NUMBER_PT = 6
CROWD_PT = 16


def throughput(configuration):
    return configuration.metric("ops_per_s")


def latency(configuration):
    return configuration.metric("latency_ns.p50")


def reached(configuration):
    """(throughput, latency), where both are known."""
    both = throughput(configuration), latency(configuration)
    return both if all(both) else None


def plan(panel):
    notes = charts.unmeasured(panel, [reached])
    shown = charts.present(panel, reached)
    if not shown:
        return sheet.Plan(message=charts.UNMEASURED, notes=notes)

    def paint(axes):
        charts.scale_values(axes, "x", charts.extent(panel, throughput), count)
        charts.scale_values(axes, "y", charts.extent(panel, latency), duration, log=True)
        draw_curves(axes, panel)

    def fastest(label):
        return max(throughput(c).median for c in panel.of(label) if reached(c))

    several = len(panel.xs) > 1
    where = f"numbers: {words.x_plural(panel)}" if several else f"at {words.x_words(panel, panel.xs)}"
    return sheet.Plan([sheet.Cell(paint)], f"{panel.op}s per second ({where})",
                      "median latency (p50)", names=sorted(shown, key=fastest, reverse=True),
                      absent=[n for n in panel.labels if n not in shown],
                      notes=notes, height_in=2.5)


def draw_curves(axes, panel):
    marks = []
    strokes = []
    for label in charts.present(panel, reached):
        look = style.look_of(label)
        points = [(c.x, *reached(c)) for c in panel.of(label) if reached(c)]
        medians = [(fast.median, wait.median) for _, fast, wait in points]
        axes.plot(*zip(*medians), color=look.colour, linestyle=look.line, zorder=3,
                  **look.marker_keywords())
        for _, fast, wait in points:
            charts.draw_bar(axes, "x", wait.median, fast, look.colour)
            charts.draw_bar(axes, "y", fast.median, wait, look.colour)
            strokes += [[(fast.low, wait.median), (fast.high, wait.median)],
                        [(fast.median, wait.low), (fast.median, wait.high)]]
        strokes.append(medians)
        marks += [(x, *axes.transData.transform(at)) for (x, _, _), at in zip(points, medians)]
    if len(panel.xs) > 1:
        number_marks(axes, marks, [axes.transData.transform(stroke) for stroke in strokes])


def number_marks(axes, marks, strokes):
    """Writes the swept value beside each mark, clear of lines where that can be, of marks always.
    Where several engines crowd together at one value, one number does for all."""
    point = axes.figure.dpi / 72
    on_marks = [around(x, y, 2.6 * point) for _, x, y in marks]
    on_lines = [around(x, y, 0.8 * point) for stroke in strokes for x, y in along(stroke, 3 * point)]
    numbered = []
    taken = []
    for obstacles in (on_marks + on_lines, on_marks):
        for value, x, y in marks:
            if any(value == v and math.hypot(x - a, y - b) < CROWD_PT * point
                   for v, a, b in numbered):
                continue
            text = f"{value:g}"
            size = (sheet.text_width_in(text, NUMBER_PT) * axes.figure.dpi,
                    NUMBER_PT * 0.75 * point)
            box = free_place(axes.bbox, x, y, size, 3.4 * point, obstacles + taken)
            if box:
                numbered.append((value, x, y))
                taken.append(box)
                axes.text(*axes.transData.inverted().transform(box[:2]), text, ha="left",
                          va="baseline", fontsize=NUMBER_PT, color=style.GREY, zorder=4)


def free_place(frame, x, y, size, gap, obstacles):
    """A box of that size near (x, y) within the frame that meets no obstacle, or None."""
    width, height = size
    for right, up in ((0, 1), (1, 0), (0, -1), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1)):
        reach = gap * (0.75 if right and up else 1)
        left = x - width / 2 + right * (reach + width / 2)
        bottom = y - height / 2 + up * (reach + height / 2)
        box = (left, bottom, left + width, bottom + height)
        inside = (frame.x0 < box[0] and box[2] < frame.x1 and frame.y0 < box[1]
                  and box[3] < frame.y1)
        if inside and not any(overlap(box, other) for other in obstacles):
            return box
    return None


def around(x, y, reach):
    return (x - reach, y - reach, x + reach, y + reach)


def along(ends, step):
    """Points on the lines from end to end, a step apart."""
    for (x0, y0), (x1, y1) in zip(ends, ends[1:]):
        steps = max(1, int(math.hypot(x1 - x0, y1 - y0) / step))
        for i in range(steps):
            yield x0 + (x1 - x0) * i / steps, y0 + (y1 - y0) * i / steps


def overlap(a, b):
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


FIGURE = PanelFigure(
    name="latency_throughput",
    title="Latency against throughput",
    subtitle="Median latency (p50) at the throughput that was reached",
    caption="Each mark is one engine at one depth or number of connections (the small figure beside it). "
            "Further right is more work, further down a shorter wait.",
    reading="Where a line turns upwards, more operations in flight only wait longer.",
    plan=lambda panel, summary: plan(panel))
