# SPDX-License-Identifier: MIT
"""CPU time per operation: of the process, and of the whole machine."""
from drawing import charts, growth, sheet, words
from drawing.figure import PanelFigure
from readings.quantities import cpu_time


def of_process(configuration):
    return configuration.metric("cpu.us_per_op")


def of_machine(configuration):
    return configuration.with_error("cpu.host_us_per_op", "cpu.host_error_us_per_op")


def add_growth(plan, panel):
    """A cell with the line cost = a + b n, where the process' cost grows with the swept value."""
    points_of = {label: [(c.x, of_process(c)) for c in panel.of(label)] for label in panel.labels}
    said = growth.sentences(points_of, cpu_time, panel.axis.unit or f"1 of {panel.axis.name}",
                            words.x_plural(panel))
    if said:
        plan.cells.append(sheet.Cell(growth.painter(points_of, cpu_time),
                                     f"this process, on even scales; line: a + b × {words.x_plural(panel)}"))
        plan.notes += [words.Note(labels, words.NOTE, text) for labels, text in said]


def plan(panel, summary):
    made = charts.swept_plan(
        panel, {"this process": of_process, "whole machine": of_machine}, f"CPU time per {panel.op}",
        cpu_time, summary.baseline, log=True, own_scales=True,
        rows_heading="engine's own mark: this process; ring: whole machine")
    if len(panel.xs) > 1:
        add_growth(made, panel)
    return made


FIGURE = PanelFigure(
    name="cpu_per_op",
    title="CPU time per operation",
    subtitle="CPU time that one operation costs this process and the whole machine",
    caption="CPU time for one operation: of this process with all its threads, and of the whole machine without "
            "the peer. Less is cheaper.",
    reading="The difference between the two is the work of the kernel's own threads, of interrupts and of other "
            "programs. A finer line beyond the bar is the error of /proc/stat. Where the cost grows with what is "
            "swept, it is drawn on even scales as well, with the straight line a + b n that fits it best.",
    plan=plan)
