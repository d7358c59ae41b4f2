# SPDX-License-Identifier: MIT
"""An asynchronous operator: records a second and the time of a record, against capacity."""
from drawing import sheet, series, style
from drawing.figure import DocumentFigure
from readings import remarks, shape, verdicts
from readings.documents import document_shape
from readings.estimates import WHOLE_ESTIMATE, estimate
from readings.quantities import count, duration, percent, ratio as ratio_words

TITLE = "An asynchronous operator: records against capacity"
ALONE = "synchronous"
EMISSIONS = ("unordered", "ordered")
SAID = {"constant": "equal answer times", "exponential": "exponential answer times",
        "heavy_tailed": "heavy-tailed answer times"}
ABOUT = 1.1  # how far from capacity / answer time throughput may lie, for a verdict
LEAST_CAPACITY, MOST_PER_S = 2, 20000  # of the rows judged: beyond, the CPU may be the limit

FIGURES = ("records_per_s", "of_expected", "cpu_ns")
# [put, timed out, emitted, [[asked, heard, failed]...]]
_TRACED = shape.row_of(shape.number, shape.nullable(shape.number), shape.number, shape.list_of(
    shape.row_of(shape.number, shape.nullable(shape.number), shape.flag), fewest=1))
_TIMES = shape.record({"p50": shape.nullable(WHOLE_ESTIMATE), "p99": shape.nullable(WHOLE_ESTIMATE)})
_ROW = shape.record({
    "engine": shape.nullable(shape.record({"label": shape.text})), "emission": shape.text,
    "answers": shape.text, "capacity": shape.above_zero, "status": shape.text,
    "reason": shape.nullable(remarks.SHAPE), "warnings": shape.list_of(remarks.SHAPE),
    "latency_ns": _TIMES, "answer_ns": shape.record({"mean": shape.nullable(WHOLE_ESTIMATE),
                                                     "p99": shape.nullable(WHOLE_ESTIMATE)}),
    "trace": shape.nullable(shape.list_of(_TRACED)),
    **{key: shape.nullable(WHOLE_ESTIMATE) for key in FIGURES}})
_MEASURED = shape.record({
    "latency_ns": shape.record({"p99": WHOLE_ESTIMATE}),
    "answer_ns": shape.record({"mean": shape.record({"median": shape.above_zero}), "p99": WHOLE_ESTIMATE}),
    **{key: WHOLE_ESTIMATE for key in FIGURES}})


def _row(value, place):
    _ROW(value, place)
    if value["status"] == "ok":
        _MEASURED(value, place)


SHAPE = document_shape({
    "runtime_s": shape.number, "answer_ns": shape.above_zero, "lost_pct": shape.number,
    "failing_pct": shape.number, "timeout_ns": shape.number, "rows": shape.list_of(_row)})


def label_of(row):
    return row["engine"]["label"] if row["engine"] else ALONE


def measured(document, **wanted):
    return [row for row in document.content["rows"]
            if row["status"] == "ok" and all(row[key] == value for key, value in wanted.items())]


def kinds(document):
    """Of answer times, in the order in which they were asked for."""
    return list(dict.fromkeys(row["answers"] for row in document.content["rows"]))


def heading(answers, emission):
    return f"{SAID.get(answers, answers)}, {emission}"


def series_of(document, answers, emission, pick):
    """label -> [(capacity, Estimate)]"""
    found = {}
    for row in measured(document, answers=answers, emission=emission):
        found.setdefault(label_of(row), []).append((row["capacity"], estimate(pick(row))))
    return {label: sorted(points, key=lambda point: point[0]) for label, points in found.items()}


def judged(document):
    """Of each engine the unordered row with the most in flight at which the CPU is no limit yet."""
    chosen = {}
    for row in measured(document, emission="unordered"):
        expected_per_s = row["capacity"] * 1e9 / row["answer_ns"]["mean"]["median"]
        if row["capacity"] >= LEAST_CAPACITY and expected_per_s <= MOST_PER_S:
            best = chosen.get((label_of(row), row["answers"]))
            if not best or best["capacity"] < row["capacity"]:
                chosen[label_of(row), row["answers"]] = row
    return list(chosen.values())


def statements(document):
    rows = judged(document)
    if not rows:
        return [verdicts.unknown("records a second over capacity / answer time", None)]
    return [verdicts.within(f"{label_of(row)}, {row['capacity']} in flight, {SAID[row['answers']]}: "
                            "records a second over capacity / answer time",
                            verdicts.measured(row["of_expected"], ratio_words), ABOUT)
            for row in rows]


def describe(document):
    words = [f"{label_of(row)} {row['emission']} with {row['capacity']} in flight, {row['answers']}: "
             f"{count(row['records_per_s']['median'])} records/s"
             for row in measured(document)]
    return f"{TITLE}: {'; '.join(words)}."


def condition(document):
    content = document.content
    words = f"answers after {duration(content['answer_ns'])} in the mean, runs of {content['runtime_s']:g} s"
    if content["timeout_ns"]:
        words += (f"; {percent(content['lost_pct'])} of the questions lost, {percent(content['failing_pct'])} "
                  f"answered with an error; a record’s time: {duration(content['timeout_ns'])}")
    return words


def place(page, document):
    panels = {heading(answers, emission): (answers, emission)
              for answers in kinds(document) for emission in EMISSIONS}
    add_block(page, document, panels, "records a second", count, lambda row: row["records_per_s"],
              paint_expected)
    page.add(0.05)
    add_block(page, document, panels, "p99 of a record", duration,
              lambda row: row["latency_ns"]["p99"], paint_answer)
    told = set()
    for row in document.content["rows"]:
        label = label_of(row)
        if row["status"] != "ok" and label not in told:
            told.add(label)
            page.note("×", f"{label}: {row['status']}: {row['reason']}")
        for warning in row["warnings"]:
            if row["status"] == "ok":
                page.note("!", f"{label}, {row['emission']}, {row['capacity']} in flight: {warning}")
    for row in measured(document, emission=ALONE):
        page.note("", f"The program that asks and waits, {SAID[row['answers']]}: "
                  f"{count(row['records_per_s']['median'])} records a second, p99 "
                  f"{duration(row['latency_ns']['p99']['median'])}.")


def add_block(page, document, panels, y_label, as_text, pick, paint_behind):
    cells = {name: series_of(document, *panel, pick) for name, panel in panels.items()}
    series.grid(page, cells, "capacity: records inside at once", y_label, as_text,
                paint_behind=lambda axes, name: paint_behind(axes, document, panels[name][0]), log=True,
                columns=2)


def mean_of(document, answers, part):
    """Over the rows: each engine draws the same answers, and counts some more or less of them."""
    found = [row["answer_ns"][part]["median"] for row in measured(document, answers=answers, emission="unordered")]
    return sum(found) / len(found) if found else None


def paint_expected(axes, document, answers):
    mean_ns = mean_of(document, answers, "mean")
    if mean_ns:
        xs = axes.get_xlim()
        axes.plot(xs, [x * 1e9 / mean_ns for x in xs], color=style.GREY, linewidth=0.8,
                  linestyle=style.DASHED, zorder=1, scalex=False, scaley=False)


def paint_answer(axes, document, answers):
    p99_ns = mean_of(document, answers, "p99")
    if p99_ns:
        axes.axhline(p99_ns, color=style.GREY, linewidth=0.8, linestyle=style.DASHED, zorder=1)


FIGURE = DocumentFigure(
    name="operator",
    title=TITLE,
    subtitle="A stream of records, each of which asks a service and waits for its answer",
    caption="Records a second against capacity, and below it the 99th percentile of a record's time in the "
            "operator.",
    reading="The dashed line above is capacity over the mean answer time: what waiting alone allows. Where marks "
            "leave it, CPU or order is the limit. In order, a record that is answered waits for those before it, "
            "and its place is not free. The dashed line below is the 99th percentile of the answers themselves.",
    file="operator.json",
    schema="iolab.operator.v1",
    made_by="build/iolab operator --out FOLDER",
    shape=SHAPE,
    place=place,
    describe=describe,
    condition=condition,
    legend=lambda document: [
        "marks: median; bars: intervals over the rounds; dashed: capacity / mean answer time above, the answers’ "
        "own p99 below"],
    claim=verdicts.Claim(
        "Little 1961, Operations Research 9: what is inside = rate × time inside; Apache Flink’s asynchronous I/O",
        "asynchronous calls overlap their waiting: the rate is capacity / answer time until CPU or source is "
        "the limit",
        f"reproduced when, unordered, the records a second of every engine are within {ABOUT:g} × of capacity / "
        f"answer time, at the greatest capacity measured for which that is {MOST_PER_S} a second at most (limits "
        "of ours)",
        statements))
