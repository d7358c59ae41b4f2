# SPDX-License-Identifier: MIT
"""The six steps: one operation's way between thread and kernel, from a trace of system calls."""
import results
import sheet
import style
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator
from quantities import duration, tick

NAME = "steps"
FILE = "steps.json"
SCHEMA = "iolab.steps.v1"
MADE_BY = "harness/six_steps.py FOLDER"
TITLE = "The six steps of one operation"
READING = ("Every system call that one operation took, by strace. A call goes down from its thread to "
           "the kernel and comes back. (1) the thread asks; (2) submit() has returned, the operation "
           "is handed over; (3) the kernel has it in its care; (4) the thread waits for it, or finds "
           "it done; (5) the kernel says that it is done; (6) the program has it back")
CAPTION = ("Every system call that one operation took, between the thread and the kernel, from a trace "
           "by strace. The numbers are the six steps of the event loop: (1) ask, (2) handed over, (3) "
           "the kernel has it, (4) wait, (5) the kernel says so, (6) the program has it back. strace "
           "stops a thread at each call, so read the order and not the times.")

THREAD_IN = 0.17  # from one thread's line to the next
KERNEL_IN = 0.4  # from the last thread's line to the kernel's
ABOVE_IN = 0.2
BELOW_IN = 0.27
LABEL_IN = 0.62
CALL_PT = 5.5
STEP_PT = 6


def load(folder):
    return results.load_document(folder, FILE, SCHEMA, MADE_BY)


def words_of(lane):
    label = lane["engine"]["label"]
    if lane["status"] != "ok":
        return f"{label}: {lane['status']}: {lane['reason']}"
    calls = ", ".join(call["name"] + (" (helper)" if call["step"] == "helper" else "")
                      for call in lane["calls"])
    return f"{label}, {lane['what']}: {calls}"


def alt_text(document):
    return f"{TITLE}. " + "; ".join(words_of(lane) for lane in document.content["lanes"]) + "."


def draw(document, width_in=sheet.WIDE_IN, bare=False):
    def place(page):
        for lane in document.content["lanes"]:
            add_lane(page, lane)

    return sheet.compose_document(document, TITLE, READING, place, width_in, bare,
                                  foot=(document.content["tracer"],
                                        "times are those under strace"))


def add_lane(page, lane):
    label = lane["engine"]["label"]
    ok = lane["status"] == "ok"

    def head(top_in):
        page.text(sheet.EDGE_IN, top_in + 0.1, label, fontsize=sheet.HEADING_PT, weight="bold",
                  color=style.look_of(label).colour if ok else style.GREY)
        page.text(sheet.EDGE_IN + sheet.text_width_in(label, sheet.HEADING_PT, "bold") + 0.1,
                  top_in + 0.1, lane["what"], fontsize=sheet.NOTE_PT, color=style.GREY)

    page.add(0.2, head)
    if not ok:
        page.message(f"{lane['status']}: {lane['reason']}")
        page.add(0.1)
        return
    threads = 1 + max(call["thread"] for call in lane["calls"])
    height_in = ABOVE_IN + THREAD_IN * (threads - 1) + KERNEL_IN + BELOW_IN

    def body(top_in):
        left_in = sheet.EDGE_IN + LABEL_IN
        axes = page.axes(left_in, top_in, page.width_in - left_in - 0.2, height_in)
        kernel_in = height_in - BELOW_IN
        lines_in = [ABOVE_IN + i * THREAD_IN for i in range(threads)]
        paint(axes, lane, lines_in, kernel_in, height_in)
        names = ["loop"] + ["helper"] * (threads - 1)
        for name, y_in in [*zip(names, lines_in), ("kernel", kernel_in)]:
            page.text(left_in - 0.05, top_in + y_in, name, fontsize=CALL_PT, ha="right",
                      color=style.GREY)

    page.add(height_in, body)
    page.add(0.2)


def paint(axes, lane, lines_in, kernel_in, height_in):
    colour = style.look_of(lane["engine"]["label"]).colour
    completed = lane["completed_ns"]
    margin = 0.02 * completed
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
                   colour if call["step"] == "helper" else style.INK)
    name_calls(axes, lane, kernel_in)
    number_steps(axes, lane, lines_in[0], kernel_in)


def clipped(value, completed, margin):
    return min(max(value, -margin), completed + margin)


def paint_call(axes, call, line_in, kernel_in, completed, margin, colour):
    """Down into the kernel, along there, and up again; what lies outside is cut."""
    begin = clipped(call["begin_ns"], completed, margin)
    end = clipped(call["end_ns"], completed, margin)
    dashes = style.DASHED if call["step"] == "helper" else style.SOLID
    along_in = kernel_in + 0.035 * min(call["thread"], 1)  # beside that of the loop, not upon it
    axes.plot([begin, end], [along_in, along_in], color=colour, linewidth=2.6,
              solid_capstyle="butt", zorder=3)
    arrow = {"arrowstyle": "-|>,head_length=0.25,head_width=0.12", "color": colour,
             "linewidth": 0.8, "linestyle": dashes, "shrinkA": 0, "shrinkB": 0}
    if begin == call["begin_ns"]:
        axes.annotate("", (begin, kernel_in), (begin, line_in), arrowprops=arrow, zorder=2)
    if end == call["end_ns"]:
        axes.annotate("", (end, line_in), (end, kernel_in), arrowprops=arrow, zorder=2)


def name_calls(axes, lane, kernel_in):
    """Names below the kernel's line, in two rows where they would meet, the longest calls first; one
    that has no room in either is left out, and stands in the text for readers who cannot see."""
    left, right = axes.get_xlim()
    ns_per_in = (right - left) / (axes.get_position().width * axes.figure.get_figwidth())
    taken = [[], []]
    for call in sorted(lane["calls"], key=lambda call: call["begin_ns"] - call["end_ns"]):
        needed = (sheet.text_width_in(call["name"], CALL_PT) + 0.05) * ns_per_in
        begin = min(max(call["begin_ns"], left), right - needed)
        for row, others in enumerate(taken):
            if all(begin >= end or begin + needed <= start for start, end in others):
                axes.text(begin, kernel_in + 0.085 + 0.085 * row, call["name"], fontsize=CALL_PT,
                          va="center", style="italic" if call["step"] == "helper" else "normal")
                others.append((begin, begin + needed))
                break


def steps_of(lane):
    """(number, time, does it belong to the kernel) for those of the six that the trace shows."""
    accepted, completed = lane["accepted_ns"], lane["completed_ns"]
    own = [call for call in lane["calls"] if call["thread"] == 0]
    waits = [call for call in own if call["step"] == "wait"]
    steps = [("1", 0, False), ("6", completed, False)]
    if waits:
        steps += [("4", waits[0]["begin_ns"], False), ("5", waits[0]["end_ns"], True)]
        if accepted < waits[0]["begin_ns"]:
            steps.append(("2", accepted, False))
    elif own:
        steps += [("2", accepted, False), ("5", own[-1]["end_ns"], True)]
    care = max(own[0]["begin_ns"], 0) if own else 0
    end = waits[0]["end_ns"] if waits else own[-1]["end_ns"] if own else completed
    steps.append(("3", (care + end) / 2, True))
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
