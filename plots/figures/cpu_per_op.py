# SPDX-License-Identifier: MIT
"""CPU time per operation: of the process, and of the whole machine."""
from drawing import charts
from drawing.figure import PanelFigure
from readings.quantities import cpu_time


def of_process(configuration):
    return configuration.metric("cpu.us_per_op")


def of_machine(configuration):
    return configuration.with_error("cpu.host_us_per_op", "cpu.host_error_us_per_op")


def plan(panel, summary):
    return charts.swept_plan(
        panel, {"this process": of_process, "whole machine": of_machine}, f"CPU time per {panel.op}",
        cpu_time, summary.baseline, log=True,
        rows_heading="engine's own mark: this process; ring: whole machine")


FIGURE = PanelFigure(
    name="cpu_per_op",
    title="CPU time per operation",
    subtitle="CPU time that one operation costs this process and the whole machine",
    caption="CPU time for one operation: of this process with all its threads, and of the whole machine without "
            "the peer. Less is cheaper.",
    reading="The difference between the two is the work of the kernel's own threads, of interrupts and of other "
            "programs. A finer line beyond the bar is the error of /proc/stat.",
    plan=plan)
