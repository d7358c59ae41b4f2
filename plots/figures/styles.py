# SPDX-License-Identifier: MIT
"""Styles of programming: what promises and await add to callbacks, beside what an operation costs."""
from matplotlib.ticker import FixedLocator

from drawing import charts, sheet, style
from drawing.figure import DocumentFigure
from readings import remarks, shape, verdicts
from readings.documents import document_shape
from readings.estimates import WHOLE_ESTIMATE, Estimate
from readings.quantities import duration

TITLE = "Styles of programming: what a layer adds"
REFERENCE = "callbacks"
NO_KERNEL = "memory"  # of rows without an engine
ALONE, ALONE_LABEL = "blocking", "blocking calls"  # a style that needs none
SHARE = 0.1  # of an operation, for a verdict
LEAST_NS = 1  # the scale begins here: what is less, or below 0, is drawn here

FIGURES = ("op_ns", "cpu_ns")
_ROW = shape.record({
    "engine": shape.nullable(shape.record({"label": shape.text})), "style": shape.text, "status": shape.text,
    "reason": shape.nullable(remarks.SHAPE), "warnings": shape.list_of(remarks.SHAPE),
    **{key: shape.nullable(WHOLE_ESTIMATE) for key in (*FIGURES, "added_ns")}})
_MEASURED = shape.record({key: WHOLE_ESTIMATE for key in FIGURES})


def _row(value, place):
    _ROW(value, place)
    if value["status"] == "ok":
        _MEASURED(value, place)


SHAPE = document_shape({
    "runtime_s": shape.number, "lanes": shape.above_zero, "blocks": shape.above_zero,
    "block_bytes": shape.above_zero, "rows": shape.list_of(_row),
    "layers": shape.list_of(shape.record({"reason": shape.nullable(remarks.SHAPE)}))})


def label_of(row):
    if row["engine"]:
        return row["engine"]["label"]
    return ALONE_LABEL if row["style"] == ALONE else NO_KERNEL


def measured(document):
    return [row for row in document.content["rows"] if row["status"] == "ok"]


def added(document):
    """Over memory, where nothing but the layer differs."""
    return [row for row in measured(document) if label_of(row) == NO_KERNEL and row["added_ns"]]


def costs(document):
    """What an operation costs, with callbacks over each engine and with blocking calls."""
    return [row for row in measured(document)
            if label_of(row) == ALONE_LABEL or (row["engine"] and row["style"] == REFERENCE)]


def statements(document):
    found = [row["cpu_ns"]["median"] for row in costs(document) if row["engine"]]
    if not found or not added(document):
        return [verdicts.unknown("what a style adds, beside an operation of the cheapest engine", None)]
    return [verdicts.below(f"{row['style']}: CPU that it adds to an operation",
                           verdicts.measured(row["added_ns"], duration), SHARE * min(found))
            for row in added(document)]


def describe(document):
    words = [f"{row['style']} adds {duration(row['added_ns']['median'])}" for row in added(document)]
    words += [f"an operation of {label_of(row)} costs {duration(row['cpu_ns']['median'])}"
              for row in costs(document)]
    return f"{TITLE}: {'; '.join(words)}."


def condition(document):
    content = document.content
    return (f"an index of {content['blocks']} blocks of {content['block_bytes']} bytes, {content['lanes']} at a "
            f"time, runs of {content['runtime_s']:g} s")


def bars(document):
    """(label, estimate, look) of each bar, from top to bottom."""
    grey = style.Look(style.GREY, style.SOLID, "D")
    return ([(f"{row['style']}: added", row["added_ns"], grey) for row in added(document)] +
            [(label_of(row), row["cpu_ns"], style.look_of(label_of(row)) if row["engine"] else grey)
             for row in costs(document)])


def place(page, document):
    drawn = bars(document)
    cell = sheet.Cell(lambda axes: paint(axes, drawn))
    page.plan(sheet.Plan([cell], "CPU for an operation", rows=[label for label, _, _ in drawn]))
    told = set()
    for row in document.content["rows"]:
        label = label_of(row)
        if row["status"] != "ok" and label not in told:
            told.add(label)
            page.note("×", f"{label}: {row['status']}: {row['reason']}")


def paint(axes, drawn):
    ends = [value[end] for _, value, _ in drawn for end in ("median", "high")]
    charts.scale_durations(axes, (LEAST_NS / 1.3, max([*ends, 10 * LEAST_NS]) * 1.5))
    for i, (_, value, look) in enumerate(drawn):
        median, low, high = (max(value[key], LEAST_NS) for key in ("median", "low", "high"))
        charts.draw_bar(axes, "x", i, Estimate(median, low, high), look.colour, width_pt=1.4)
        axes.plot([median], [i], linestyle="none", zorder=3, **look.marker_keywords(5))
    axes.set_ylim(len(drawn) - 0.3, -0.7)
    axes.yaxis.set_major_locator(FixedLocator(range(len(drawn))))
    axes.set_yticklabels([label for label, _, _ in drawn])
    axes.tick_params(axis="y", length=0)


FIGURE = DocumentFigure(
    name="styles",
    title=TITLE,
    subtitle="What promises and await add to the CPU of an operation, beside what an operation costs",
    caption="What promises and await add to callbacks, measured without a kernel, and what an operation of the "
            "same job costs over each interface.",
    reading="Above: CPU that a style adds to callbacks, over an engine that copies within memory. Below: CPU of an "
            "operation of the job with callbacks over each interface, and with blocking calls. The axis is "
            "logarithmic; what is 1 ns or less stands at its left end.",
    file="styles.json",
    schema="iolab.styles.v1",
    made_by="build/iolab styles --out FOLDER",
    shape=SHAPE,
    place=place,
    describe=describe,
    condition=condition,
    legend=lambda document: ["marks: medians; bars: intervals over the rounds"],
    claim=verdicts.Claim(
        "Adya et al. 2002, USENIX ATC, Cooperative Task Management Without Manual Stack Management",
        "straight code over an event loop does not lose what events gain: a layer costs little beside the I/O",
        f"reproduced when, without a kernel, promises and both kinds of await add less than {SHARE:g} × of the CPU "
        "that an operation costs with callbacks over the cheapest interface measured (a limit of ours)",
        statements))
