# SPDX-License-Identifier: MIT
"""The latency distribution: how long the slowest one in ten, in a hundred, in a thousand waits."""
import bisect
import itertools
import math

from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from drawing import charts, sheet, style, words
from drawing.figure import PanelFigure
from readings import verdicts
from readings.quantities import duration

CELLS = 4
FIRST = 0.1  # the scale begins here: the fastest few would take half of its height
SLOWER = 10  # beyond this few operations a quantile says nothing
MARKS = (("latency_ns.p50", 0.5), ("latency_ns.p99", 0.99), ("latency_ns.p99_9", 0.999))
TICKS = (0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999999)


LOW_LOAD = 1  # in flight
BASELINE, COMPLETION = "blocking", ("libaio", "io_uring")
JUDGED_BY = (("latency_ns.p50", "median"), ("latency_ns.p99", "p99"))


def judged_panels(summary):
    """Those in which one operation on a file is in flight at a time, and goes to the device."""
    return [panel for panel in summary.panels
            if panel.configurations[0].workload.get("direct")
            and panel.x_name == "depth" and LOW_LOAD in panel.xs]


def ratio(panel, label, key):
    """To blocking; None where that is not what ratios are taken to."""
    c = panel.at(label, LOW_LOAD)
    found = c.ratio(key) if c and c.baseline == BASELINE else None
    return found and verdicts.Quotient(found.mean, found.low, found.high, found.count)


def statements(summary):
    panels = judged_panels(summary)
    if not panels:
        return [verdicts.left_open("no_workload", "no workload here has one operation on a file, with "
                                   "O_DIRECT, in flight at a time")]
    return [verdicts.within(f"{panel.name}: {said} of {label} over blocking", ratio(panel, label, key),
                            verdicts.CLOSE)
            for panel in panels for label in COMPLETION for key, said in JUDGED_BY]


def nines(share):
    """0.9 is at 1, 0.99 at 2, ..."""
    return -math.log10(1 - share)


def ranks(buckets):
    """How many operations were no slower than each bucket's."""
    return list(itertools.accumulate(n for _, _, n in buckets))


def middle_ns(buckets, ends, share):
    """The middle of the bucket that holds the operation which so large a share does not exceed, by
    nearest rank, as histogram_quantile_ns() of common/histogram.c has it. `ends`: ranks()."""
    low, end, _ = buckets[bisect.bisect_left(ends, max(math.ceil(share * ends[-1]), 1))]
    return (low + end - 1) / 2  # `end` is the first value that is too large


def curve(buckets):
    """Points (nines, nanoseconds) of the distribution, evenly spaced along the figure. They are only
    drawn: words and verdicts use the summary's p50, p99 and p99.9."""
    ends = ranks(buckets)
    if not ends or ends[-1] < 2 * SLOWER:
        return []
    first, last = nines(FIRST), math.log10(ends[-1] / SLOWER)
    steps = 20 * math.ceil(last)
    points = []
    for i in range(steps + 1):
        at = first + (last - first) * i / steps
        points.append((at, middle_ns(buckets, ends, 1 - 10 ** -at)))
    return points


def chosen(xs):
    """At most CELLS of the swept values, the ends among them."""
    if len(xs) <= CELLS:
        return xs
    return [xs[round(i * (len(xs) - 1) / (CELLS - 1))] for i in range(CELLS)]


def plan(panel):
    xs = chosen(panel.xs)
    curves = {(c.label, c.x): curve(c.buckets) for c in panel.configurations
              if c.ok and c.x in xs}
    shown = [label for label in panel.labels if any(curves.get((label, x)) for x in xs)]
    notes = charts.unmeasured(panel, [lambda c: c.buckets or None], "no histogram was kept")
    if len(xs) < len(panel.xs):
        left_out = [x for x in panel.xs if x not in xs]
        notes.append(words.Note(words.x_words(panel, left_out), "not drawn", "see summary.json"))

    if not shown:
        return sheet.Plan(message=charts.UNMEASURED, notes=notes)
    values = [y for points in curves.values() for _, y in points]
    for c in panel.configurations:
        values += [v for key, _ in MARKS if c.x in xs and (e := c.metric(key))
                   for v in (e.low, e.high)]
    reach = (min(values), max(values))
    most = max(points[-1][0] for points in curves.values() if points)

    def at(x):
        def paint(axes):
            scale_share(axes, most)
            charts.scale_values(axes, "y", reach, duration, log=True)
            return draw_curves(axes, panel, x, shown, curves)
        return paint

    return sheet.Plan([sheet.Cell(at(x), words.x_words(panel, [x])) for x in xs],
                      "share of operations (%)", "latency", names=shown,
                      absent=[n for n in panel.labels if n not in shown], notes=notes,
                      height_in=1.6 if len(xs) > 1 else 2.1)


def scale_share(axes, most):
    axes.set_xlim(0, most * 1.05)
    ticks = [nines(share) for share in TICKS if nines(share) <= most]
    labels = []
    free_in = 0
    for tick, share in zip(ticks, TICKS):
        text = f"{100 * share:.6g}"
        width_in = sheet.text_width_in(text, style.SETTINGS["xtick.labelsize"])
        middle_in = axes.transData.transform((tick, 1))[0] / axes.figure.dpi
        fits = middle_in - width_in / 2 >= free_in
        labels.append(text if fits else "")
        if fits:
            free_in = middle_in + width_in / 2 + 0.04
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FixedFormatter(labels))
    axes.grid(True, axis="x")


def draw_curves(axes, panel, x, shown, curves):
    ends = {}
    missing = []
    for i, label in enumerate(shown):
        points = curves.get((label, x))
        if not points:
            missing.append(label)
            continue
        look = style.look_of(label)
        axes.plot(*zip(*points), color=look.colour, linestyle=look.line, linewidth=1, zorder=3)
        dodge = 0.02 * (i - (len(shown) - 1) / 2)
        for key, share in MARKS:
            estimate = panel.at(label, x).metric(key)
            if estimate and nines(share) <= points[-1][0]:
                charts.draw_bar(axes, "y", nines(share) + dodge, estimate, look.colour)
                axes.plot([nines(share) + dodge], [estimate.median], zorder=3.5,
                          **look.marker_keywords(3.2))
        ends[label] = points[-1]
    if missing:
        axes.text(0.02, 0.97, "\n".join(f"× {label}" for label in missing), va="top", fontsize=6,
                  color=style.GREY, style="italic", transform=axes.transAxes)
    return ends


FIGURE = PanelFigure(
    name="latency_distribution",
    title="Latency distribution",
    subtitle="Latency that a share of the operations does not exceed",
    caption="The share of operations (across) that finished within a time (up). Marks are p50, p99 and p99.9, "
            "medians over the rounds.",
    reading="The scale across gives every further nine the same room. Lines pool all rounds and go through the "
            "middle of the histogram's buckets (good to 0.78 %). They end where fewer than ten operations were "
            "slower.",
    plan=lambda panel, summary: plan(panel),
    legend=lambda summary: f"{words.marks_words(summary, 'p50, p99, p99.9')}; lines: all rounds together",
    judged_in=judged_panels,
    claim=verdicts.Claim(
        "Ren and Trivedi, Performance Characterization of Modern Storage Stacks, CHEOPS 2023, abstract",
        "at low load all interfaces perform competitively with each other; read here as: so does their "
        "latency, in the middle of its distribution and at p99",
        "reproduced when, with one operation on a file in flight, with O_DIRECT since the source is about "
        f"devices, median and p99 of libaio and of io_uring are within a factor of {verdicts.CLOSE} of "
        "blocking's, with its whole interval (a limit of ours: the source has no number for close)",
        statements))
