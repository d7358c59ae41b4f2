# SPDX-License-Identifier: MIT
"""The figures in the order in which they are read, and how one becomes bytes.

A figure of a comparison is a module with NAME, TITLE, CAPTION and draw(summary, width_in, bare). A
figure of another document in the folder also has load(folder), which is None where the document is
not there, and alt_text(document); its draw() takes that document. To add one, write it and name it
here.
"""
import io
import re
import sys

try:
    import matplotlib
    import numpy  # noqa: F401, matplotlib's own; a broken installation shows here
except ImportError as error:
    sys.exit(f"plots: {sys.executable} cannot import {error.name}; Debian and Ubuntu: "
             "apt-get install python3-matplotlib, then run this with /usr/bin/python3")

from drawing import style
from figures import (batching, block_size, connections, cpu_per_op, cpu_shares, depth_curve,
                     depth_one, depth_syscalls, durability, hardware_counters, idle_descriptors,
                     latency_distribution, latency_throughput, matrix, offered_load, overlap,
                     responsiveness, staircase, steps, syscalls, threads_cores, throughput, timeline)

FIGURES = (throughput, cpu_per_op, latency_throughput, latency_distribution, syscalls)
# Those of the literature have comparisons of their own, and a CLAIM that is judged from the data.
LITERATURE = (depth_one, depth_curve, depth_syscalls, batching, staircase, block_size, threads_cores,
              cpu_shares, durability, connections, idle_descriptors, offered_load, hardware_counters)
DOCUMENTS = (timeline, steps, overlap, matrix, responsiveness) + LITERATURE
JUDGED = tuple(module for module in DOCUMENTS if hasattr(module, "CLAIM"))
# A claim about the comparison itself: it is judged from the summary.
JUDGED_FIGURES = tuple(module for module in FIGURES if hasattr(module, "CLAIM"))

# Where a viewer lacks the font: Verdana is as wide, and all others are narrower.
SVG_FONTS = "'DejaVu Sans', Verdana, sans-serif"

# A path's numbers to a hundredth of a point: half the bytes, and nothing that an eye could see.
PATH = re.compile(r' d="[^"]*"')
LONG_NUMBER = re.compile(r"(\.\d\d)\d+")


def png(figure):
    with matplotlib.rc_context(style.SETTINGS):
        file = io.BytesIO()
        figure.savefig(file, format="png", metadata={"Software": None})
        return file.getvalue()


def pdf(figure):
    """As svg(): the same bytes for the same figure. Text stays text."""
    with matplotlib.rc_context(style.SETTINGS):
        file = io.BytesIO()
        figure.savefig(file, format="pdf", metadata={
            "CreationDate": None, "Creator": None, "Producer": None})
        return file.getvalue()


def svg(figure):
    """The same bytes for the same figure: no date, and identifiers that depend on nothing else."""
    with matplotlib.rc_context(style.SETTINGS):
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={
            "Date": None, "Creator": None, "Format": None, "Type": None})
    return PATH.sub(lambda path: LONG_NUMBER.sub(r"\1", path.group()),
                    file.getvalue().replace("'DejaVu Sans'", SVG_FONTS))
