# SPDX-License-Identifier: MIT
"""The timeline: every operation of a short run, one lane an engine, on a common time axis."""
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

import results
import sheet
import style
from quantities import duration, tick

NAME = "timeline"
FILE = "timeline.json"
SCHEMA = "iolab.timeline.v1"
MADE_BY = "build/iolab timeline --out FOLDER"
TITLE = "Timeline: computing and I/O"
READING = ("One lane an engine, all on the same time axis. Upper row: the thread of the loop, which "
           "computes for every operation that came back. Below: operations in flight, from the "
           "moment at which they were offered until the program had them back")
CAPTION = ("A trace of every operation. The upper row of a lane is the thread of the event loop; "
           "the narrow one below it, where there is one, all other threads of the process while "
           "they are on a CPU; then one row for each operation that can be in flight. Where "
           "computing and bars lie above each other, computing and I/O overlap.")

LOOP_IN = 0.11  # height of the loop's row
OTHERS_IN = 0.055
SLOT_IN = 0.042
SLOTS_MAX_IN = 0.5  # all slots together; with many the rows become thinner
HEAD_IN = 0.19
GAP_IN = 0.09
LABEL_IN = 0.4
LABEL_PT = 5.5


def load(folder):
    return results.load_document(folder, FILE, SCHEMA, MADE_BY)


def draw(document, width_in=sheet.WIDE_IN, bare=False):
    def place(page):
        add_key(page)
        lanes = document.content["lanes"]
        last = [lane for lane in lanes if lane["trace"]][-1:]
        for lane in lanes:
            add_lane(page, lane, document.content["length_ns"], [lane] == last)

    return sheet.compose_document(document, TITLE, reading(document), place, width_in, bare,
                                  foot=(condition(document),))


def condition(document):
    """What was run, from the first lane that ran."""
    for lane in document.content["lanes"]:
        if lane["trace"]:
            config = lane["config"]
            words = f"{lane['workload']['panel']}, depth {config['depth']}"
            return words if "compute" in words else (
                f"{words}, {config['compute_us']:g} µs of computing an operation")
    return document.content["panel"]


def reading(document):
    return f"{condition(document)}. {READING}"


def alt_text(document):
    words = [lane_words(lane) for lane in document.content["lanes"]]
    return f"{TITLE}. " + "; ".join(words) + "."


def lane_words(lane):
    label = lane["engine"]["label"]
    if not lane["trace"]:
        return f"{label}: {lane['status']}: {lane['reason']}"
    totals = lane["trace"]["totals"]
    words = f"{label}: {totals['ops']} done, computing {totals['compute_pct']:.0f} %"
    if totals["overlapped_pct"] is not None:
        words += f", overlapped {totals['overlapped_pct']:.0f} %"
    return words


def add_key(page):
    """What the bars are, each drawn once."""
    entries = [("compute", "computing"), ("submit", "inside submit()"),
               ("wait", "waiting or in reap()"), ("flight", "an operation in flight"),
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
        "submit": {"facecolor": "white", "edgecolor": colour, "hatch": "//////", "linewidth": 0.5},
        "wait": {"facecolor": "white", "edgecolor": style.FAINT, "linewidth": 0.5},
        "flight": {"facecolor": lightened(colour), "edgecolor": colour, "linewidth": 0.4},
        "others": {"facecolor": colour, "edgecolor": "none"},
    }
    if ranges:
        axes.broken_barh(ranges, (low, height), **looks[kind])


def lightened(colour):
    parts = [int(colour[i:i + 2], 16) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(255 - (255 - part) * 0.35):02x}" for part in parts)


def rows_of(lane):
    """Heights in inches: the loop, other threads, one slot. None where a row is missing."""
    depth = lane["config"]["depth"]
    others = [t for t in lane["trace"]["threads"] or [] if not t["loop"]]
    return LOOP_IN, OTHERS_IN if others else None, min(SLOT_IN, SLOTS_MAX_IN / depth)


def add_lane(page, lane, length_ns, is_last):
    label = lane["engine"]["label"]
    page.add(HEAD_IN, lambda top_in: head(page, lane, top_in + HEAD_IN / 2))
    if not lane["trace"]:
        page.message(f"{lane['status']}: {lane['reason']}")
        page.add(GAP_IN)
        return
    loop_in, others_in, slot_in = rows_of(lane)
    depth = lane["config"]["depth"]
    height_in = loop_in + 0.02 + (others_in + 0.02 if others_in else 0) + slot_in * depth
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
        texts = [("loop", y_in), ("in flight", top_in + height_in - slot_in * depth / 2)]
        if others_in:
            texts.append(("others", top_in + loop_in + 0.02 + others_in / 2))
        for words, y_in in texts:
            page.text(left_in - 0.04, y_in, words, fontsize=LABEL_PT, ha="right", color=style.GREY)

    page.add(height_in, place)
    page.add(0.22 if is_last else GAP_IN)


def head(page, lane, y_in):
    """The engine's name, and what its lane amounts to."""
    label = lane["engine"]["label"]
    page.text(sheet.EDGE_IN, y_in, label, fontsize=sheet.HEADING_PT, weight="bold",
              color=style.look_of(label).colour if lane["trace"] else style.GREY)
    if lane["trace"]:
        name_in = sheet.text_width_in(label, sheet.HEADING_PT, "bold")
        page.text(sheet.EDGE_IN + name_in + 0.1, y_in, lane_words(lane).partition(": ")[2],
                  fontsize=sheet.NOTE_PT, color=style.GREY)


def paint_lane(axes, lane, colour, length_ns):
    trace = lane["trace"]
    loop_in, others_in, slot_in = rows_of(lane)

    def clipped(begin, end):
        begin, end = max(begin, 0), min(end, length_ns)
        return [(begin, end - begin)] if begin < end else []

    draw_bars(axes, "wait", [(0, length_ns)], 0, loop_in, colour)
    for activity in ("compute", "submit"):
        ranges = [bar for kind, begin, end in trace["loop"] if kind == activity
                  for bar in clipped(begin, end)]
        draw_bars(axes, activity, ranges, 0, loop_in, colour)
    top = loop_in + 0.02
    if others_in:
        ranges = [bar for thread in trace["threads"] if not thread["loop"]
                  for _, begin, end in thread["on_cpu"] for bar in clipped(begin, end)]
        draw_bars(axes, "others", ranges, top, others_in, colour)
        top += others_in + 0.02
    by_slot = {}
    for slot, offered, _, completed in trace["operations"]:
        by_slot.setdefault(slot, []).extend(clipped(offered, completed))
    for slot, ranges in by_slot.items():
        draw_bars(axes, "flight", ranges, top + slot * slot_in, slot_in * 0.8, colour)
