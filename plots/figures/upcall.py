# SPDX-License-Identifier: MIT
"""The upcall: one operation's way through the kernel and back to the thread, in legs."""
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

from drawing import sheet, style
from drawing.figure import DocumentFigure
from readings import quantities, remarks, shape, verdicts
from readings.documents import document_shape
from readings.estimates import WHOLE_ESTIMATE
from readings.quantities import duration

TITLE = "The upcall: how the kernel brings the news"
# Legs: the moment with which each ends, and its colour. A leg begins where the one before it ended.
LEGS = (
    ("issued", "asking, until the request is issued", "#0072b2"),
    ("interrupt", "the device, until its interrupt", "#c9c9c9"),
    ("completed", "interrupt, softirq, completion", "#d55e00"),
    ("helper_runs", "a helper thread is woken and runs", "#cc79a7"),
    ("woken", "until the loop’s thread is woken", "#e69f00"),
    ("runs", "woken, until it runs", "#009e73"),
    ("taken", "the call returns; what else it takes", "#56b4e9"),
)
BEGINS = {"file": "offered", "socket": "packet"}  # a receive waits for its peer: that wait is not drawn
POSTED = "posted"
STEPS_APART_IN = 0.1
MOST = 0.5  # of the operations: a moment that fewer have is not drawn

_SPREAD = shape.record({"p10": shape.number, "median": shape.number, "p90": shape.number})
_MOMENT = shape.record({
    "name": shape.text, "step": shape.nullable(shape.count), "seen": shape.count,
    "at_ns": shape.nullable(_SPREAD), "leg_ns": shape.nullable(_SPREAD),
    "leg_by_round": shape.nullable(WHOLE_ESTIMATE)})
SHAPE = document_shape({
    "rounds": shape.count, "ops": shape.count,
    "targets": shape.list_of(shape.record({"name": shape.text, "words": shape.text})),
    "moments": shape.list_of(shape.record({"name": shape.text, "words": shape.text, "known_here": shape.flag,
                                           "tracepoint": shape.nullable(shape.text)})),
    "rows": shape.list_of(shape.record({
        "engine": shape.record({"label": shape.text}), "target": shape.text, "status": shape.text,
        "reason": shape.nullable(remarks.SHAPE), "ops": shape.count,
        "moments": shape.nullable(shape.list_of(_MOMENT))}))})


def label_of(row):
    return row["engine"]["label"]


def seen(row):
    """{name: moment} of those that most operations have."""
    return {moment["name"]: moment for moment in row["moments"] or []
            if moment["seen"] > MOST * row["ops"]}


def places(row):
    """{name: when it came}: the median legs of the moments, one after another, from the one at which the
    drawing begins. So the bars agree with the legs also where a moment is missing in some operations."""
    moments, at, found = seen(row), 0, {}
    if row["status"] != "ok" or BEGINS[row["target"]] not in moments:
        return {}
    for name, moment in moments.items():
        at += moment["leg_ns"]["median"] if moment["leg_ns"] else 0
        found[name] = at
    zero = found[BEGINS[row["target"]]]
    return {name: at - zero for name, at in found.items() if at >= zero}


def legs(row):
    """[(begin, end, colour)] in nanoseconds."""
    came, at, found = places(row), 0, []
    for name, _, colour in LEGS:
        if came.get(name, 0) > at:
            found.append((at, came[name], colour))
            at = came[name]
    return found


def steps(row, apart_ns):
    """[(when, numbers)] of the steps, those together that would stand upon each other."""
    came, found = places(row), []
    for at, step in sorted((came[name], moment["step"]) for name, moment in seen(row).items()
                           if moment["step"] and name in came):
        if found and at - found[-1][0] < apart_ns:
            found[-1][1].append(step)
        else:
            found.append((at, [step]))
    return [(at, " ".join(map(str, numbers))) for at, numbers in found]


def of_target(document, name):
    return [row for row in document.content["rows"] if row["target"] == name]


def condition(document):
    content = document.content
    return f"one operation at a time, {quantities.rounds(content['rounds'])} of {content['ops']} operations"


def add_key(page):
    """What the colours are."""
    box_in, gap_in = 0.16, 0.14
    lines, x_in = [[]], sheet.EDGE_IN
    for _, words, colour in LEGS:
        wide_in = box_in + 0.06 + sheet.text_width_in(words, sheet.NOTE_PT)
        if x_in + wide_in > page.width_in - sheet.EDGE_IN and lines[-1]:
            lines.append([])
            x_in = sheet.EDGE_IN
        lines[-1].append((x_in, words, colour))
        x_in += wide_in + gap_in

    def place_line(top_in, line):
        for x_in, words, colour in line:
            axes = page.axes(x_in, top_in + 0.025, box_in, 0.085)
            axes.axis("off")
            axes.set(xlim=(0, 1), ylim=(0, 1), facecolor=colour)
            axes.axhspan(0, 1, color=colour)
            page.text(x_in + box_in + 0.05, top_in + sheet.LINE_IN / 2, words, fontsize=sheet.NOTE_PT,
                      color=style.GREY)

    for line in lines:
        page.add(sheet.LINE_IN, lambda top_in, line=line: place_line(top_in, line))


def place(page, document):
    add_key(page)
    for target in document.content["targets"]:
        rows = of_target(document, target["name"])
        page.add(0.06)
        page.paragraph(f"{target['name']}: {target['words']}", size_pt=sheet.HEADING_PT, line_in=0.17, weight="bold")
        cell = sheet.Cell(lambda axes, rows=rows: paint(axes, rows))
        page.plan(sheet.Plan([cell], "time since " + (
            "submit() was called" if target["name"] == "file" else "the peer’s packet was queued"),
            rows=[label_of(row) for row in rows]))
        done = [row for row in rows if row["status"] == "ok"]
        if done and not any(moment["seen"] for row in done for moment in row["moments"]
                            if moment["name"] == "interrupt"):
            page.note("○", f"{target['name']}: no hardware interrupt in any operation.")
        refused = {}
        for row in rows:
            if row["status"] != "ok":
                refused.setdefault(f"{row['status']}: {row['reason']}", []).append(label_of(row))
        for why, labels in refused.items():
            page.note("×", f"{', '.join(labels)}: {why}")
    for moment in document.content["moments"]:
        if not moment["known_here"] and any(row["status"] == "ok" for row in document.content["rows"]):
            page.note("!", f"This kernel has no tracepoint {moment['tracepoint']}: {moment['words']} is not seen.")


def paint(axes, rows):
    last_ns = max((end for row in rows for _, end, _ in legs(row)), default=1)
    width_in = axes.get_position().width * axes.figure.get_figwidth()
    for i, row in enumerate(rows):
        if row["status"] == "ok":
            paint_row(axes, i, row, STEPS_APART_IN * last_ns / width_in)
        else:
            axes.text(0.012, i, row["status"], transform=axes.get_yaxis_transform(), va="center_baseline",
                      fontsize=6.5, style="italic", color=style.GREY)
    axes.set_xlim(0, 1.06 * last_ns)
    axes.set_ylim(len(rows) - 0.3, -0.8)
    axes.xaxis.set_major_locator(MaxNLocator(6, prune="upper"))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: quantities.tick(value, duration)))
    axes.yaxis.set_major_locator(FixedLocator(range(len(rows))))
    axes.set_yticklabels([label_of(row) for row in rows])
    axes.tick_params(axis="y", length=0)
    axes.grid(True, axis="x")


def paint_row(axes, i, row, apart_ns):
    for begin, end, colour in legs(row):
        axes.plot([begin, end], [i, i], color=colour, linewidth=5.5, solid_capstyle="butt", zorder=2)
    posted = places(row).get(POSTED)
    if posted is not None:
        axes.plot([posted], [i], marker="D", markersize=3.6, color=style.INK, markeredgecolor="white",
                  markeredgewidth=0.5, linestyle="none", zorder=4)
    for at, numbers in steps(row, apart_ns):
        axes.annotate(numbers, (at, i), (0, 3.6), textcoords="offset points", ha="left" if at == 0 else "center",
                      va="bottom", fontsize=5, color=style.INK, zorder=5, annotation_clip=False)


def describe(document):
    words = []
    for row in document.content["rows"]:
        end = places(row).get("taken")
        if end is not None:
            words.append(f"{label_of(row)} on {row['target']}: {duration(end)}")
    return f"{TITLE}: {'; '.join(words)}."


def judged(document):
    """Reads of a file whose completion wakes the loop's thread itself: no helper does, and no thread that polls."""
    def is_direct(row):
        came = places(row)
        return {"interrupt", "woken", "runs"} <= set(came) and "helper_runs" not in came and not (
            came.get(POSTED, came["woken"]) < came["woken"])
    return [row for row in of_target(document, "file") if is_direct(row)]


def statements(document):
    said = []
    for row in judged(document):
        came = places(row)
        said.append(verdicts.above(f"{label_of(row)}: from wake-up to running",
                                   verdicts.measured(seen(row)["runs"]["leg_by_round"], duration),
                                   came["woken"] - came["interrupt"]))
    return said or [verdicts.unknown("a read of a file from its interrupt to its thread", None)]


FIGURE = DocumentFigure(
    name="upcall",
    title=TITLE,
    subtitle="One operation through the kernel, from the call that asks to the call that brings it",
    caption="One operation through the kernel, from the call that asks to the call that brings it, by the kernel’s "
            "tracepoints.",
    reading="Bars are median legs, one after another. Small numbers are the six steps: 1 ask, 2 handle, 3 care, 4 carry on, "
            "5 event, 6 take. The diamond is io_uring’s completion entered in the ring: before the thread is woken "
            "where the kernel’s own thread does it, else by the thread itself once it runs.",
    file="upcall.json",
    schema="iolab.upcall.v1",
    made_by="build/iolab upcall --out FOLDER",
    shape=SHAPE,
    place=place,
    describe=describe,
    condition=condition,
    legend=lambda document: [
        "bars: median legs, one after another; numbers: the six steps (1 ask, 2 handle, 3 care, 4 carry on, 5 event, "
        "6 take; on the socket those before the packet are not drawn); diamond: io_uring’s completion is in the ring"],
    claim=verdicts.Claim(
        "irq, softirq, block and sched tracepoints; no source: an observation of ours",
        "when the device is done, the kernel’s part is short: to bring the woken thread onto a CPU takes longer "
        "than interrupt, softirq and completion together",
        "reproduced when, for every interface that reads the file without a helper thread or one that polls, the "
        "time from wake-up to running is above the median time from interrupt to wake-up (a limit of ours)",
        statements))
