# SPDX-License-Identifier: MIT
"""The timeline of an operator: records as bars, asked, tried again, timed out, waiting for their turn."""
import math

from matplotlib.ticker import FuncFormatter, MaxNLocator

from drawing import sheet, style
from drawing.figure import DocumentFigure
from figures import operator
from readings import quantities, verdicts
from readings.quantities import duration

TITLE = "The timeline of an operator"
RECORDS = 24  # that are drawn
CAPACITY = 8  # or what comes nearest
LATE_NS = 0.1  # of the mean answer time: who waits longer for a turn is held up by another record

PUT, TIMED_OUT, EMITTED, ATTEMPTS = range(4)
ASKED, HEARD, FAILED = range(3)


def shown(document):
    """The two rows: unordered and ordered, of one engine, with one capacity and the same answers."""
    rows = [row for row in operator.measured(document) if row["engine"] and row["trace"]]
    if not rows:
        return []
    answers = next((kind for kind in reversed(operator.kinds(document)) if kind != "constant"
                    and any(row["answers"] == kind for row in rows)), rows[0]["answers"])
    rows = [row for row in rows if row["answers"] == answers]
    capacity = min((row["capacity"] for row in rows), key=lambda c: abs(math.log(c / CAPACITY)))
    rows = [row for row in rows if row["capacity"] == capacity and row["engine"] == rows[0]["engine"]]
    return sorted(rows, key=lambda row: operator.EMISSIONS.index(row["emission"]))


def drawn(row):
    return row["trace"][:RECORDS]


def answered_ns(record):
    """When its answer was there; None for one that never came."""
    attempts = record[ATTEMPTS]
    return attempts[-1][HEARD] if attempts and not attempts[-1][FAILED] else None


def held_ns(record):
    """How long it waited for its turn."""
    answered = answered_ns(record)
    return record[EMITTED] - answered if answered is not None and record[TIMED_OUT] is None else 0


def held_up(document, row):
    """How many of the records that are drawn waited for their turn."""
    return sum(held_ns(record) > LATE_NS * document.content["answer_ns"] for record in drawn(row))


def place(page, document):
    rows = shown(document)
    if not rows:
        page.message("No record of an engine was traced.")
        return
    first_ns = min(record[PUT] for row in rows for record in drawn(row))
    last_ns = max(record[EMITTED] for row in rows for record in drawn(row))
    cells = [sheet.Cell(lambda axes, row=row: paint(axes, drawn(row), first_ns, last_ns),
                        f"{operator.label_of(row)}, {row['emission']}") for row in rows]
    page.plan(sheet.Plan(cells, "time since the first of them came", "records, in the order of their arrival",
                         height_in=3.0))
    for row in rows:
        page.note("", f"{row['emission']}: {held_up(document, row)} of {len(drawn(row))} records waited for "
                  "their turn when they had been answered.")


def paint(axes, records, first_ns, last_ns):
    for i, record in enumerate(records):
        paint_record(axes, i, record, first_ns)
    axes.set_xlim(0, (last_ns - first_ns) * 1.02)
    axes.set_ylim(len(records) - 0.3, -0.7)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: quantities.tick(value, duration)))
    axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value + 1:.0f}"))
    axes.grid(True, axis="x")


def paint_record(axes, i, record, first_ns):
    def bar(begin_ns, end_ns, **look):
        axes.plot([begin_ns - first_ns, end_ns - first_ns], [i, i], solid_capstyle="butt", zorder=2, **look)

    emitted_ns = record[EMITTED]
    bar(record[PUT], emitted_ns, color=style.GREY, linewidth=0.6)
    over_ns = record[TIMED_OUT] or emitted_ns
    for asked, heard, failed in record[ATTEMPTS]:
        look = {"color": WRONG if failed or heard is None else RIGHT, "linewidth": 3.2}
        bar(asked, over_ns if heard is None else heard, **look)
    if held_ns(record):
        bar(answered_ns(record), emitted_ns, color=HELD, linewidth=3.2)
    mark = {"marker": "x", "color": WRONG} if record[TIMED_OUT] else {"marker": "|", "color": style.INK}
    axes.plot([emitted_ns - first_ns], [i], markersize=5, linestyle="none", zorder=3, **mark)


RIGHT, WRONG, HELD = "#0072b2", "#d55e00", "#c9c9c9"


def describe(document):
    words = [f"{row['emission']}: {held_up(document, row)} of {len(drawn(row))} answered records waited for their "
             "turn" for row in shown(document)]
    return f"{TITLE}: {'; '.join(words)}."


def condition(document):
    rows = shown(document)
    which = f"{operator.SAID[rows[0]['answers']]}, capacity {rows[0]['capacity']}; " if rows else ""
    return which + operator.condition(document)


def statements(document):
    rows = {row["emission"]: row for row in shown(document)}
    if len(rows) < 2 or rows["ordered"]["answers"] == "constant":
        return [verdicts.unknown("records that waited for their turn, ordered", None)]
    said = []
    for emission, judge, limit in (("ordered", verdicts.above, 0), ("unordered", verdicts.below, 1)):
        found = held_up(document, rows[emission])
        said.append(judge(f"{emission}: records of {len(drawn(rows[emission]))} that waited for their turn",
                          verdicts.Measured(found, found, found, quantities.count), limit))
    return said


FIGURE = DocumentFigure(
    name="operator_timeline",
    title=TITLE,
    subtitle="Records in the operator, one by one: unordered, and in order",
    caption="Each bar is a record: asked, and waiting for its turn once it is answered.",
    reading="In order, one slow answer holds up all records behind it: their answers are there and must wait "
            "(head-of-line waiting). Their places stay taken, so the source waits, too.",
    file="operator.json",
    schema="iolab.operator.v1",
    made_by="build/iolab operator --out FOLDER",
    shape=operator.SHAPE,
    place=place,
    describe=describe,
    condition=condition,
    legend=lambda document: [
        "blue: asked; orange: an error or no answer; grey: answered, and waiting for its turn; thin: in the operator, "
        "with no question in flight; upright stroke: it leaves; cross: its time was over"],
    claim=verdicts.Claim(
        "Apache Flink’s asynchronous I/O: orderedWait and unorderedWait",
        "in order, records that are answered wait for a slow one before them; unordered they leave at once",
        f"reproduced when, where answer times differ, some records waited for their turn by more than {LATE_NS:g} of "
        "the mean answer time in order, and none did unordered (a limit of ours)",
        statements))
