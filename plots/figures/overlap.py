# SPDX-License-Identifier: MIT
"""Overlap: total time for an operation between the bounds max(compute, I/O) and their sum."""
import math

from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from drawing import charts, sheet, style
from drawing.figure import DocumentFigure
from readings import quantities, remarks, shape, verdicts, work
from readings.documents import document_shape
from readings.estimates import WHOLE_ESTIMATE, Estimate
from readings.quantities import MINUS, count, duration, listed, span

BOUND_STEPS = 60
AS_MUCH = 1  # computing, of the time of the I/O
ABOUT = 2  # and so far off it may come out, for a verdict
HIDDEN = 0.25
SHOWN_FROM, SHOWN_TO = -1.5, 2.5  # of the efficiency; beyond it says noise, and squeezes all else
TITLE = "Overlap of computing and I/O"

OF_A_POINT = ("compute_to_io", "total_to_io", "efficiency", "lost_ns")
_POINT = shape.record({"asked": shape.above_zero, **{
    key: shape.nullable(WHOLE_ESTIMATE) for key in OF_A_POINT}})
_WHOLE_POINT = shape.record({"compute_to_io": shape.record({"low": shape.above_zero}),
                             "total_to_io": shape.record({"low": shape.above_zero}),
                             "lost_ns": WHOLE_ESTIMATE})


def _point(value, place):
    """A point of which some round has all is whole."""
    _POINT(value, place)
    if value["efficiency"]:
        _WHOLE_POINT(value, place)


_ENGINE = shape.record({
    "engine": shape.record({"label": shape.text}), "status": shape.text,
    "reason": shape.nullable(remarks.SHAPE), "warnings": shape.maybe(shape.list_of(remarks.SHAPE)),
    "io_ns": shape.nullable(WHOLE_ESTIMATE), "points": shape.list_of(_point)})
_MEASURED = shape.record({"io_ns": WHOLE_ESTIMATE})


def _engine(value, place):
    _ENGINE(value, place)
    if value["status"] == "ok":
        _MEASURED(value, place)


SHAPE = document_shape({
    "rounds": shape.count, "workload": shape.nullable(shape.record({"panel": shape.maybe(work.SHAPE)})),
    "engines": shape.list_of(_engine)})


def percent(share):
    return quantities.percent(100 * share)


def asked_for(document, label):
    """The point at which as much computing as I/O was asked for; None where it was not measured."""
    for engine in measured(document):
        for point in engine["points"]:
            if engine["engine"]["label"] == label and point["asked"] == AS_MUCH:
                return point
    return None


def statement(document, label, judged):
    """What was asked for comes from a run just before; the round's own C / I is what it came to."""
    point = asked_for(document, label)
    if not point or not point["compute_to_io"]:
        return judged(f"{label}: efficiency", None, HIDDEN)
    came_to = point["compute_to_io"]["median"]
    what = f"{label}: efficiency at C / I = {came_to:.2f}"
    if not AS_MUCH / ABOUT <= came_to <= AS_MUCH * ABOUT:
        return verdicts.left_open("other_ratio", "{what} is not one where computing takes as long as I/O",
                                  what=what)
    return judged(what, verdicts.measured(point["efficiency"], percent), HIDDEN)


def statements(document):
    return [statement(document, "blocking", verdicts.below),
            statement(document, "libaio", verdicts.above),
            statement(document, "io_uring", verdicts.above)]


def measured(document):
    """Those of which a round has I, C and T of one point at least."""
    return [e for e in document.content["engines"] if e["status"] == "ok" and whole(e["points"])]


def whole(points):
    """Without those of which no round has all three."""
    return [p for p in points if p["efficiency"]]


def condition(document):
    return ((document.content["workload"] or {}).get("panel") or {}).get("text", "")


def describe(document):
    said = []
    for engine in measured(document):
        best = max(whole(engine["points"]), key=lambda p: p["efficiency"]["median"])
        said.append(f"{engine['engine']['label']} overlaps at most "
                    f"{100 * best['efficiency']['median']:.0f} %")
    return f"{TITLE}: {'; '.join(said)}."


def with_interval(entry):
    """21.4 µs (12.0–30.1 µs)"""
    words = f"{duration(entry['median'])} ({span(entry['low'], entry['high'], duration)})"
    return words.replace("-", MINUS)


def lost(point):
    """21.4 µs (12.0–30.1 µs) at C / I = 1.02: what T is above C + I."""
    return with_interval(point["lost_ns"]) + f" at C / I = {point['compute_to_io']['median']:.2f}"


def interference(document):
    """What computing and I/O cost each other where as much of both was asked for, and where that is
    shown; and for blocking in any case, since it overlaps nothing, so that all of it is seen."""
    points = [(e["engine"]["label"], p) for e in measured(document) for p in whole(e["points"])
              if p["asked"] == AS_MUCH]
    shown = [f"{label} {lost(p)}" for label, p in points if p["lost_ns"]["low"] > 0]
    words = []
    if shown:
        words.append(f"Lost to interference, time for an operation above C + I: "
                     f"{listed(shown)}. Computing and I/O hold each other up there, so negative "
                     "efficiency is a finding about this machine, not about the interface.")
    words += [f"Interference is not shown with blocking: T − (C + I) is {lost(p)}."
              for label, p in points if label == "blocking" and p["lost_ns"]["low"] <= 0]
    return words


def beyond(engines):
    """How many of the efficiencies reach beyond the axis."""
    return sum(e["low"] < SHOWN_FROM or e["high"] > SHOWN_TO for engine in engines
               for p in whole(engine["points"]) for e in [p["efficiency"]])


def place(page, document):
    engines = measured(document)
    labels = [e["engine"]["label"] for e in engines]
    if engines:
        # Names stand beside both where they stand beside, so that both are equally wide.
        above = labels if page.width_in >= sheet.WIDE_IN else []
        block(page, engines, "total_to_io", "T / I", paint_band, above)
        page.add(0.05)
        block(page, engines, "efficiency", "efficiency", paint_limits, labels)
    for engine in document.content["engines"]:
        add_notes(page, engine, engine in engines)
    alone = listed([f"{e['engine']['label']} {with_interval(e['io_ns'])}"
                    for e in engines]) if engines else "nothing"
    page.note("", f"I, the time for an operation without computing: {alone}.")
    for words in interference(document):
        page.note("", words)
    if cut := beyond(engines):
        page.note("!", f"{cut} of the efficiencies have an interval that reaches beyond the axis: "
                  "too unsteady to tell anything.")


def add_notes(page, engine, drawn):
    label = engine["engine"]["label"]
    if engine["status"] != "ok":
        page.note("×", f"{label}: {engine['status']}: {engine['reason']}")
    elif not drawn:
        page.note("×", f"{label}: no round has I, C and T of one point")
    elif engine.get("warnings"):  # older results have none
        page.note("!", f"{label}: {'; '.join(map(str, engine['warnings']))}")


def block(page, engines, key, y_label, paint_back, names):
    points = [p for e in engines for p in whole(e["points"])]
    asked = sorted({p["asked"] for p in points})
    ticks = asked + [asked[-1] * 2 ** i for i in range(1, 6)]  # on a busy machine it comes to more
    xs = sorted(asked + [p["compute_to_io"][end] for p in points for end in ("low", "high")])

    def paint(axes):
        margin = max(1.15, (xs[-1] / xs[0]) ** 0.06)
        limits = (xs[0] / margin, xs[-1] * margin)
        axes.set_xscale("log")
        axes.set_xlim(limits)
        axes.xaxis.set_major_locator(FixedLocator(ticks))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.grid(True)
        paint_back(axes, limits, [p[key] for p in points])
        return draw_engines(axes, engines, key)

    cell = sheet.Cell(paint)
    page.plan(sheet.Plan([cell], "C / I, the ratio of computing to I/O", y_label, names=names,
                         height_in=1.9))


def paint_band(axes, limits, estimates):
    steps = [limits[0] * (limits[1] / limits[0]) ** (i / BOUND_STEPS)
             for i in range(BOUND_STEPS + 1)]
    axes.fill_between(steps, [max(1, x) for x in steps], [1 + x for x in steps],
                      color=style.SHADE, zorder=0)
    axes.plot(steps, [max(1, x) for x in steps], color=style.GREY, linewidth=0.8, zorder=1)
    axes.plot(steps, [1 + x for x in steps], color=style.GREY, linewidth=0.8,
              linestyle=style.DASHED, zorder=1)
    low = min([1] + [e["low"] for e in estimates])
    high = max([1 + limits[1]] + [e["high"] for e in estimates])
    charts.scale_values(axes, "y", (low, high), count, log=True)
    for row, words in enumerate(("dashed: C + I, nothing overlaps", "solid: max(C, I), all overlaps")):
        axes.text(0.02, 0.97 - 0.075 * row, words, transform=axes.transAxes, va="top",
                  fontsize=sheet.NOTE_PT, color=style.GREY)


def paint_limits(axes, limits, estimates):
    low = max(min([0] + [e["low"] for e in estimates]), SHOWN_FROM)
    high = min(max([1] + [e["high"] for e in estimates]), SHOWN_TO)
    axes.axhspan(0, 1, color=style.SHADE, zorder=0)
    axes.plot(limits, [1, 1], color=style.GREY, linewidth=0.8, zorder=1)
    axes.plot(limits, [0, 0], color=style.GREY, linewidth=0.8, linestyle=style.DASHED, zorder=1)
    room = 0.06 * (high - low)
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
    axes.set_ylim(low - room, high + room)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: percent(value)))
    if low < 0:
        axes.text(0.02, 0.03, "below 0 %: lost to interference", transform=axes.transAxes,
                  va="bottom", fontsize=sheet.NOTE_PT, color=style.GREY)


def scaled(entry, factor=1):
    return Estimate(*(factor * entry[key] for key in ("median", "low", "high")))


def draw_engines(axes, engines, key):
    """One line an engine, set a little apart across. Returns where each ends."""
    ends = {}
    middle = (len(engines) - 1) / 2
    for i, engine in enumerate(engines):
        label = engine["engine"]["label"]
        look = style.look_of(label)
        dodge = math.exp(0.025 * (i - middle))
        points = sorted(((scaled(p["compute_to_io"], dodge), scaled(p[key])) for p in whole(engine["points"])),
                        key=lambda point: point[0].median)
        for x, y in points:
            charts.draw_bar(axes, "y", x.median, y, look.colour)
            charts.draw_bar(axes, "x", y.median, x, look.colour)
        shown = [(x.median, y.median) for x, y in points]
        axes.plot(*zip(*shown), color=look.colour, linestyle=look.line, zorder=3,
                  **look.marker_keywords())
        low, high = axes.get_ylim()
        ends[label] = shown[-1][0], min(max(shown[-1][1], low), high)
    return ends


FIGURE = DocumentFigure(
    name="overlap",
    title=TITLE,
    subtitle="Time for an operation against the ratio of computing to I/O",
    caption="Time for an operation against the ratio of computing to I/O, in units of the engine's own time "
            "without computing. Below: overlap efficiency.",
    reading="C is the time for an operation's computing alone, I for one without computing, T for one with "
            "both, of the same round. At the lower edge of the band, max(C, I), all is overlapped; at the upper "
            "one, C + I, nothing is. Overlap efficiency is (C + I − T) / min(C, I). Beyond C + I, or below "
            "zero, time is lost to interference: a read takes longer when the program computed before it. The "
            "part of an I/O that is itself work of the same CPU cannot overlap, for any interface.",
    file="overlap.json",
    schema="iolab.overlap.v2",
    made_by="build/iolab overlap --out FOLDER",
    shape=SHAPE,
    place=place,
    describe=describe,
    condition=condition,
    legend=lambda document: [
        "C: time for an operation's computing alone; I: for one without computing; T: for one with both; of "
        "the same engine and the same round",
        "marks: median; bars: intervals over the rounds, of C / I across and of the other axis upwards"],
    claim=verdicts.Claim(
        "read(2), io_submit(2), io_uring_enter(2); Jasny et al., PVLDB 19, 2026: 19 thousand transactions/s "
        "without overlap, 184 thousand with it",
        "a call that waits for the data adds I/O to computing; one that hands the I/O over leaves room for "
        "computing meanwhile",
        f"reproduced when, where computing takes as long as I/O (C / I between {AS_MUCH / ABOUT:g} and "
        f"{AS_MUCH * ABOUT:g}), the efficiency of blocking is below {percent(HIDDEN)}, and those of libaio "
        "and of io_uring are above it; what is lost to interference counts against each. The limits are "
        "ours: the source has no number for them",
        statements))
