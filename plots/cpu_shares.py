# SPDX-License-Identifier: MIT
"""Where the CPU time of an operation goes: user, system, and the rest of the machine."""
import os
from dataclasses import dataclass

import charts
import results
import sheet
import study
import style
import verdicts
from matplotlib.ticker import FixedLocator
from quantities import cpu_time

NAME = "cpu_shares"
TITLE = "Where the CPU time goes"
READING = ("Random reads of 4 KiB, O_DIRECT, 16 in flight. CPU time for a read, stacked: user and system "
           "time of this process with all its threads, io-wq's and SQPOLL's included, then the rest of "
           "the machine (kernel workers of no process, interrupts, other programs)")
CAPTION = ("CPU time for an operation: user and system time of this process with all its threads, the "
           "kernel's on its behalf included, and what the rest of the machine used meanwhile. A bar at "
           "the end of each part is its interval. An interface that lets the kernel work elsewhere "
           "cannot hide it here.")
COMPARISONS = ("cpu_shares",)
KEY = "cpu.us_per_op"
PARTS = (("user_us", "user"), ("system_us", "system"), ("rest_us", "rest of the machine"))
BAR = 0.62


def statements(found):
    return [verdicts.above("CPU time of this process with SQPOLL over that without",
                           found.ratio("cpu_shares", "io_uring:sqpoll", KEY), 1.5)]


CLAIM = verdicts.Claim(
    "Didona et al., Understanding Modern Storage APIs, SYSTOR 2022, abstract; io_uring_setup(2)",
    "the kernel thread that polls for submissions uses a CPU core of its own",
    "reproduced when a read through SQPOLL costs this process more than 1.5 × the CPU time of one "
    "without it, the polling thread included",
    statements)


@dataclass(frozen=True)
class Shares(study.Study):
    """The comparison, and what `iolab cpu` computed from its runs."""

    parts: tuple = ()


def load(folder):
    found = study.load(folder, COMPARISONS)
    document = found and results.load_document(
        os.path.join(folder, study.FOLDER, "cpu_shares"), "cpu.json", "iolab.cpu.v1",
        "build/iolab cpu FOLDER")
    return document and Shares(found.folder, found.summaries, found.quick,
                               tuple(document.content["configurations"]))


def draw(found, width_in=sheet.WIDE_IN, bare=False):
    labels = [c["engine"]["label"] for c in found.parts]

    def place(page):
        add_key(page)
        cell = sheet.Cell(lambda axes: paint(axes, found.parts))
        sheet.PanelBlock(page, sheet.Plan([cell], "CPU time for a read", rows=labels)).add()

    return study.compose(TITLE, READING, CLAIM, found, place, width_in, bare)


def look(part, colour):
    """Tone and hatching tell the parts apart, colour is the engine's."""
    return {"user_us": {"facecolor": colour, "edgecolor": colour},
            "system_us": {"facecolor": "white", "edgecolor": colour, "hatch": "//////"},
            "rest_us": {"facecolor": "white", "edgecolor": colour}}[part]


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
    """A bar begins where the one before it ends; a part below 0, by the grain of the clock, is 0."""
    ends = [sum(max(c[part]["high"], 0) for part, _ in PARTS) for c in configurations]
    charts.scale_values(axes, "x", (0, max(ends)), cpu_time)
    for i, c in enumerate(configurations):
        colour = style.look_of(c["engine"]["label"]).colour
        begin = 0
        for row, (part, _) in enumerate(PARTS):
            entry = c[part]
            length = max(entry["median"], 0)
            axes.barh(i, length, BAR, left=begin, linewidth=0.6, zorder=2, **look(part, colour))
            at = i + BAR * (row - 1) / 4  # a little apart, so that no interval hides another
            axes.plot([begin + max(entry["low"], 0), begin + max(entry["high"], 0)], [at, at],
                      color=style.INK, linewidth=0.9, zorder=3)
            begin += length
    axes.set_ylim(len(configurations) - 0.3, -0.7)
    axes.yaxis.set_major_locator(FixedLocator(range(len(configurations))))
    axes.set_yticklabels([c["engine"]["label"] for c in configurations])
    axes.tick_params(axis="y", length=0)


def alt_text(found):
    return study.alt_text(TITLE, CLAIM, found)
