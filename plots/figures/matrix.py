# SPDX-License-Identifier: MIT
"""The matrix: what each interface really did with each kind of descriptor."""
from drawing import sheet, style
from drawing.figure import DocumentFigure
from readings import remarks, shape, verdicts
from readings.documents import document_shape
from readings.quantities import DASH

TITLE = "The matrix: what really happens"

LINE_IN = 0.105  # within a cell
NARROW_COLUMN_IN = 0.62  # below this, share and helper do not fit into one line
HEAD_IN = 0.13
CELL_PT = 6.5
SMALL_PT = 5.5
# Tone and word say the same, so that no colour is needed.
LOOKS = {
    "native": {"facecolor": "white", "edgecolor": style.GREY},
    "threads": {"facecolor": "#d4d4d4", "edgecolor": style.GREY},
    "blocked": {"facecolor": "#4d4d4d", "edgecolor": style.GREY},
    "refused": {"facecolor": "white", "edgecolor": style.FAINT},
}

# Engine, column, what it is said to be, and whether that is true or just what it is not.
SAID = (("epoll", "file_direct", "refused", True), ("poll", "file_cold", "blocked", True),
        ("posix_aio", "file_direct", "threads", True), ("libaio", "file_direct", "native", True),
        ("libaio", "file_cold", "blocked", True), ("io_uring", "file_cold", "blocked", False))
UNTRIED = ("not tried", "error")

_CELL = shape.record({
    "outcome": shape.text, "reason": shape.nullable(remarks.SHAPE), "agreed": shape.nullable(shape.count),
    "helpers": shape.nullable(shape.record({"io_wq": shape.count}))})
_TRIED = shape.record({
    "agreed": shape.count,
    "helpers": shape.record({}),
    "handover_share": shape.record({"median": shape.number, "min": shape.number, "max": shape.number,
                                    "count": shape.count})})


def _cell(value, place):
    _CELL(value, place)
    if value["helpers"] or value["agreed"] is not None:
        _TRIED(value, place)


_CONTENT = document_shape({
    "batch": shape.count, "block_bytes": shape.count, "answer_after_ms": shape.number,
    "blocked_share": shape.number, "helpers_cpu_share": shape.number,
    "columns": shape.list_of(shape.record({"name": shape.text, "words": shape.text}), fewest=1),
    "rows": shape.list_of(shape.record({
        "engine": shape.record({"label": shape.text}), "cells": shape.map_of(_cell)}), fewest=1)})


def _whole(value, place):
    """Every row has a cell for every column."""
    _CONTENT(value, place)
    cells = shape.record({column["name"]: _cell for column in value["columns"]})
    for i, row in enumerate(value["rows"]):
        cells(row["cells"], f"rows.{i}.cells")


def tried(document, label, column):
    """The cell; None where there is none, or nothing came of it."""
    for row in document.content["rows"]:
        if row["engine"]["label"] == label and column in row["cells"]:
            cell = row["cells"][column]
            return None if cell["outcome"] in UNTRIED else cell
    return None


def statement(where, cell, said, so):
    if cell is None:
        return verdicts.left_open("not_tried", "{where} was not tried", where=where)
    outcome, agreed = cell["outcome"], cell["agreed"]
    if agreed is None:  # refused: there is nothing to repeat
        return verdicts.Statement("outcome", (outcome == said) == so,
                                  {"where": where, "outcome": outcome}, "{where}: {outcome}")
    trials = cell["handover_share"]["count"]
    values = {"where": where, "outcome": outcome, "agreed": agreed, "trials": trials}
    if agreed < trials:
        return verdicts.left_open("trials_disagree", "{where}: {outcome}, but only {agreed} of {trials} "
                                  "trials agree on that", **values)
    return verdicts.Statement("trials_agree", (outcome == said) == so, values,
                              "{where}: {outcome} in all of {trials} trials")


def statements(document):
    words_of = {column["name"]: column["words"] for column in document.content["columns"]}
    return [statement(f"{label} on {words_of.get(column, column)}", tried(document, label, column),
                      said, so)
            for label, column, said, so in SAID]


def describe(document):
    names = {column["name"]: column["words"] for column in document.content["columns"]}
    rows = []
    for row in document.content["rows"]:
        cells = [f"{names.get(name, name)}: {cell['outcome']}" for name, cell in row["cells"].items()]
        rows.append(f"{row['engine']['label']}: {', '.join(cells)}")
    return f"{TITLE}. {'; '.join(rows)}."


def small_words(cell, number, narrow):
    """The lines below the outcome: how long handing over took, and who did the rest."""
    helpers = cell["helpers"]
    if not helpers:
        return [f"({number})"] if number else []
    share = cell["handover_share"]
    words = [f"{100 * share['median']:.0f} %"]
    if cell["outcome"] == "threads":
        words.append("io-wq" if helpers["io_wq"] else "own")
    words.append(f"{cell['agreed']}/{share['count']}")
    return words if narrow else [", ".join(words)]


def trials_words(document):
    """How often each cell was tried, and how far apart the trials were at most."""
    measured = [(row["engine"]["label"], column["words"], cell) for row in document.content["rows"]
                for column in document.content["columns"]
                if (cell := row["cells"][column["name"]])["helpers"]]
    if not measured:
        return "Nothing could be tried."
    counts = sorted({cell["handover_share"]["count"] for _, _, cell in measured})
    split = [(label, words, cell) for label, words, cell in measured
             if cell["agreed"] < cell["handover_share"]["count"]]
    label, column, widest = max(measured, key=lambda found: (
        found[2]["handover_share"]["max"] - found[2]["handover_share"]["min"]))
    share = widest["handover_share"]
    said = (f"not all agreed in {len(split)} of {len(measured)} cells" if split else
            f"all agreed in each of the {len(measured)} cells")
    return (f"{' or '.join(str(n) for n in counts)} trials a cell, and {said}. The share of handing over "
            f"varied most with {label} on {column}: {100 * share['min']:.0f}{DASH}"
            f"{100 * share['max']:.0f} %.")


def place(page, document):
    rows, columns = document.content["rows"], document.content["columns"]
    reasons = {}  # the number of each outcome and reason, in the order in which they are met
    left_in = sheet.EDGE_IN + 0.08 + max(
        sheet.text_width_in(row["engine"]["label"], sheet.NAME_PT, "bold") for row in rows)
    left_in = min(left_in, sheet.NAMES_SHARE * page.width_in)
    column_in = (page.width_in - left_in - sheet.EDGE_IN) / len(columns)
    narrow = column_in < NARROW_COLUMN_IN
    row_in = 0.06 + LINE_IN * (4 if narrow else 2)
    add_heads(page, columns, left_in, column_in)
    for row in rows:
        numbers = [number_of(row["cells"][column["name"]], reasons) for column in columns]
        page.add(row_in, lambda top_in, row=row, numbers=numbers: place_row(
            page, row, columns, numbers, narrow, (left_in, top_in, column_in, row_in)))
    page.add(0.08)
    for (outcome, reason), number in reasons.items():
        page.note(str(number), f"{outcome}: {reason}")
    page.note("", trials_words(document))


def add_heads(page, columns, left_in, column_in):
    heads = [sheet.wrapped(c["words"], column_in - 0.06, CELL_PT) for c in columns]
    most = max(map(len, heads))

    def place_heads(top_in):
        for i, lines in enumerate(heads):
            for line, text in enumerate(lines):
                page.text(left_in + (i + 0.5) * column_in,
                          top_in + (most - len(lines) + line + 0.5) * HEAD_IN, text,
                          fontsize=CELL_PT, ha="center")

    page.add(most * HEAD_IN + 0.04, place_heads)


def condition(document):
    """What was read."""
    content = document.content
    return ("files, with O_DIRECT, cold (not in the page cache) or on tmpfs: "
            f"{content['batch']} reads of {content['block_bytes'] // 1024} KiB together, or one "
            f"fsync; sockets and pipes: one read, answered after {content['answer_after_ms']} ms")


def number_of(cell, reasons):
    """The number of the note that says why, or None."""
    if not cell["reason"]:
        return None
    return reasons.setdefault((cell["outcome"], cell["reason"]), len(reasons) + 1)


def place_row(page, row, columns, numbers, narrow, place):
    left_in, top_in, column_in, row_in = place
    label = row["engine"]["label"]
    shown = sheet.fitted(label, left_in - sheet.EDGE_IN - 0.08, sheet.NAME_PT, "bold")
    page.text(sheet.EDGE_IN, top_in + row_in / 2, shown, fontsize=sheet.NAME_PT, weight="bold",
              color=style.look_of(label).colour)
    for i, (column, number) in enumerate(zip(columns, numbers)):
        cell = row["cells"][column["name"]]
        x_in = left_in + i * column_in
        look = LOOKS.get(cell["outcome"], LOOKS["refused"])
        page.rectangle(x_in + 0.015, top_in + 0.015, column_in - 0.03, row_in - 0.03,
                       linewidth=0.5, **look)
        keywords = {"ha": "center", "color": "white" if cell["outcome"] == "blocked" else style.INK}
        if number:
            keywords.update(style="italic", color=style.GREY)
        lines = [cell["outcome"]] + small_words(cell, number, narrow)
        first_in = top_in + row_in / 2 - (len(lines) - 1) / 2 * LINE_IN
        for line, words in enumerate(lines):
            page.text(x_in + column_in / 2, first_in + line * LINE_IN, words,
                      fontsize=SMALL_PT if line else CELL_PT, **keywords)


def legend(document):
    """How to read a cell, for a figure that stands alone."""
    content = document.content
    return ["percentages: the share of the time until all was done that handing over took, the median of the "
            f"trials. From {100 * content['blocked_share']:.0f} %: blocked, unless helper threads used "
            f"{100 * content['helpers_cpu_share']:.0f} % of the CPU time or more: threads. “9/9”: nine of "
            "nine trials agree. “Own”: threads of the program or its library; “io-wq”: the kernel's, for this "
            "process"]


FIGURE = DocumentFigure(
    name="matrix",
    title=TITLE,
    subtitle="What each interface did with each kind of descriptor, each cell tried in a process of its own",
    caption="What each interface did with each kind of descriptor, tried and timed.",
    reading="Native: the call returned early, and the kernel did the rest. Threads: threads of the program or "
            "of the kernel (io-wq) did the work; the call returned early, or these threads used half of the CPU "
            "time or more. Blocked: the call returned when all was over, and other threads used less than that. "
            "Refused: the interface cannot do this. Percentages are the share of the time that handing over "
            "took, the median of the trials. “9/9” means that nine of nine trials agree on the outcome.",
    file="matrix.json",
    schema="iolab.matrix.v2",
    made_by="build/iolab matrix --out FOLDER",
    shape=_whole,
    place=place,
    describe=describe,
    condition=condition,
    legend=legend,
    claim=verdicts.Claim(
        "epoll_ctl(2), poll(2), aio(7), io_submit(2); Axboe, Efficient IO with io_uring, 2019",
        "epoll refuses regular files; to poll they are always ready, so the read blocks; POSIX AIO is "
        "threads of the C library; libaio is asynchronous with O_DIRECT only, and io_uring without it, too",
        "reproduced when these cells say so: epoll on a file refused, poll on a cold file blocked, posix_aio "
        "threads, libaio with O_DIRECT native and on a cold file blocked, io_uring on a cold file not "
        "blocked; each in all of its trials, else it stays open",
        statements))
