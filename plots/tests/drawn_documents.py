#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""drawn_documents.py FOLDER: do the figures of traces and tables show what their JSON says?

Draws each at every width and counts what is on it: bars, marks, words.
"""
import copy
import os
import re
import sys
from dataclasses import replace

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from drawing import rendering, sheet, style, words
from figures import (depth_one, depth_syscalls, loop_lateness, matrix, operator, operator_timeline, overlap,
                     responsiveness, steps, styles, timeline, upcall)
from pages import literature, nodes
from readings import remarks
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_hex

failures = []


def expect(condition, words):
    if not condition:
        failures.append(words)


def words_of(figure):
    words = [text.get_text() for text in figure.texts]
    for axes in figure.axes:
        words += [text.get_text() for text in axes.texts]
    return re.sub(" +", " ", " ".join(words))


def expect_reasons(figure, name, entries):
    """Whatever did not run is named, with the first word of its reason."""
    said = words_of(figure)
    for entry in entries:
        if entry["status"] != "ok":
            expect(entry["status"] in said, f"{name}: nothing says {entry['status']}")
            expect(str(entry["reason"]).split()[0] in said, f"{name}: a reason is missing")


def check_timeline(document, width_in):
    figure = timeline.FIGURE.draw(document, width_in)
    length_ns = document.content["length_ns"]
    expect_reasons(figure, "timeline", document.content["lanes"])
    lanes = [lane for lane in document.content["lanes"] if lane["trace"]]
    drawn = [axes for axes in figure.axes if axes.get_xlim() == (0, length_ns)]
    expect(len(drawn) == len(lanes), "timeline: not one pair of axes a lane")
    for axes, lane in zip(drawn, lanes):
        label = lane["engine"]["label"]
        bars = {}
        for collection in axes.collections:
            if isinstance(collection, PolyCollection):
                face = to_hex(collection.get_facecolor()[0])
                bars.setdefault(face, []).extend(collection.get_paths())
        held = timeline.lightened(style.look_of(label).colour)
        inside = [op for op in lane["trace"]["operations"] if op[1] < length_ns and op[3] > 0]
        expect(len(bars.get(held, [])) == len(inside),
               f"timeline: {len(bars.get(held, []))} of {len(inside)} operations of {label}")
        computing = [s for s in lane["trace"]["loop"] if s[0] == "compute"]
        expect(len(bars.get(style.INK, [])) >= len(computing),
               f"timeline: computing of {label} is missing")
        # Blocked and working are different kinds of bars, each of them there; blocked is the thinner.
        looks = {"working": "#ffffff", "blocked": to_hex(style.GREY)}
        heights = {}
        for state, face in looks.items():
            there = [call for call in lane["trace"]["calls"] or [] if call[0] == state]
            paths = [p for p in bars.get(face, []) if p.vertices[:, 1].max() <= timeline.LOOP_IN + 1e-9]
            expect(len(paths) == len(there), f"timeline: {len(paths)} of {len(there)} calls {state} of {label}")
            if paths:
                heights[state] = max(p.vertices[:, 1].max() - p.vertices[:, 1].min() for p in paths)
        if len(heights) == 2:
            expect(heights["blocked"] < heights["working"] / 2, "timeline: blocked looks like working")
        # What is held at once lies in different rows, in no more than there are at once.
        rows = {round(path.vertices[:, 1].min(), 6) for path in bars.get(held, [])}
        at_once = max(sum(o <= at < c for _, o, _, c in inside) for _, at, _, _ in inside)
        expect(len(rows) == at_once, f"timeline: {len(rows)} rows for {at_once} at once of {label}")
        expect(timeline.figures_of(lane)[0] in words_of(figure) or width_in < sheet.WIDE_IN,
               f"timeline: what the lane of {label} amounts to is not said")
        begins = {round(path.vertices[:, 0].min(), 3) for path in bars.get(held, [])}
        for _, offered, _, _ in inside:
            expect(max(offered, 0) in begins, f"timeline: {label}: nothing begins at {offered}")


def check_timeline_numbers(document):
    """Numbers are those of all rounds with their interval, and not those of the piece that is drawn."""
    content = copy.deepcopy(document.content)
    lane = next(lane for lane in content["lanes"] if lane["engine"]["label"] == "libaio")
    lane["trace"]["totals"].update(held_computing=88, working_pct=88, blocked_pct=88)
    lane["run"]["working_pct"].update(median=26, low=24, high=29)
    lane["run"]["op_ns"]["count"] = content["rounds"] - 1
    lane["warnings"] = ["round 2 of 5: killed by SIGKILL"]
    words = " ".join(words_of(timeline.FIGURE.draw(replace(document, content=content), sheet.WIDE_IN)).split())
    for text in ("held 7.0 (6.9–7.1) of 8 while computing", "working in calls 26 % (24–29 %)",
                 "as fast as blocking (1.45–1.61)", "libaio: round 2 of 5: killed by SIGKILL"):
        expect(text in words, f"timeline: does not say: {text}: {words}")
    expect("held 88" not in words and "88 %" not in words, "timeline: a number of the drawn piece stands for all rounds")
    expect("follows from the interface" in timeline.FIGURE.reading, "timeline: nothing says what held is worth")


def check_overlap_lost_rounds(document):
    """Where a point has no round, or an engine no point, the rest is drawn, and it is said why."""
    content = copy.deepcopy(document.content)
    one, other = [e for e in content["engines"] if e["engine"]["label"] in ("blocking", "libaio")]
    for points in (one["points"][:1], other["points"]):
        for point in points:
            point.update(dict.fromkeys(("compute_ns", "compute_to_io", "total_to_io", "efficiency", "lost_ns")))
    one["warnings"] = ["round 1 of 5: hung: killed after 60 s"]
    changed = replace(document, content=content)
    words = " ".join(words_of(overlap.FIGURE.draw(changed, sheet.WIDE_IN)).split())
    for text in ("blocking: round 1 of 5: hung: killed after 60 s", "libaio: no round has I, C and T"):
        expect(text in words, f"overlap: does not say: {text}")
    expect("libaio" not in overlap.FIGURE.alt_text(changed) and "blocking overlaps" in overlap.FIGURE.alt_text(changed),
           f"overlap: {overlap.FIGURE.alt_text(changed)}")
    overlap.FIGURE.judge(changed)


def check_unknown_calls(document, width_in):
    """Where the kernel does not tell the switches, calls are neither working nor blocked, and it is said."""
    content = copy.deepcopy(document.content)
    for lane in content["lanes"]:
        if lane["trace"]:
            lane["trace"].update(calls=None, threads=None,
                                 threads_reason=remarks.Remark("perf_refused", "perf_event_open: {errno}", {"errno": "EACCES"}))
            lane["trace"]["totals"].update(working_pct=None, blocked_pct=None)
            lane["run"].update(working_pct=None, blocked_pct=None)
    figure = timeline.FIGURE.draw(replace(document, content=content), width_in)
    words = words_of(figure)
    expect("not told apart here: EACCES: perf refuses" in " ".join(words.split()) or
           "EACCES" in words, "timeline: nothing says why working and blocked are not known")
    expect("working in calls" not in words and "in calls" in words, "timeline: tells what it cannot know")
    grey = [to_hex(c.get_facecolor()[0]) for axes in figure.axes for c in axes.collections
            if axes.get_xlim() == (0, content["length_ns"])]
    expect(to_hex(style.FAINT) in grey and to_hex(style.GREY) not in grey,
           "timeline: calls of which nothing is known look like blocked ones")


def check_overlap(document, width_in):
    figure = overlap.FIGURE.draw(document, width_in)
    expect_reasons(figure, "overlap", document.content["engines"])
    for key, axes in zip(("total_to_io", "efficiency"), figure.axes):
        for engine in overlap.measured(document):
            label = engine["engine"]["label"]
            drawn = {float(y) for line in axes.lines for y in line.get_ydata()
                     if line.get_color() == style.look_of(label).colour}
            across = [line.get_xdata() for line in axes.lines if len(line.get_xdata()) == 2
                      and line.get_color() == style.look_of(label).colour]
            for point in engine["points"]:
                for value in ("median", "low", "high"):
                    expect(point[key][value] in drawn,
                           f"overlap: {value} of {key} of {label} is not drawn")
                ratio = point["compute_to_io"]  # engines are set apart by a factor
                expect(any(abs(high / low - ratio["high"] / ratio["low"]) < 1e-9 for low, high in across),
                       f"overlap: the interval of C / I of {label} is not drawn")
            if width_in >= sheet.WIDE_IN:
                alone = " ".join(f"{label} {overlap.with_interval(engine['io_ns'])}".split())
                expect(alone in " ".join(words_of(figure).split()), f"overlap: I without its interval: {alone}")
    # The bounds meet where they must.
    band = figure.axes[0].lines[:2]
    for bound, line in zip((lambda x: max(1, x), lambda x: 1 + x), band):
        expect(all(abs(bound(x) - y) < 1e-9 for x, y in zip(line.get_xdata(), line.get_ydata())),
               "overlap: a bound is not where it belongs")


def check_matrix(document, width_in):
    figure = matrix.FIGURE.draw(document, width_in)
    texts = [text.get_text() for text in figure.texts]
    for outcome in ("native", "threads", "blocked", "refused"):
        cells = [cell for row in document.content["rows"] for cell in row["cells"].values()
                 if cell["outcome"] == outcome]
        drawn = sum(text == outcome for text in texts)
        drawn -= sum(row["engine"]["label"] == outcome for row in document.content["rows"])
        expect(drawn == len(cells), f"matrix: {drawn} of {len(cells)} cells say {outcome}")
        for cell in cells:
            if cell["agreed"]:
                expect(any(f"{cell['agreed']}/{cell['handover_share']['count']}" in text
                           for text in texts), "matrix: nothing says how many trials agreed")
            if cell["reason"]:
                expect(str(cell["reason"]).split()[0] in " ".join(texts), "matrix: a reason is missing")


def check_matrix_words(document):
    words = words_of(matrix.FIGURE.draw(document, sheet.WIDE_IN))
    for text in ("unless helper threads used 50 % of the CPU time or more", "3 or 9 trials a cell",
                 "not all agreed in 1 of"):
        expect(text in words, f"matrix: does not say: {text}: {words}")


def check_steps(document, width_in):
    figure = steps.FIGURE.draw(document, width_in)
    expect_reasons(figure, "steps", document.content["lanes"])
    lanes = [lane for lane in document.content["lanes"] if lane["status"] == "ok"]
    expect(len(figure.axes) == len(lanes), "steps: not one pair of axes a lane")
    for axes, lane in zip(figure.axes, lanes):
        label = lane["engine"]["label"]
        bars = [line for line in axes.lines if line.get_linewidth() > 2]
        expect(len(bars) == len(lane["calls"]), f"steps: {len(bars)} calls of {label} are drawn")
        words = " ".join(text.get_text() for text in axes.texts)
        at = {text.get_text(): text for text in axes.texts}
        circles = " ".join(text.get_text() for text in axes.texts if text.get_bbox_patch()).split()
        asked = "" if lane["asked_before"] else "1"
        for number in asked + "356":
            expect(number in circles, f"steps: {label} has no step {number}")
        if lane["asked_before"]:
            expect(f"by {lane['asked_before']}" in words_of(figure), f"steps: {label} never asked")
        for call in lane["calls"]:
            expect(not call["steps"] or steps.numbers(call) in at,
                   f"steps: {call['name']} of {label} has no number")
        # Each call is named, in the picture or below it, however narrow that is.
        names = sum(text.get_text() in {call["name"] for call in lane["calls"]} for text in axes.texts)
        expect(names == len(lane["calls"]) or "In order" in words_of(figure),
               f"steps: {names} names for {len(lane['calls'])} calls of {label}")
        learned = [x for x, number, kernel in ((at_ns, n, k) for n, at_ns, k in steps.steps_of(lane))
                   if number == "5" and not kernel]
        expect(learned == [lane["event_ns"]], f"steps: 5 of {label} is not where the thread was told")


def check_responsiveness(document, width_in):
    figure = responsiveness.FIGURE.draw(document, width_in)
    rows = document.content["rows"]
    expect_reasons(figure, "responsiveness", rows)
    for row in rows:
        if row["status"] != "ok":
            continue
        colour = responsiveness.look_of(row).colour
        drawn = {float(x) for axes in figure.axes for line in axes.lines for x in line.get_xdata()
                 if line.get_color() == colour or line.get_markeredgecolor() == colour}
        for part in responsiveness.PARTS:
            for value in ("median", "low", "high"):
                expect(row["lateness_ns"][part][value] in drawn,
                       f"responsiveness: {value} of {part} of {responsiveness.label_of(row)}")


def check_loop_lateness(document, width_in):
    figure = loop_lateness.FIGURE.draw(document, width_in)
    rows = document.content["rows"]
    expect_reasons(figure, "loop_lateness", rows)
    drawn = {float(x) for axes in figure.axes for line in axes.lines for x in line.get_xdata()}
    expect(len(figure.axes) == len(loop_lateness.SAID), "loop_lateness: not one pair of axes a way to compute")
    said = words_of(figure)
    for row in rows:
        for kind in loop_lateness.KINDS if row["status"] == "ok" else ():
            for part in loop_lateness.PARTS:
                for value in ("median", "low", "high"):
                    expect(max(row[kind]["lateness_ns"][part][value], loop_lateness.LEAST_NS) in drawn,
                           f"loop_lateness: {value} of {part} of {loop_lateness.bar_label(row, kind)}")
            expect(loop_lateness.late_words(row, kind) in said, "loop_lateness: a share is not said")


def check_operator(document, width_in):
    figure = operator.FIGURE.draw(document, width_in)
    rows = [row for row in document.content["rows"] if row["engine"]]
    expect_reasons(figure, "operator", rows)
    panels = len(operator.kinds(document)) * len(operator.EMISSIONS)
    expect(len(figure.axes) == 2 * panels, f"operator: {len(figure.axes)} pairs of axes")
    drawn = {float(y) for axes in figure.axes for line in axes.lines for y in line.get_ydata()}
    for row in rows:
        if row["status"] == "ok":
            for what, e in (("rate", row["records_per_s"]), ("p99", row["latency_ns"]["p99"])):
                expect(e["median"] in drawn, f"operator: {what} of {operator.label_of(row)}, {row['capacity']}")
    # Capacity over answer time: a line through the origin of slope 1, as every line of Little's law here.
    for axes in figure.axes[:panels]:
        dashed, = (line for line in axes.lines if line.get_color() == operator.style.GREY)
        (x1, x2), (y1, y2) = dashed.get_xdata(), dashed.get_ydata()
        expect(abs(y2 / y1 - x2 / x1) < 1e-9, "operator: the line is not capacity / answer time")


def check_upcall(document, width_in):
    figure = upcall.FIGURE.draw(document, width_in)
    rows = document.content["rows"]
    expect_reasons(figure, "upcall", rows)
    said = " ".join(text.get_text() for text in figure.texts)
    expect("no hardware interrupt in any operation" in said, "upcall: the absent interrupt is not named")
    expect(all(words in said for _, words, _ in upcall.LEGS), "upcall: a colour without words")
    bars = [(line.get_color(), *map(float, line.get_xdata())) for axes in figure.axes for line in axes.lines
            if len(line.get_xdata()) == 2]
    diamonds = {float(line.get_xdata()[0]) for axes in figure.axes for line in axes.lines if line.get_marker() == "D"}
    for row in rows:
        drawn, came = upcall.legs(row), upcall.places(row)
        if row["status"] != "ok":
            expect(not drawn, "upcall: a row without figures is drawn")
            continue
        expect(drawn[0][0] == 0 and drawn[-1][1] == came["taken"], f"upcall: {row['engine']}: not from end to end")
        expect(all(a[1] == b[0] for a, b in zip(drawn, drawn[1:])), f"upcall: {row['engine']}: a gap")
        expect(all((colour, begin, end) in bars for begin, end, colour in drawn), f"upcall: {row['engine']}: no bar")
        if "posted" in came:
            expect(came["posted"] in diamonds, f"upcall: {row['engine']}: no diamond")
        polls = row["engine"]["label"] == "io_uring:sqpoll"
        if "posted" in came:
            expect((came["posted"] < came["woken"]) == polls, f"upcall: {row['engine']}: who posts?")


def check_operator_timeline(document, width_in):
    figure = operator_timeline.FIGURE.draw(document, width_in)
    rows = operator_timeline.shown(document)
    expect([row["emission"] for row in rows] == ["unordered", "ordered"], "operator_timeline: not one row of each")
    expect(len(figure.axes) == 2, "operator_timeline: not one pair of axes of each")
    expect(operator_timeline.held_up(document, rows[1]) > 0, "operator_timeline: nobody waits in the golden document")
    for axes, row in zip(figure.axes, rows):
        bars = {(line.get_color(), tuple(map(float, line.get_xdata()))) for line in axes.lines}
        for colour in (operator_timeline.RIGHT, operator_timeline.WRONG, style.GREY):
            expect(any(colour == of for of, _ in bars), f"operator_timeline: nothing is {colour}")
        # Each lies where its times say, from the first record's coming on.
        first = min(record[0] for shown in rows for record in operator_timeline.drawn(shown))
        for record in operator_timeline.drawn(row):
            for asked, heard, failed in record[3]:
                colour = operator_timeline.WRONG if failed or heard is None else operator_timeline.RIGHT
                end = heard if heard is not None else record[1] or record[2]
                expect((colour, (float(asked - first), float(end - first))) in bars,
                       f"operator_timeline: no bar from {asked} to {end}")


def check_styles(document, width_in):
    figure = styles.FIGURE.draw(document, width_in)
    expect_reasons(figure, "styles", [row for row in document.content["rows"] if row["engine"]])
    drawn = {float(x) for axes in figure.axes for line in axes.lines for x in line.get_xdata()}
    expect(len(styles.added(document)) == 3, "styles: not every style is drawn")
    for label, value, _ in styles.bars(document):
        for part in ("median", "low", "high"):
            expect(max(value[part], styles.LEAST_NS) in drawn, f"styles: {part} of {label}")


def caption_of(described, document):
    """As the report has it. Its pictures take most of the time, and no caption needs them."""
    rendering.svg = rendering.png = lambda drawn: ""
    kind, draw = type(described), type(described).draw
    kind.draw = lambda *_, **__: None
    figure, = nodes.figures_of([literature.document_section(described, document)])
    kind.draw = draw
    return "".join(getattr(part, "words", part) for part in figure.caption)


def expect_said(described, document, *said):
    """In the figure's foot and in the report's caption, since the figure is bare there."""
    figure = words_of(described.draw(document, sheet.WIDE_IN))
    for where, text in (("the figure", figure), ("the caption", caption_of(described, document))):
        for part in said:
            expect(part in text, f"{described.name}: {where} does not say: {part}: {text}")


def check_captions(folder):
    """Machine, kernel, device; what was run, in how many rounds, and what the intervals are."""
    machine = ("2 CPUs", "Linux 6.18", "/dev/vda")
    over = f"medians of 5 rounds with their 93.8 % intervals ({words.METHODS['order_statistics']})"
    for described, condition in ((timeline.FIGURE, "file randread 4k O_DIRECT, depth 8"),
                              (overlap.FIGURE, "file randread 4k O_DIRECT"),
                              (responsiveness.FIGURE, "a timer of 1\N{NO-BREAK SPACE}ms, runs of 0.2 s")):
        document = described.load(folder)
        expect_said(described, document, condition, over, *machine)
        once = replace(document, content={**document.content, "rounds": 1})
        expect_said(described, once, "1 round only, so the spread is unknown")
    expect_said(steps.FIGURE, steps.FIGURE.load(folder), "1 run of each engine, under strace 6.1", *machine)
    expect("medians of" not in caption_of(matrix.FIGURE, matrix.FIGURE.load(folder)), "matrix: has no rounds")
    # An engine that failed in some rounds.
    content = copy.deepcopy(responsiveness.FIGURE.load(folder).content)
    content["rows"][1]["lateness_ns"]["p50"].update(count=3, confidence_pct=75.0)
    expect_said(responsiveness.FIGURE, replace(responsiveness.FIGURE.load(folder), content=content), "75–93.8 % intervals")
    # Figures of comparisons: where marks are medians over the rounds that is said, else what they are.
    for described, marks in ((depth_one.FIGURE, "bars: 93.8 % interval"),
                             (depth_syscalls.FIGURE, "from the least of these to the")):
        caption = caption_of(described, described.load(folder))
        expect(described.subtitle in caption and marks in caption, f"{described.name}: {caption}")
    expect("93.8" not in caption_of(depth_syscalls.FIGURE, depth_syscalls.FIGURE.load(folder)),
           "depth_syscalls: its bars are no intervals")


def check_methods():
    """The harness has the same identifiers for the ways to make an interval, and the same words."""
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "harness", "summary")
    sources = ""
    for name in ("interval_method.h", "interval_method.c"):
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            sources += file.read()
    for method, said in words.METHODS.items():
        expect(f'"{method}"' in sources and f'"{said}"' in sources, f"the harness does not know {method}")


def main():
    folder = sys.argv[1]
    for width_in in (sheet.WIDE_IN, sheet.NARROW_IN, 3.4):
        check_timeline(timeline.FIGURE.load(folder), width_in)
        check_unknown_calls(timeline.FIGURE.load(folder), width_in)
        check_overlap(overlap.FIGURE.load(folder), width_in)
        check_steps(steps.FIGURE.load(folder), width_in)
        check_matrix(matrix.FIGURE.load(folder), width_in)
        check_responsiveness(responsiveness.FIGURE.load(folder), width_in)
        check_loop_lateness(loop_lateness.FIGURE.load(folder), width_in)
        check_operator(operator.FIGURE.load(folder), width_in)
        check_operator_timeline(operator_timeline.FIGURE.load(folder), width_in)
        check_upcall(upcall.FIGURE.load(folder), width_in)
        check_styles(styles.FIGURE.load(folder), width_in)
    check_matrix_words(matrix.FIGURE.load(folder))
    check_timeline_numbers(timeline.FIGURE.load(folder))
    check_overlap_lost_rounds(overlap.FIGURE.load(folder))
    check_captions(folder)
    check_methods()
    print("\n".join(failures) or "all is drawn")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
