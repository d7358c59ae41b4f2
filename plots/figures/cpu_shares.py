# SPDX-License-Identifier: MIT
"""Where the CPU time of an operation goes: user, system, and the rest of the machine."""
from dataclasses import replace

from drawing import charts, sheet, style
from drawing.figure import StudyFigure
from readings import verdicts
from matplotlib.ticker import FixedLocator
from readings.quantities import cpu_time, percent

KEY, USE = "cpu.us_per_op", "cpu.util_pct"
A_CORE_PCT = 80  # of a CPU: one of its own, within a fifth
DEARER = 1.5
USER, SYSTEM, REST = "cpu.user_us_per_op", "cpu.system_us_per_op", "cpu.other_us_per_op"
REST_ERROR = "cpu.host_error_us_per_op"
PARTS = ((USER, "user"), (SYSTEM, "system"), (REST, "rest of the machine"))
BAR = 0.62


def statements(found):
    use = found.metric("cpu_shares", "io_uring:sqpoll", USE)
    use = use and verdicts.Measured(use.median, use.low, use.high, percent, use.count)
    return [verdicts.above("with SQPOLL this process's use of a CPU", use, A_CORE_PCT),
            verdicts.above("CPU time of this process with SQPOLL over that without",
                           found.ratio("cpu_shares", "io_uring:sqpoll", KEY), DEARER)]


def measured(found):
    """The configurations of which the parts are known."""
    return [c for c in found.panel("cpu_shares").configurations
            if all(c.metric(part) for part, _ in PARTS)]


def place(page, found):
    configurations = measured(found)
    if not configurations:
        page.message("no run knows the parts of its CPU time; `build/iolab summary FOLDER` computes them again")
        return
    add_key(page)
    cell = sheet.Cell(lambda axes: paint(axes, configurations))
    page.plan(sheet.Plan([cell], "CPU time for a read", rows=[c.label for c in configurations]))


def part_places(configuration):
    """(part, where it begins, its estimate) for each part; only the rest has an error."""
    places = []
    begin = 0
    for part, _ in PARTS:
        shown = configuration.with_error(part, REST_ERROR) if part == REST else configuration.metric(part)
        places.append((part, begin, shown))
        begin += max(shown.median, 0)
    return places


def look(part, colour):
    """Tone and hatching tell the parts apart, colour is the engine's."""
    return {USER: {"facecolor": colour, "edgecolor": colour},
            SYSTEM: {"facecolor": "white", "edgecolor": colour, "hatch": "//////"},
            REST: {"facecolor": "white", "edgecolor": colour}}[part]


def add_key(page):
    def place(top_in):
        x_in = sheet.EDGE_IN
        for part, words in PARTS:
            page.rectangle(x_in, top_in + 0.025, 0.16, 0.085, linewidth=0.6,
                           **look(part, style.GREY))
            page.text(x_in + 0.21, top_in + sheet.LINE_IN / 2, words, fontsize=sheet.NOTE_PT,
                      color=style.GREY)
            x_in += 0.21 + sheet.text_width_in(words, sheet.NOTE_PT) + 0.14

    page.add(sheet.LINE_IN, place)
    page.add(0.05)


def paint(axes, configurations):
    """A bar begins where the one before it ends. Intervals are drawn whole, below 0, too: there a
    part's interval reaches back into the part before it."""
    drawn = [part_places(c) for c in configurations]
    ends = [begin + end for parts in drawn for _, begin, shown in parts
            for end in (shown.low - shown.error, shown.high + shown.error)]
    charts.scale_values(axes, "x", (0, max(ends)), cpu_time)
    if min(ends) < 0:
        axes.set_xlim(left=1.06 * min(ends))
    for i, (c, parts) in enumerate(zip(configurations, drawn)):
        colour = style.look_of(c.label).colour
        for row, (part, begin, of_part) in enumerate(parts):
            if of_part.median > 0:
                axes.barh(i, of_part.median, BAR, left=begin, linewidth=0.6, zorder=2,
                          **look(part, colour))
            at = i + BAR * (row - 1) / 4  # a little apart, so that no interval hides another
            shown = replace(of_part, median=begin + of_part.median, low=begin + of_part.low,
                            high=begin + of_part.high)
            charts.draw_bar(axes, "x", at, shown, style.INK, width_pt=1)
            axes.plot([shown.median] * 2, [at - 0.06, at + 0.06], color=style.INK, linewidth=0.9,
                      zorder=3)
    axes.set_ylim(len(configurations) - 0.3, -0.7)
    axes.yaxis.set_major_locator(FixedLocator(range(len(configurations))))
    axes.set_yticklabels([c.label for c in configurations])
    axes.tick_params(axis="y", length=0)


FIGURE = StudyFigure(
    name="cpu_shares",
    title="Where the CPU time goes",
    subtitle="CPU time for a random read of 4 KiB, O_DIRECT, 16 in flight",
    caption="CPU time for an operation: user and system time of the process, and what the rest of the machine "
            "used.",
    reading="The process includes all its threads, io-wq's and SQPOLL's among them. The rest is the kernel's "
            "own workers, interrupts and other programs. So an interface that lets the kernel work elsewhere "
            "cannot hide that work. The line at the end of each part is its interval over the rounds. The finer "
            "line beyond it is the error of /proc/stat: two ticks of 10 ms a window, three where a hypervisor "
            "takes time. A part has no bar when its median (the stroke across) is below 0. The sum of user and "
            "system time is exact. The border between them is good to a timer tick of 1 to 10 ms a window.",
    comparisons=("cpu_shares",),
    place=place,
    claim=verdicts.Claim(
        "Didona et al., Understanding Modern Storage APIs, SYSTOR 2022, abstract; io_uring_setup(2)",
        "the kernel thread that polls for submissions uses a CPU core of its own",
        f"reproduced when with SQPOLL the process uses more than {A_CORE_PCT} % of a CPU, the polling thread "
        f"included (a core of its own, within a fifth), and a read costs it more than {DEARER} × the CPU time "
        "of one without (a limit of ours: the sources have no number)",
        statements))
