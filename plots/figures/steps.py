# SPDX-License-Identifier: MIT
"""The six steps: one operation's way between thread and kernel, from a trace of system calls."""
from drawing import sheet, style
from drawing.figure import DocumentFigure
from readings import remarks, shape, verdicts
from readings.documents import document_shape
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator
from readings.quantities import duration, tick

TITLE = "The six steps of one operation"
# docs/measurement.md has the same words.
STEPS = (
    "ask: the loop's thread asks for an I/O, or for news of its descriptor",
    "handle: the request lies where its event will be looked for (a ring, a queue, a descriptor), and the "
    "loop's thread is free",
    "care: the kernel has the request among those that it looks after; a thread may sleep in the call "
    "meanwhile",
    "carry on: the loop's thread looks for the event now and then, or sleeps until it comes",
    "event: the loop's thread is told that the operation is done (completion) or can be done now "
    "(readiness)",
    "take: it takes the result; after readiness that is the read itself")
NUMBERED = "; ".join(f"({i}) {words}" for i, words in enumerate(STEPS, 1))
THREAD_IN = 0.17  # from one thread's line to the next
KERNEL_IN = 0.4  # from the last thread's line to the kernel's
ABOVE_IN = 0.2
BELOW_IN = 0.38  # the steps of each call, and its name
LABEL_IN = 0.62
CALL_PT = 5.5
STEP_PT = 6
NUMBER_IN = 0.1  # below the kernel's line
NAMES_IN = (0.195, 0.28)

# What the manual pages say, as a number of calls of the loop's thread.
SAID = (("blocking", 1), ("poll", 2), ("epoll", 2), ("libaio", 2), ("io_uring", 1))
MOST, HALF = 0.9, 0.5  # of the operations; both limits and the number below are ours
FEWEST_OPERATIONS = 20
RUNS = "1 run of each"  # one trace, so nothing is known of how runs differ

_CALL = shape.record({
    "thread": shape.count, "name": shape.text, "begin_ns": shape.number, "end_ns": shape.number,
    "steps": shape.list_of(shape.count)})
_LANE = shape.record({
    "engine": shape.record({"label": shape.text}), "status": shape.text,
    "reason": shape.nullable(remarks.SHAPE), "what": shape.text,
    "asked_before": shape.nullable(shape.text), "loop_calls": shape.map_of(shape.count),
    "calls": shape.list_of(_CALL)})
_TRACED = shape.record({
    "accepted_ns": shape.number, "event_ns": shape.number, "completed_ns": shape.above_zero,
    "calls": shape.list_of(shape.anything, fewest=1)})


def _lane(value, place):
    _LANE(value, place)
    if value["status"] == "ok":
        _TRACED(value, place)


SHAPE = document_shape({"tracer": shape.text, "lanes": shape.list_of(_lane)})


def share_statement(document, label, calls):
    """How many of the traced operations took that many calls?"""
    lane = next((lane for lane in document.content["lanes"] if lane["engine"]["label"] == label
                 and lane["status"] == "ok"), None)
    if lane is None:
        return verdicts.left_open("not_traced", "{label} was not traced", label=label)
    counts = lane["loop_calls"]
    operations = sum(counts.values())
    text = "{label}: {took} of {operations} operations took {calls} call" + ("" if calls == 1 else "s")
    values = {"label": label, "took": counts.get(str(calls), 0), "operations": operations, "calls": calls}
    if operations < FEWEST_OPERATIONS:
        return verdicts.left_open("few_operations", f"{text}, and these are too few", **values)
    share = values["took"] / operations
    holds = True if share > MOST else False if share < HALF else None
    return verdicts.Statement("calls_taken", holds, values, text)


def statements(document):
    return [share_statement(document, label, calls) for label, calls in SAID]


def words_of(lane):
    label = lane["engine"]["label"]
    if lane["status"] != "ok":
        return f"{label}: {lane['status']}: {lane['reason']}"
    return f"{label}, {lane['what']}: {calls_words(lane)}"


def numbers(call):
    return " ".join(map(str, call["steps"]))


def calls_words(lane):
    """(1) io_submit, (4 5) io_getevents"""
    words = [(f"({numbers(call)}) " if call["steps"] else "") + call["name"] +
             (" (helper)" if call["thread"] else "") for call in lane["calls"]]
    return ", ".join(words)


def describe(document):
    return f"{TITLE}. " + "; ".join(words_of(lane) for lane in document.content["lanes"]) + "."


def place(page, document):
    for lane in document.content["lanes"]:
        add_lane(page, lane)
    if page.bare:
        return
    page.add(0.05)
    for number, words in enumerate(STEPS, 1):
        page.note(str(number), words)


def condition(document):
    return f"{RUNS} engine, under {document.content['tracer']}, whose times these are"


def what_words(lane):
    """The operation; and how it was asked for, where that came before."""
    before = lane["asked_before"]
    return lane["what"] + (f"; (1), (2) before, by {before}" if before else "")


def add_lane(page, lane):
    label = lane["engine"]["label"]
    ok = lane["status"] == "ok"

    def head(top_in):
        page.text(sheet.EDGE_IN, top_in + 0.1, label, fontsize=sheet.HEADING_PT, weight="bold",
                  color=style.look_of(label).colour if ok else style.GREY)
        page.text(sheet.EDGE_IN + sheet.text_width_in(label, sheet.HEADING_PT, "bold") + 0.1,
                  top_in + 0.1, what_words(lane), fontsize=sheet.NOTE_PT, color=style.GREY)

    page.add(0.2, head)
    if not ok:
        page.message(f"{lane['status']}: {lane['reason']}")
        page.add(0.1)
        return
    threads = 1 + max(call["thread"] for call in lane["calls"])
    width_in = page.width_in - sheet.EDGE_IN - LABEL_IN - 0.2
    height_in = ABOVE_IN + THREAD_IN * (threads - 1) + KERNEL_IN + BELOW_IN

    def body(top_in):
        left_in = sheet.EDGE_IN + LABEL_IN
        axes = page.axes(left_in, top_in, width_in, height_in)
        kernel_in = height_in - BELOW_IN
        lines_in = [ABOVE_IN + i * THREAD_IN for i in range(threads)]
        paint(axes, lane, lines_in, kernel_in, height_in)
        names = ["loop"] + ["helper"] * (threads - 1)
        for name, y_in in [*zip(names, lines_in), ("kernel", kernel_in)]:
            page.text(left_in - 0.05, top_in + y_in, name, fontsize=CALL_PT, ha="right",
                      color=style.GREY)

    page.add(height_in, body)
    page.add(0.16)
    if len(placed_names(lane, width_in)) < len(lane["calls"]):
        page.note("", f"In order: {calls_words(lane)}.")
    page.add(0.04)


def paint(axes, lane, lines_in, kernel_in, height_in):
    colour = style.look_of(lane["engine"]["label"]).colour
    completed = lane["completed_ns"]
    margin = margin_of(lane)
    axes.set(xlim=(-margin, completed + margin), ylim=(height_in, 0))
    for side in ("left", "top", "right"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(style.FAINT)
    axes.yaxis.set_major_locator(NullLocator())
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: tick(v, duration)))
    axes.tick_params(labelsize=CALL_PT, length=2, pad=1)
    for y_in in lines_in:
        axes.plot([-margin, completed + margin], [y_in, y_in], color=style.FAINT, linewidth=0.6,
                  zorder=1)
    axes.plot([-margin, completed + margin], [kernel_in, kernel_in], color=style.GREY,
              linewidth=0.6, zorder=1)
    for call in lane["calls"]:
        paint_call(axes, call, lines_in[call["thread"]], kernel_in, completed, margin,
                   style.GREY if not call["steps"] else colour if call["thread"] else style.INK)
    width_in = axes.get_position().width * axes.figure.get_figwidth()
    name_calls(axes, lane, kernel_in, width_in)
    number_calls(axes, lane, kernel_in, width_in)
    number_steps(axes, lane, lines_in[0], kernel_in)


def clipped(value, completed, margin):
    return min(max(value, -margin), completed + margin)


def paint_call(axes, call, line_in, kernel_in, completed, margin, colour):
    """Down into the kernel, along there, and up again; what lies outside is cut."""
    begin = clipped(call["begin_ns"], completed, margin)
    end = clipped(call["end_ns"], completed, margin)
    dashes = style.DASHED if call["thread"] else style.SOLID
    along_in = kernel_in + 0.035 * min(call["thread"], 1)  # beside the loop's call, not upon it
    axes.plot([begin, end], [along_in, along_in], color=colour, linewidth=2.6,
              solid_capstyle="butt", zorder=3)
    arrow = {"arrowstyle": "-|>,head_length=0.25,head_width=0.12", "color": colour,
             "linewidth": 0.8, "linestyle": dashes, "shrinkA": 0, "shrinkB": 0}
    if begin == call["begin_ns"]:
        axes.annotate("", (begin, kernel_in), (begin, line_in), arrowprops=arrow, zorder=2)
    if end == call["end_ns"]:
        axes.annotate("", (end, line_in), (end, kernel_in), arrowprops=arrow, zorder=2)


def margin_of(lane):
    return 0.02 * lane["completed_ns"]


def placed_names(lane, width_in):
    """(call, begin, row) of the names that have room below the kernel's line, in two rows where they
    would meet, the longest calls first. Where one has none, all stand in a line of text."""
    margin = margin_of(lane)
    left, right = -margin, lane["completed_ns"] + margin
    ns_per_in = (right - left) / width_in
    taken, placed = [[] for _ in NAMES_IN], []
    for call in sorted(lane["calls"], key=lambda call: call["begin_ns"] - call["end_ns"]):
        needed = (sheet.text_width_in(call["name"], CALL_PT) + 0.05) * ns_per_in
        begin = min(max(call["begin_ns"], left), right - needed)
        for row, others in enumerate(taken):
            if all(begin >= end or begin + needed <= start for start, end in others):
                placed.append((call, begin, row))
                others.append((begin, begin + needed))
                break
    return placed


def name_calls(axes, lane, kernel_in, width_in):
    for call, begin, row in placed_names(lane, width_in):
        axes.text(begin, kernel_in + NAMES_IN[row], call["name"], fontsize=CALL_PT, va="center",
                  style="italic" if call["thread"] else "normal",
                  color=style.INK if call["steps"] else style.GREY)


def number_calls(axes, lane, kernel_in, width_in):
    """The steps of each call below its beginning, moved aside where they would meet. A helper's are
    in its colour."""
    left, right = axes.get_xlim()
    ns_per_in = (right - left) / width_in
    colour = style.look_of(lane["engine"]["label"]).colour
    calls = [call for call in lane["calls"] if call["steps"]]
    widths = [(sheet.text_width_in(numbers(call), CALL_PT, "bold") + 0.09) * ns_per_in for call in calls]
    # From the left each as near to its call as it can be, then from the right.
    begins = []
    for i, call in enumerate(calls):
        begins.append(max(call["begin_ns"], begins[-1] + widths[i - 1] if begins else left))
    limit = right
    for i in reversed(range(len(begins))):
        begins[i] = limit = min(begins[i], limit - widths[i])
    for call, begin in zip(calls, begins):
        axes.text(begin, kernel_in + NUMBER_IN + 0.01, numbers(call), fontsize=CALL_PT, va="center",
                  weight="bold", color=colour if call["thread"] else style.INK,
                  style="italic" if call["thread"] else "normal")


def steps_of(lane):
    """(number, time, does it belong to the kernel) for those of the six that the trace shows."""
    def of(step, which=lambda call: True):
        return [call for call in lane["calls"] if step in call["steps"] and which(call)]

    steps = [("5", lane["event_ns"], False), ("6", lane["completed_ns"], False)]
    asks = of(1)
    if not lane["asked_before"]:
        steps.append(("1", 0, False))
    if asks and all(call["steps"] == [1] for call in asks):
        steps.append(("2", lane["accepted_ns"], False))
    if waits := of(4):
        steps.append(("4", waits[0]["begin_ns"], False))
    # In the kernel's care: as long as the call that does the I/O lasts, else from asking to the event.
    does = of(3)
    begin = does[0]["begin_ns"] if does else max((asks + waits)[0]["begin_ns"], 0) if asks + waits else 0
    end = does[0]["end_ns"] if does else lane["event_ns"]
    steps.append(("3", (begin + end) / 2, True))
    return steps


def number_steps(axes, lane, loop_in, kernel_in):
    """Numbers in circles; those at one time share a circle."""
    left, right = axes.get_xlim()
    apart = 0.27 * (right - left) / (axes.get_position().width * axes.figure.get_figwidth())
    together = []
    for number, at, of_kernel in sorted(steps_of(lane), key=lambda step: (step[2], step[1])):
        if together and together[-1][2] == of_kernel and at - together[-1][1] < apart:
            together[-1][0] += f" {number}"
        else:
            together.append([number, at, of_kernel])
    for numbers, at, of_kernel in together:
        y_in = kernel_in - 0.09 if of_kernel else loop_in - 0.1
        axes.text(at, y_in, numbers, fontsize=STEP_PT, ha="center", va="center", weight="bold",
                  zorder=5, bbox={"boxstyle": "round,pad=0.18", "facecolor": "white",
                                  "edgecolor": style.GREY, "linewidth": 0.5})


FIGURE = DocumentFigure(
    name="steps",
    title=TITLE,
    subtitle="Every system call that one operation took, between its thread and the kernel, traced by strace",
    caption="Every system call that one operation took, between thread and kernel, traced by strace.",
    reading="A call goes down from its thread to the kernel and comes back. Below stand the steps that it "
            "belongs to, a helper's in colour. A call in grey without a number is a helper's, on its way back "
            f"to sleep. Circles mark where a step begins, and (3) its middle. The steps: {NUMBERED}. strace "
            "stops a thread at each call, so read the order and not the times.",
    file="steps.json",
    schema="iolab.steps.v2",
    made_by="harness/studies/six_steps.py FOLDER",
    shape=SHAPE,
    place=place,
    describe=describe,
    condition=condition,
    legend=lambda document: ["circles: where a step begins, (3) its middle; numbers below a call: its steps, "
                             "a helper's in colour; grey without a number: a helper on its way back to sleep"],
    claim=verdicts.Claim(
        "read(2), poll(2), epoll(7), io_submit(2), io_uring_enter(2); Didona et al., SYSTOR'22, fig. 3",
        "a blocking read is one call; readiness takes one to wait and one for the data; libaio one to submit "
        "and one to reap; io_uring does both in one",
        f"about the calls that this program's engines make, in {RUNS}: reproduced when, of "
        f"{FEWEST_OPERATIONS} traced operations or more, over {100 * MOST:.0f} % took this many calls of the "
        f"loop's thread: {', '.join(f'{label} {calls}' for label, calls in SAID)}; contradicted when fewer "
        f"than {100 * HALF:.0f} % did (limits of ours). Nothing is known of how runs differ",
        statements))
