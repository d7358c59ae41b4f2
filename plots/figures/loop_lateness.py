# SPDX-License-Identifier: MIT
"""One slow callback in an event loop: how late it makes everybody else, and what helps."""
from matplotlib.ticker import FixedLocator

from drawing import charts, sheet, style
from drawing.figure import DocumentFigure
from readings import remarks, shape, verdicts
from readings.documents import document_shape
from readings.estimates import WHOLE_ESTIMATE, Estimate
from readings.quantities import duration, percent, tick

TITLE = "One slow callback: everybody's lateness"
PARTS = ("p50", "p99", "max")
KINDS = {"timers": "timers", "receives": "callbacks of receives"}
SLOW, CURES = "at_once", ("in_pieces", "in_a_thread")
SAID = {"nothing": "nothing computed", SLOW: "in one callback", "in_pieces": "in pieces",
        "in_a_thread": "in a thread"}
LEAST_NS = 1000  # the scale begins here
SLOW_SHARE, CURED_SHARE = 0.5, 0.2  # of the slow callback, for a verdict

_WATCHED = shape.record({"lateness_ns": shape.record({part: shape.nullable(WHOLE_ESTIMATE) for part in PARTS}),
                         "late_share": shape.nullable(WHOLE_ESTIMATE)})
_ROW = shape.record({
    "engine": shape.record({"label": shape.text}), "computing": shape.text, "status": shape.text,
    "reason": shape.nullable(remarks.SHAPE), "warnings": shape.list_of(remarks.SHAPE),
    "computed_in_ns": shape.nullable(WHOLE_ESTIMATE), **{kind: _WATCHED for kind in KINDS}})
_MEASURED = shape.record({kind: shape.record({"lateness_ns": shape.record({part: WHOLE_ESTIMATE for part in PARTS}),
                                              "late_share": WHOLE_ESTIMATE}) for kind in KINDS})


def _row(value, place):
    _ROW(value, place)
    if value["status"] == "ok":
        _MEASURED(value, place)


SHAPE = document_shape({
    "runtime_s": shape.number, "slow_callback_ns": shape.above_zero, "piece_ns": shape.above_zero,
    "period_ns": shape.above_zero, "watched": shape.above_zero, "beat_ns": shape.above_zero,
    "late_ns": shape.above_zero, "rows": shape.list_of(_row)})


def label_of(row):
    return row["engine"]["label"]


def measured(document, computing):
    return [row for row in document.content["rows"] if row["status"] == "ok" and row["computing"] == computing]


def p99(row, kind):
    return row[kind]["lateness_ns"]["p99"]


def statement(document, computing, kind):
    """On the engine that is the furthest from what is claimed."""
    rows = measured(document, computing)
    slow = computing == SLOW
    what = f"{KINDS[kind]} while it is computed {SAID.get(computing, computing)}: p99 of their lateness"
    if not rows:
        return verdicts.unknown(what, None)
    row = (min if slow else max)(rows, key=lambda row: p99(row, kind)["median"])
    judge, share = (verdicts.above, SLOW_SHARE) if slow else (verdicts.below, CURED_SHARE)
    return judge(f"{label_of(row)}, {what}", verdicts.measured(p99(row, kind), duration),
                 share * document.content["slow_callback_ns"])


def statements(document):
    return [statement(document, computing, kind) for computing in (SLOW, *CURES) for kind in KINDS]


def describe(document):
    words = [f"{label_of(row)}, {SAID.get(row['computing'], row['computing'])}: p99 of timers "
             f"{duration(p99(row, 'timers')['median'])}, of receives {duration(p99(row, 'receives')['median'])}"
             for row in document.content["rows"] if row["status"] == "ok"]
    return f"{TITLE}: {'; '.join(words)}."


def condition(document):
    content = document.content
    return (f"{content['watched']} timers and {content['watched']} receives, each due every "
            f"{tick(content['beat_ns'], duration)}; every {tick(content['period_ns'], duration)} something is computed "
            f"for {tick(content['slow_callback_ns'], duration)}, in pieces of {tick(content['piece_ns'], duration)}, "
            f"runs of {content['runtime_s']:g} s")


def late_words(row, kind):
    return f"{percent(100 * row[kind]['late_share']['median'])} late"


def place(page, document):
    content = document.content
    ends = [value[end] for row in content["rows"] if row["status"] == "ok" for kind in KINDS
            for value in row[kind]["lateness_ns"].values() for end in ("median", "high")]
    limits = (LEAST_NS / 1.3, max([*ends, 3 * content["slow_callback_ns"]]) * 1.3)
    for computing in dict.fromkeys(row["computing"] for row in content["rows"]):
        rows = measured(document, computing)
        if not rows:
            continue
        page.add(0.06)
        page.paragraph(SAID.get(computing, computing), size_pt=sheet.HEADING_PT, line_in=0.17, weight="bold")
        bars = [(row, kind) for row in rows for kind in KINDS]
        cell = sheet.Cell(lambda axes, bars=bars: paint(axes, bars, limits, content["slow_callback_ns"]))
        page.plan(sheet.Plan([cell], "lateness", rows=[bar_label(*bar) for bar in bars]))
    told = set()
    for row in content["rows"]:
        if row["status"] != "ok" and label_of(row) not in told:
            told.add(label_of(row))
            page.note("×", f"{label_of(row)}: {row['status']}: {row['reason']}")
        for warning in row["warnings"] if row["status"] == "ok" else ():
            page.note("!", f"{label_of(row)}, {SAID.get(row['computing'], row['computing'])}: {warning}")


def bar_label(row, kind):
    return f"{label_of(row)}, {kind}"


def paint(axes, bars, limits, slow_ns):
    charts.scale_durations(axes, limits)
    axes.axvline(slow_ns, color=style.GREY, linewidth=0.8, linestyle=style.DASHED, zorder=1)
    for i, (row, kind) in enumerate(bars):
        paint_bar(axes, i, row, kind)
    axes.set_ylim(len(bars) - 0.3, -0.7)
    axes.yaxis.set_major_locator(FixedLocator(range(len(bars))))
    axes.set_yticklabels([bar_label(*bar) for bar in bars])
    axes.tick_params(axis="y", length=0)


def paint_bar(axes, i, row, kind):
    look = style.look_of(label_of(row))
    found = row[kind]["lateness_ns"]
    medians = [max(found[part]["median"], LEAST_NS) for part in PARTS]
    axes.plot(medians, [i] * len(medians), color=look.colour, linewidth=0.5, alpha=0.6, zorder=2)
    for part, median in zip(PARTS, medians):
        low, high = (max(found[part][end], LEAST_NS) for end in ("low", "high"))
        charts.draw_bar(axes, "x", i, Estimate(median, low, high), look.colour, width_pt=1.4)
        keywords = look.marker_keywords(5)
        if part == "p99":
            keywords.update(marker="o", markersize=4, markerfacecolor="white")
        if part == "max":
            keywords.update(marker="x", markersize=4)
        axes.plot([median], [i], linestyle="none", zorder=3, **keywords)
    axes.text(0.99, i, late_words(row, kind), transform=axes.get_yaxis_transform(), ha="right",
              va="center_baseline", fontsize=6.5, color=style.GREY)


FIGURE = DocumentFigure(
    name="loop_lateness",
    title=TITLE,
    subtitle="How late the timers and receives of an event loop are called back while something is computed",
    caption="How late the timers and receives of an event loop are called back while one callback computes, while it "
            "computes in pieces, and while a thread does that.",
    reading="Marks: p50, p99 (ring) and the latest (cross), medians over the rounds. The dashed line is the time that "
            "the computing takes. Right: the share of callbacks that were late by more than a millisecond.",
    file="loop_lateness.json",
    schema="iolab.loop_lateness.v1",
    made_by="build/iolab responsiveness --loop --out FOLDER",
    shape=SHAPE,
    place=place,
    describe=describe,
    condition=condition,
    legend=lambda document: ["filled mark: how late they are in the median; ring: one in a hundred is later; "
                             "cross: the latest of a run"],
    claim=verdicts.Claim(
        "Ousterhout 1996, USENIX (invited talk), Why Threads Are A Bad Idea (for most purposes)",
        "a handler that runs for long holds up all others; one that is broken up, or whose work is given away, does "
        "not",
        f"reproduced when, over every interface measured, the p99 of the lateness is above {SLOW_SHARE:g} × of the "
        f"slow callback's time, and below {CURED_SHARE:g} × of it both in pieces and in a thread, of timers and of "
        "receives (limits of ours)",
        statements))
