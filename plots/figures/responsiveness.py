# SPDX-License-Identifier: MIT
"""Responsiveness: how late a timer is in the thread that does the I/O."""
from matplotlib.ticker import FixedLocator

from drawing import charts, sheet, style
from drawing.figure import DocumentFigure
from readings import remarks, shape, verdicts
from readings.documents import document_shape
from readings.estimates import WHOLE_ESTIMATE, Estimate
from readings.quantities import duration, tick

PARTS = ("p50", "p99", "max")
NO_IO = "no I/O"  # of the row without an engine, in which none is outstanding
LEAST_NS = 1000  # the scale begins here at the latest
TITLE = "Responsiveness: a timer beside the I/O"
SCENE = "socket"  # whose wait is known: the answer comes after several ticks

_ROW = shape.record({
    "engine": shape.nullable(shape.record({"label": shape.text})), "scene": shape.text, "status": shape.text,
    "reason": shape.nullable(remarks.SHAPE),
    "lateness_ns": shape.nullable(shape.map_of(shape.nullable(WHOLE_ESTIMATE)))})
_MEASURED = shape.record({"lateness_ns": shape.record({part: WHOLE_ESTIMATE for part in PARTS})})


def _row(value, place):
    _ROW(value, place)
    if value["status"] == "ok":
        _MEASURED(value, place)


SHAPE = document_shape({
    "runtime_s": shape.number, "tick_ns": shape.above_zero,
    "scenes": shape.list_of(shape.record({"name": shape.text, "words": shape.text})),
    "rows": shape.list_of(_row)})


def label_of(row):
    return row["engine"]["label"] if row["engine"] else NO_IO


def lateness(document, label):
    """In the median, with a receive outstanding; None where it was not measured."""
    for row in document.content["rows"]:
        if (label_of(row), row["scene"], row["status"]) == (label, SCENE, "ok"):
            return verdicts.measured(row["lateness_ns"]["p50"], duration)
    return None


def statements(document):
    tick_ns = document.content["tick_ns"]

    def what(label):
        return f"{label}: the median tick's lateness"

    return [verdicts.above(what("blocking"), lateness(document, "blocking"), tick_ns)] + [
        verdicts.below(what(label), lateness(document, label), tick_ns)
        for label in ("epoll", "io_uring")]


def describe(document):
    words = [f"{label_of(row)} on {row['scene']}: p99 "
             f"{duration(row['lateness_ns']['p99']['median'])}"
             for row in document.content["rows"] if row["status"] == "ok"]
    return f"{TITLE}: {'; '.join(words)}."


def place(page, document):
    content = document.content
    reference = [row for row in content["rows"] if not row["engine"]]
    found = [e[end] for row in content["rows"] for e in (row["lateness_ns"] or {}).values() if e
             for end in ("low", "high")]
    limits = (max(min(found + [LEAST_NS]), 1) / 1.3, max(found + [2 * content["tick_ns"]]) * 1.3)
    for scene in content["scenes"]:
        rows = reference + [row for row in content["rows"]
                            if row["scene"] == scene["name"] and row not in reference]
        page.add(0.06)
        page.paragraph(f"{scene['name']}: {scene['words']}", size_pt=sheet.HEADING_PT, line_in=0.17,
                       weight="bold")
        labels = [label_of(row) for row in rows]
        cell = sheet.Cell(lambda axes, rows=rows: paint(axes, rows, limits, content["tick_ns"]))
        page.plan(sheet.Plan([cell], "lateness", rows=labels))
        for row in rows:
            if row["status"] != "ok":
                page.note("×", f"{label_of(row)}: {row['status']}: {row['reason']}")


def condition(document):
    content = document.content
    return f"a timer of {tick(content['tick_ns'], duration)}, runs of {content['runtime_s']:g} s"


def paint(axes, rows, limits, tick_ns):
    charts.scale_durations(axes, limits)
    axes.axvline(tick_ns, color=style.GREY, linewidth=0.8, linestyle=style.DASHED, zorder=1)
    for i, row in enumerate(rows):
        if row["status"] == "ok":
            paint_row(axes, i, row)
        else:
            axes.text(0.012, i, row["status"], transform=axes.get_yaxis_transform(),
                      va="center_baseline", fontsize=6.5, style="italic", color=style.GREY)
    axes.set_ylim(len(rows) - 0.3, -0.7)
    axes.yaxis.set_major_locator(FixedLocator(range(len(rows))))
    axes.set_yticklabels([label_of(row) for row in rows])
    axes.tick_params(axis="y", length=0)


def look_of(row):
    return style.look_of(label_of(row)) if row["engine"] else style.Look(style.GREY, style.SOLID, "|")


def paint_row(axes, i, row):
    look = look_of(row)
    medians = [row["lateness_ns"][part]["median"] for part in PARTS]
    axes.plot([max(m, 1) for m in medians], [i] * len(medians), color=look.colour, linewidth=0.5,
              alpha=0.6, zorder=2)
    for part, median in zip(PARTS, medians):
        entry = row["lateness_ns"][part]
        charts.draw_bar(axes, "x", i, Estimate(median, max(entry["low"], 1), entry["high"]),
                        look.colour, width_pt=1.4)
        keywords = look.marker_keywords(5)
        if part == "p99":
            keywords.update(marker="o", markersize=4, markerfacecolor="white")
        if part == "max":
            keywords.update(marker="x", markersize=4)
        axes.plot([max(median, 1)], [i], linestyle="none", zorder=3, **keywords)


FIGURE = DocumentFigure(
    name="responsiveness",
    title=TITLE,
    subtitle="How late a timer of one millisecond is in the thread that keeps I/O outstanding",
    caption="How late a timer of one millisecond is in the thread that keeps I/O outstanding: what a user "
            "interface would feel.",
    reading="Marks: p50, p99 (ring) and the latest (cross), medians over the rounds. Beyond the line at 1 ms "
            "the next tick is due before this one is seen.",
    file="responsiveness.json",
    schema="iolab.responsiveness.v2",
    made_by="build/iolab responsiveness --out FOLDER",
    shape=SHAPE,
    place=place,
    describe=describe,
    condition=condition,
    legend=lambda document: ["filled mark: how late it is in the median; ring: one in a hundred is later; "
                             "cross: the latest of a run"],
    claim=verdicts.Claim(
        "recv(2), epoll_wait(2), io_uring_enter(2); the rule of every event loop never to block",
        "a thread that sits in a blocking call comes late to everything else; one that waits for I/O and "
        "timer together does not",
        "reproduced when, with a receive outstanding, half of blocking's ticks or more are seen only after "
        "the next one was due, and those of epoll and of io_uring are not",
        statements))
