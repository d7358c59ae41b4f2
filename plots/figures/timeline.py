# SPDX-License-Identifier: MIT
"""The timeline: every operation of a short run, one lane an engine, on a common time axis."""
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from drawing import sheet, style
from drawing.figure import DocumentFigure
from readings import remarks, shape, verdicts, work
from readings.documents import document_shape
from readings.estimates import WHOLE_ESTIMATE
from readings.quantities import DASH, NO_BREAK, duration, rounds, span, tick

TITLE = "Timeline: computing and I/O"

LOOP_IN = 0.11  # height of the loop's row
OTHERS_IN = 0.055
SLOT_IN = 0.085
SLOTS_MAX_IN = 0.5  # all rows together; with many they become thinner
HEAD_IN = 0.19
GAP_IN = 0.09
LABEL_IN = 0.4
LABEL_PT = 5.5
FASTER = 1  # an engine counts as done sooner above this many times blocking's speed

_STRETCH = shape.row_of(shape.text, shape.number, shape.number)
_SPEED = shape.record({"mean": shape.number, "low": shape.number, "high": shape.number,
                       "count": shape.count})
_COUNTED = shape.record({"median": shape.number, "low": shape.number, "high": shape.number,
                         "count": shape.count})
_TRACED = shape.record({
    "config": shape.record({"depth": shape.count, "compute_us": shape.number}),
    "workload": shape.record({"panel": work.SHAPE}),
    "trace": shape.record({
        "operations": shape.list_of(shape.row_of(*[shape.number] * 4)),
        "loop": shape.list_of(_STRETCH), "calls": shape.nullable(shape.list_of(_STRETCH)),
        "threads": shape.nullable(shape.list_of(shape.record({
            "loop": shape.flag, "on_cpu": shape.list_of(shape.row_of(*[shape.number] * 3))}))),
        "threads_reason": shape.nullable(remarks.SHAPE)}),
    "run": shape.record({
        "op_ns": _COUNTED, "baseline": shape.text, "speed": shape.nullable(_SPEED),
        "held_computing": shape.nullable(WHOLE_ESTIMATE), "in_calls_pct": WHOLE_ESTIMATE,
        "working_pct": shape.nullable(WHOLE_ESTIMATE), "blocked_pct": shape.nullable(WHOLE_ESTIMATE)})})
_LANE = shape.record({
    "engine": shape.record({"label": shape.text}), "status": shape.text,
    "reason": shape.nullable(remarks.SHAPE), "warnings": shape.list_of(remarks.SHAPE),
    "trace": shape.nullable(shape.anything)})


def _lane(value, place):
    _LANE(value, place)
    if value["trace"] is not None:
        _TRACED(value, place)
        both = [value["run"]["working_pct"], value["run"]["blocked_pct"]]
        shape.one_of(0, 2)(sum(of is None for of in both), f"{place}.run: of working_pct and blocked_pct, "
                           "the number that is null")


SHAPE = document_shape({
    "rounds": shape.count, "length_ns": shape.above_zero, "panel": shape.nullable(work.SHAPE),
    "lanes": shape.list_of(_lane)})


def speed_of(document, label):
    """How many times as fast as blocking, round by round; None where the rounds do not tell."""
    for lane in document.content["lanes"]:
        if lane["engine"]["label"] == label and lane["trace"] and lane["run"]["speed"]:
            speed = lane["run"]["speed"]
            return verdicts.Measured(speed["mean"], speed["low"], speed["high"], times, speed["count"])
    return None


def decimal(value):
    return f"{value:.1f}"


def percent(value):
    return f"{value:.0f}{NO_BREAK}%"


def times(value):
    return f"{value:.2f}{NO_BREAK}×"


def statements(document):
    return [verdicts.above(f"{label}: speed relative to blocking", speed_of(document, label), FASTER)
            for label in ("libaio", "io_uring")]


def place(page, document):
    add_key(page)
    lanes = document.content["lanes"]
    last = [lane for lane in lanes if lane["trace"]][-1:]
    for lane in lanes:
        add_lane(page, lane, document.content["length_ns"], [lane] == last)
    for reason in unknown_calls(document):
        page.note("!", f"Working and blocked are not told apart in what is drawn: {reason}")
    for lane in lanes:
        if lane["trace"] and lane["run"]["op_ns"]["count"] < document.content["rounds"]:
            page.note("!", f"{lane['engine']['label']}: {'; '.join(map(str, lane['warnings']))}")


def unknown_calls(document):
    """Why it is not known what the thread did in its calls, each reason once."""
    return list(dict.fromkeys(lane["trace"]["threads_reason"] for lane in document.content["lanes"]
                              if lane["trace"] and lane["trace"]["calls"] is None))


def condition(document):
    """What was run, from the first lane that ran."""
    for lane in document.content["lanes"]:
        if lane["trace"]:
            config = lane["config"]
            words = f"{lane['workload']['panel']['text']}, depth {config['depth']}"
            return words if config["compute_us"] else f"{words}, without computing"
    return (document.content["panel"] or {}).get("text", "")


def legend(document):
    """How to read the numbers, for a figure that stands alone."""
    return [f"numbers: median of {rounds(document.content['rounds'])} with its interval in brackets (of speeds the "
            "mean, with Student's t, 95 %); drawn is the round whose time for an operation is the median"]


def describe(document):
    return f"{TITLE}. " + "; ".join(map(lane_words, document.content["lanes"])) + "."


def lane_words(lane):
    label = lane["engine"]["label"]
    if not lane["trace"]:
        return f"{label}: {lane['status']}: {lane['reason']}"
    return f"{label}: " + "; ".join(figures_of(lane))


def spanned(entry, as_text):
    """26 % (24–29 %): the median of the rounds and its interval."""
    if as_text(entry["low"]) == as_text(entry["high"]):
        return as_text(entry["median"])
    return f"{as_text(entry['median'])} ({span(entry['low'], entry['high'], as_text)})"


def figures_of(lane):
    """What a lane amounts to over the rounds: first what is seen in it, then what came of it."""
    run = lane["run"]
    words = []
    if run["held_computing"]:
        words.append(f"held {spanned(run['held_computing'], decimal)} of {lane['config']['depth']} while computing")
    if run["blocked_pct"]:
        words.append(f"working in calls {spanned(run['working_pct'], percent)}, blocked "
                     f"{spanned(run['blocked_pct'], percent)}")
    else:
        words.append(f"in calls {spanned(run['in_calls_pct'], percent)}")
    words.append(f"{spanned(run['op_ns'], duration)} an operation")
    if run["speed"] and lane["engine"]["label"] != run["baseline"]:
        speed = run["speed"]
        words[-1] += (f", {times(speed['mean'])} as fast as {run['baseline']} "
                      f"({speed['low']:.2f}{DASH}{speed['high']:.2f})")
    return words


def add_key(page):
    """What the bars are, each drawn once."""
    entries = [("compute", "computing"), ("working", "working in a call"),
               ("blocked", "blocked in a call"), ("held", "an operation that the engine holds"),
               ("others", "another thread on a CPU")]
    box_in, gap_in = 0.16, 0.14
    lines, x_in = [[]], sheet.EDGE_IN
    for kind, words in entries:
        wide_in = box_in + 0.06 + sheet.text_width_in(words, sheet.NOTE_PT)
        if x_in + wide_in > page.width_in - sheet.EDGE_IN and lines[-1]:
            lines.append([])
            x_in = sheet.EDGE_IN
        lines[-1].append((x_in, kind, words))
        x_in += wide_in + gap_in

    def place(top_in, line):
        for x_in, kind, words in line:
            axes = page.axes(x_in, top_in + 0.025, box_in, 0.085)
            axes.axis("off")
            axes.set(xlim=(0, 1), ylim=(0, 1))
            draw_bars(axes, kind, [(0, 1)], 0, 1, style.GREY)
            page.text(x_in + box_in + 0.05, top_in + sheet.LINE_IN / 2, words,
                      fontsize=sheet.NOTE_PT, color=style.GREY)

    for line in lines:
        page.add(sheet.LINE_IN, lambda top_in, line=line: place(top_in, line))
    page.add(0.05)


def draw_bars(axes, kind, ranges, low, height, colour):
    """Bars (begin, length) of one kind. Tone and hatching tell them apart, colour is the engine's."""
    looks = {
        "compute": {"facecolor": style.INK, "edgecolor": "none"},
        "working": {"facecolor": "white", "edgecolor": style.GREY, "hatch": "///////", "linewidth": 0.5},
        "blocked": {"facecolor": style.GREY, "edgecolor": "none"},
        "unknown": {"facecolor": style.FAINT, "edgecolor": style.GREY, "linewidth": 0.5},
        "held": {"facecolor": lightened(colour), "edgecolor": colour, "linewidth": 0.4},
        "others": {"facecolor": colour, "edgecolor": "none"},
    }
    if kind == "blocked":  # a thin line: the thread is not there
        low, height = low + 0.4 * height, 0.2 * height
    if ranges:
        axes.broken_barh(ranges, (low, height), **looks[kind])


def lightened(colour):
    parts = [int(colour[i:i + 2], 16) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(255 - (255 - part) * 0.35):02x}" for part in parts)


def held_rows(lane, length_ns):
    """(row, begin, end) of each operation in the piece, in as few rows as there are operations held
    at once: so a gap in time is a gap in the picture, and blocking has one row."""
    ends, placed = [], []
    for _, offered, _, completed in sorted(lane["trace"]["operations"], key=lambda op: op[1]):
        if offered >= length_ns or completed <= 0:
            continue
        row = next((i for i, end in enumerate(ends) if end <= offered), len(ends))
        ends[row:row + 1] = [completed]
        placed.append((row, max(offered, 0), min(completed, length_ns)))
    return placed


def rows_of(lane, length_ns):
    """Heights in inches: the loop, other threads (None where there are none), one operation's row; and
    how many of the latter."""
    count = max((row + 1 for row, _, _ in held_rows(lane, length_ns)), default=1)
    others = [t for t in lane["trace"]["threads"] or [] if not t["loop"]]
    return LOOP_IN, OTHERS_IN if others else None, min(SLOT_IN, SLOTS_MAX_IN / count), count


def add_lane(page, lane, length_ns, is_last):
    label = lane["engine"]["label"]
    head(page, lane)
    if not lane["trace"]:
        page.message(f"{lane['status']}: {lane['reason']}")
        page.add(GAP_IN)
        return
    loop_in, others_in, slot_in, count = rows_of(lane, length_ns)
    height_in = loop_in + 0.02 + (others_in + 0.02 if others_in else 0) + slot_in * count
    colour = style.look_of(label).colour

    def place(top_in):
        left_in = sheet.EDGE_IN + LABEL_IN
        axes = page.axes(left_in, top_in, page.width_in - left_in - 0.2, height_in)
        axes.set(xlim=(0, length_ns), ylim=(height_in, 0))  # downwards, in inches
        paint_lane(axes, lane, colour, length_ns)
        for side in ("left", "top", "right"):
            axes.spines[side].set_visible(False)
        axes.spines["bottom"].set_color(style.FAINT)
        axes.yaxis.set_major_locator(NullLocator())
        axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: tick(v, duration)))
        axes.grid(True, axis="x")
        axes.tick_params(labelbottom=is_last, length=2 if is_last else 0)
        y_in = top_in + loop_in / 2
        texts = [("loop", y_in), ("held", top_in + height_in - slot_in * count / 2)]
        if others_in:
            texts.append(("others", top_in + loop_in + 0.02 + others_in / 2))
        for words, y_in in texts:
            page.text(left_in - 0.04, y_in, words, fontsize=LABEL_PT, ha="right", color=style.GREY)

    page.add(height_in, place)
    page.add(0.22 if is_last else GAP_IN)


def head(page, lane):
    """The engine's name, and what its lane amounts to: beside it, or below where that is too wide."""
    label = lane["engine"]["label"]
    shown = sheet.fitted(label, page.width_in - 2 * sheet.EDGE_IN, sheet.HEADING_PT, "bold")
    page.add(HEAD_IN, lambda top_in: page.text(
        sheet.EDGE_IN, top_in + HEAD_IN / 2, shown, fontsize=sheet.HEADING_PT, weight="bold",
        color=style.look_of(label).colour if lane["trace"] else style.GREY))
    if not lane["trace"]:
        return
    words = "; ".join(figures_of(lane))
    left_in = sheet.EDGE_IN + sheet.text_width_in(label, sheet.HEADING_PT, "bold") + 0.1
    if left_in + sheet.text_width_in(words, sheet.NOTE_PT) > page.width_in - sheet.EDGE_IN:
        page.paragraph(words, color=style.GREY)
        page.add(0.03)
        return
    page.add(0, lambda top_in: page.text(left_in, top_in - HEAD_IN / 2, words, fontsize=sheet.NOTE_PT,
                                         color=style.GREY))


def paint_lane(axes, lane, colour, length_ns):
    trace = lane["trace"]
    loop_in, others_in, slot_in, _ = rows_of(lane, length_ns)

    def clipped(begin, end):
        begin, end = max(begin, 0), min(end, length_ns)
        return [(begin, end - begin)] if begin < end else []

    activities = [(kind if kind == "compute" else "unknown", begin, end)
                  for kind, begin, end in trace["loop"] if kind == "compute" or trace["calls"] is None]
    activities += trace["calls"] or []
    for activity in ("compute", "working", "blocked", "unknown"):
        ranges = [bar for kind, begin, end in activities if kind == activity
                  for bar in clipped(begin, end)]
        draw_bars(axes, activity, ranges, 0, loop_in, colour)
    top = loop_in + 0.02
    if others_in:
        ranges = [bar for thread in trace["threads"] if not thread["loop"]
                  for _, begin, end in thread["on_cpu"] for bar in clipped(begin, end)]
        draw_bars(axes, "others", ranges, top, others_in, colour)
        top += others_in + 0.02
    by_row = {}
    for row, begin, end in held_rows(lane, length_ns):
        by_row.setdefault(row, []).append((begin, end - begin))
    for row, ranges in by_row.items():
        draw_bars(axes, "held", ranges, top + row * slot_in, slot_in * 0.8, colour)


FIGURE = DocumentFigure(
    name="timeline",
    title=TITLE,
    subtitle="Every operation of a short run: one lane for each engine, all on the same time axis",
    caption="A trace of every operation: what the loop's thread did, and which operations the engine held.",
    reading="The upper row of a lane is the thread of the event loop: it computes (black), works in a call "
            "(hatched) or is blocked in one (a thin line). The narrow row below it, where there is one, is all "
            "other threads of the process while they are on a CPU. Then come the operations that the engine "
            "held, from the moment at which they were offered. A bar ends when the program learns of it; the "
            "device may have been done earlier. So where computing and bars lie above each other, computing and "
            "I/O may overlap; the total time says whether. With blocking there is a gap below each computing, "
            "and the device has nothing to do. “Held while computing” is a mean over the time in which the "
            "thread computed. It follows from the interface (an engine that accepts 8 and returns one at a time "
            "holds 7), does not tell how many the device was busy with, and is not judged. “Working” and "
            "“blocked” are shares of the time that the thread spent in the engine's calls, on a CPU and off it. "
            "Time for an operation is the time of the whole run, its computing included.",
    file="timeline.json",
    schema="iolab.timeline.v3",
    made_by="build/iolab timeline --out FOLDER",
    shape=SHAPE,
    place=place,
    describe=describe,
    condition=condition,
    legend=legend,
    claim=verdicts.Claim(
        "read(2), io_submit(2), io_uring_enter(2); Jasny et al., PVLDB 19, 2026: POSIX calls 16.5 thousand "
        "transactions/s, io_uring one at a time 16.6, with many in flight 184",
        "a thread that hands its I/O over and computes meanwhile is done sooner than one that calls and waits",
        "reproduced when libaio and io_uring both do an operation, its computing included, at a speed above "
        f"{FASTER:g} × blocking's in the same round. The limit is ours: the source's number is for other work",
        statements))
