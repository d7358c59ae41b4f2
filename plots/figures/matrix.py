# SPDX-License-Identifier: MIT
"""The matrix: what each interface really did with each kind of descriptor."""
from drawing import sheet, study, style
from readings import results, verdicts
from readings.quantities import DASH

NAME = "matrix"
FILE = "matrix.json"
SCHEMA = "iolab.matrix.v1"
MADE_BY = "build/iolab matrix --out FOLDER"
TITLE = "The matrix: what really happens"
READING = ("Each cell was tried in a process of its own. Percentages: share of the time until all was "
           "done that handing over took, the median of the trials; 9/9: so many of them came to the same "
           "outcome by themselves")
CAPTION = ("What each interface did with each kind of descriptor, tried and timed. Native: the call "
           "returned early and the kernel did the rest by itself. Threads: it returned early, or helper "
           "threads used half of the CPU time or more; threads did the work, of the program or of the "
           "kernel (io-wq). Blocked: it returned when all was over, and no helpers had worked so much. "
           "Refused: the interface cannot. Percentages are the share of the time that handing over took, "
           "the median of the trials; “9/9”: nine of nine trials came to that outcome by themselves.")

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


def tried(document, label, column):
    """The cell; None where there is none, or nothing came of it."""
    for row in document.content["rows"]:
        if row["engine"]["label"] == label and column in row["cells"]:
            cell = row["cells"][column]
            return None if cell["outcome"] in UNTRIED else cell
    return None


def statement(where, cell, said, so):
    if cell is None:
        return verdicts.open_statement(f"{where} was not tried")
    outcome, agreed = cell["outcome"], cell["agreed"]
    if agreed is None:  # refused: there is nothing to repeat
        return verdicts.Statement(f"{where}: {outcome}", (outcome == said) == so)
    trials = cell["handover_share"]["count"]
    if agreed < trials:
        return verdicts.open_statement(f"{where}: {outcome}, but only {agreed} of {trials} trials come to it by "
                                       "themselves")
    return verdicts.Statement(f"{where}: {outcome} in all of {trials} trials", (outcome == said) == so)


def statements(document):
    words_of = {column["name"]: column["words"] for column in document.content["columns"]}
    return [statement(f"{label} on {words_of.get(column, column)}", tried(document, label, column), said, so)
            for label, column, said, so in SAID]


CLAIM = verdicts.Claim(
    "epoll_ctl(2), poll(2), aio(7), io_submit(2); Axboe, Efficient IO with io_uring, 2019",
    "epoll refuses regular files; to poll they are always ready, so the read blocks; POSIX AIO is threads "
    "of the C library; libaio is asynchronous with O_DIRECT only, and io_uring without it, too",
    "reproduced when these cells say so: epoll on a file refused, poll on a cold file blocked, posix_aio "
    "threads, libaio with O_DIRECT native and on a cold file blocked, io_uring on a cold file not blocked; each in "
    "all of its trials, else it stays open",
    statements)


def load(folder):
    return results.load_document(folder, FILE, SCHEMA, MADE_BY)


def alt_text(document):
    names = {column["name"]: column["words"] for column in document.content["columns"]}
    rows = []
    for row in document.content["rows"]:
        cells = [f"{names[name]}: {cell['outcome']}" for name, cell in row["cells"].items()]
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


def draw(document, width_in=sheet.WIDE_IN, bare=False):
    rows, columns = document.content["rows"], document.content["columns"]
    reasons = {}  # the number of each reason, in the order in which they are met

    def place(page):
        left_in = sheet.EDGE_IN + 0.08 + max(
            sheet.text_width_in(row["engine"]["label"], sheet.NAME_PT, "bold") for row in rows)
        column_in = (page.width_in - left_in - sheet.EDGE_IN) / len(columns)
        heads = [sheet.wrapped(c["words"], column_in - 0.06, CELL_PT) for c in columns]
        most = max(map(len, heads))
        narrow = column_in < NARROW_COLUMN_IN
        row_in = 0.06 + LINE_IN * (4 if narrow else 2)

        def place_heads(top_in):
            for i, lines in enumerate(heads):
                for line, text in enumerate(lines):
                    page.text(left_in + (i + 0.5) * column_in,
                              top_in + (most - len(lines) + line + 0.5) * HEAD_IN, text,
                              fontsize=CELL_PT, ha="center")

        page.add(most * HEAD_IN + 0.04, place_heads)
        for row in rows:
            numbers = [number_of(row["cells"][column["name"]], reasons) for column in columns]
            page.add(row_in, lambda top_in, row=row, numbers=numbers: place_row(
                page, row, columns, numbers, narrow,
                (left_in, top_in, column_in, row_in)))
        page.add(0.08)
        for reason, (number, kind) in reasons.items():
            page.note(str(number), f"{kind}: {reason}")
        page.note("", trials_words(document))
        study.add_claim(page, CLAIM, document)

    content = document.content
    reading = (f"{READING} (from {100 * content['blocked_share']:.0f} %: blocked, unless helper threads used "
               f"{100 * content['helpers_cpu_share']:.0f} % of the CPU time or more: threads). {condition(document)}. "
               "“Own”: threads of the program or its library; “io-wq”: the kernel's, for this process")
    return sheet.compose_document(document, TITLE, reading, place, width_in, bare)


def condition(document):
    """What was read."""
    content = document.content
    return ("Files, with O_DIRECT, cold (not in the page cache) or on tmpfs: "
            f"{content['batch']} reads of {content['block_bytes'] // 1024} KiB together, or one "
            f"fsync; sockets and pipes: one read, answered after {content['answer_after_ms']} ms")


def number_of(cell, reasons):
    """The number of the note that says why, or None."""
    if not cell["reason"]:
        return None
    return reasons.setdefault(cell["reason"], (len(reasons) + 1, cell["outcome"]))[0]


def place_row(page, row, columns, numbers, narrow, place):
    left_in, top_in, column_in, row_in = place
    label = row["engine"]["label"]
    page.text(sheet.EDGE_IN, top_in + row_in / 2, label, fontsize=sheet.NAME_PT, weight="bold",
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
