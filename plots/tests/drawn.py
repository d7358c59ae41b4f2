#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""drawn.py FOLDER: is what the figures show what summary.json says?

Draws every figure and looks at the artists: each median and each interval must be there, in the
engine's own colour, and whatever is not there must be named with its reason.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from drawing import style
from figures import registry, syscalls
from readings import results

# Figure, and what it has to show of every configuration that is ok.
SHOWN = {
    "throughput": ("ops_per_s",),
    "cpu_per_op": ("cpu.us_per_op", "cpu.host_us_per_op"),
    "latency_throughput": ("ops_per_s", "latency_ns.p50"),
    "latency_distribution": ("latency_ns.p50", "latency_ns.p99"),
}

failures = []


def expect(condition, words):
    if not condition:
        failures.append(words)


def lines_of(figure):
    for axes in figure.axes:
        yield from axes.lines


def values_in_colour(figure, colour):
    """Every coordinate that a line of this colour goes through."""
    found = set()
    for line in lines_of(figure):
        if line.get_color() == colour or line.get_markeredgecolor() == colour:
            for data in (line.get_xdata(), line.get_ydata()):
                found.update(float(value) for value in data)
    return found


def check_configuration(name, figure, c):
    there = values_in_colour(figure, style.look_of(c.label).colour)
    for key in SHOWN[name]:
        estimate = c.metric(key)
        if estimate is None:
            continue
        where = f"{name}: {key} of {c.label} at {c.x} on {c.work}"
        expect(estimate.median in there, f"{where}: the median {estimate.median} is not drawn")
        if estimate.low < estimate.high:
            expect({estimate.low, estimate.high} <= there, f"{where}: its interval is not drawn")


def check_error(figure, c):
    """The error of /proc/stat goes beyond the interval."""
    found, error = c.metric("cpu.host_us_per_op"), c.metric("cpu.host_error_us_per_op")
    expect(found and error, f"no error of {c.label} at {c.x}")
    there = values_in_colour(figure, style.look_of(c.label).colour)
    expect(found.high + error.median in there,
           f"cpu_per_op: the error of {c.label} at {c.x} on {c.work} is not drawn")


def check_calls(figure, c):
    spread = c.syscalls_spread
    there = values_in_colour(figure, style.look_of(c.label).colour)
    expect({spread["min"], spread["max"], c.syscalls_per_op} <= there,
           f"syscalls: the spread of {c.label} at {c.x} is not drawn")


def check_figure(described, summary):
    figure, name = described.draw(summary), described.name
    words = " ".join(text.get_text() for text in figure.texts)
    for axes in figure.axes:
        words += " " + " ".join(text.get_text() for text in axes.texts)
    for panel in summary.panels:
        for c in panel.configurations:
            if c.ok and name in SHOWN:
                check_configuration(name, figure, c)
            if c.ok and name == "cpu_per_op":
                check_error(figure, c)
            if c.ok and name == "syscalls":
                check_calls(figure, c)
            if not c.ok:
                expect(c.status in words, f"{name}: nothing says that {c.label} is {c.status}")
                first = str(c.reason).split()[0]
                expect(first in words, f"{name}: the reason of {c.label} is missing")


def main():
    summary = results.load(sys.argv[1])
    for figure in registry.PANELS:
        check_figure(figure, summary)
    words = " ".join(text.get_text() for text in syscalls.FIGURE.draw(summary).texts)
    expect("counted in 3 runs each" in words, f"syscalls: nothing says how often: {words}")
    print("\n".join(failures) or "all is drawn")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
