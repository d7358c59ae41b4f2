# SPDX-License-Identifier: MIT
"""The line cost = a + b n, on linear axes from zero on, beside what was measured; and its two numbers in words."""
from matplotlib.ticker import FuncFormatter, MaxNLocator

from drawing import charts, style
from readings.growth import lines
from readings.quantities import percent, span, tick


def painter(points_of, as_text):
    """A function that paints into axes. `points_of`: label -> [(x, Estimate)]."""
    straight = {label: line for label, line in lines(points_of).items() if line and line.is_straight}

    def paint(axes):
        xs = [x for points in points_of.values() for x, e in points if e]
        reach = max(e.high for points in points_of.values() for _, e in points if e)
        axes.set_xlim(0, max(xs) * 1.06)
        axes.set_ylim(0, reach * 1.06)
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
        axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: tick(value, as_text)))
        axes.grid(True, axis="y")
        for label, points in points_of.items():
            look = style.look_of(label)
            shown = [(x, e) for x, e in points if e]
            for x, e in shown:
                charts.draw_bar(axes, "y", x, e, look.colour)
            axes.plot([x for x, _ in shown], [e.median for _, e in shown], color=look.colour, zorder=3,
                      linestyle="none" if label in straight else look.line, **look.marker_keywords())
            if fitted := straight.get(label):
                ends = [0, max(xs)]
                axes.plot(ends, [fitted.at(x) for x in ends], color=look.colour, linestyle=look.line, zorder=2)
    return paint


def sentences(points_of, as_text, each, plural):
    """(labels, what is known of their cost) pairs. `each`: "connection"; `plural`: "connections"."""
    found = lines(points_of)
    said = []
    for label, fitted in found.items():
        if not fitted:
            continue
        if fitted.is_straight:
            said.append((label, f"{as_text(fitted.fixed)} and {as_text(fitted.each)} for each {each} "
                         f"({span(fitted.each_low, fitted.each_high, as_text)})"))
        else:
            said.append((label, "it grows, and on no straight line: a point lies "
                         f"{percent(100 * fitted.off)} off the best one"))
    level = [label for label, fitted in found.items() if not fitted]
    if said and level:
        said.append((", ".join(level), f"no growth with more {plural} shown"))
    return said
