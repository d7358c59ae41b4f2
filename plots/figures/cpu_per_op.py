# SPDX-License-Identifier: MIT
"""CPU time per operation: of the process, and of the whole machine."""
from drawing import charts, sheet
from readings.quantities import cpu_time

NAME = "cpu_per_op"
TITLE = "CPU time per operation"
READING = ("What one operation costs this process (all its threads) and the whole machine (kernel "
           "workers and interrupts too, the peer not; finer lines: the error of /proc/stat)")
CAPTION = ("CPU time that one operation costs: this process with all its threads, and the whole "
           "machine without the peer. Less is cheaper. The difference between the two is work "
           "that the kernel does elsewhere, and whatever else ran on the machine. A finer line beyond "
           "the bar is the error of /proc/stat.")


def of_process(configuration):
    return configuration.metric("cpu.us_per_op")


def of_machine(configuration):
    return configuration.with_error("cpu.host_us_per_op", "cpu.host_error_us_per_op")


def draw(summary, width_in=sheet.WIDE_IN, bare=False):
    def plan(panel):
        return charts.swept_plan(
            panel, {"this process": of_process, "whole machine": of_machine},
            f"CPU time per {panel.op}", cpu_time, summary.baseline, log=True,
            rows_heading="engine's own mark: this process; ring: whole machine")

    return sheet.compose(summary, TITLE, f"{READING}; {summary.marks_words()}", plan, width_in,
                         bare)
