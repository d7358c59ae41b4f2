# SPDX-License-Identifier: MIT
"""What the comparison found: in short, then workload by workload."""
import hashlib
import re

from drawing import rendering, sheet, words
from figures import registry
from pages import cpu_account
from pages.nodes import (Bullets, Cell, Figure, Grid, Group, Label, Link, Notice, Paragraph, Part, Reason,
                   Section, Soft, Strong, Table, anchor, to)
from pages.question import work_words
from readings import estimates, remarks
from readings.quantities import bound, count, cpu_time, duration, listed, ratio, span

THROUGHPUT = "ops_per_s"
CPU = "cpu.us_per_op"

# What the big table shows of a configuration: part, then heading, metric, format of its columns.
PARTS = (
    ("Throughput", (("{op}s/s", "ops_per_s", count),)),
    ("Latency", (("p50", "latency_ns.p50", duration),
                 ("p99", "latency_ns.p99", duration),
                 ("p99.9", "latency_ns.p99_9", duration))),
    ("CPU time per {op}", (("this process", "cpu.us_per_op", cpu_time),
                           ("whole machine", "cpu.host_us_per_op", cpu_time))),
)
WITH_RATIO = ("ops_per_s", "latency_ns.p50", "cpu.us_per_op")

VERDICTS = ((estimates.HIGHER, "more {op}s/s than {baseline}"), (estimates.NONE, "no difference shown"),
            (estimates.LOWER, "fewer {op}s/s than {baseline}"), (None, "not compared, or could not run"))
VERDICT_WORDS = {estimates.NONE: "no difference shown", estimates.LOWER: "lower", estimates.HIGHER: "higher"}


def interval(estimate, as_text):
    return span(estimate.low, estimate.high, as_text)


def ratio_words(estimate):
    return f"{ratio(estimate.mean)} ({interval(estimate, bound)})"


def titles(summary):
    """A heading for each panel, no one twice. Two may have the same work, with different values swept; two
    with different work may have one name, where names are cut or rounded."""
    names = [panel.name for panel in summary.panels]
    found = [f"{panel.name}, by {panel.x_name}" if names.count(panel.name) > 1 else panel.name
             for panel in summary.panels]
    return [f"{title} ({found[:i + 1].count(title)})" if found.count(title) > 1 else title
            for i, title in enumerate(found)]


def baseline_words(panel):
    """What the ratios of a panel are taken to; a stand-in is named with its reason elsewhere."""
    baselines = panel.baselines()
    return baselines[0] if len(baselines) == 1 else "the baseline"


def ratios_of(summary, key):
    return sum(bool(c.ratio(key)) for panel in summary.panels for c in panel.configurations)


def headline(summary, panel):
    """The highest throughput at the last swept value at which anything ran, and its rivals; the
    least CPU time per operation where the peer, not the engines, bounds the rates."""
    # Imported runs took no turns with the others: they are named only where there is nothing else.
    own = [c for c in panel.configurations if c.metric(THROUGHPUT) and not c.imported]
    own = own or [c for c in panel.configurations if c.metric(THROUGHPUT)]
    if not own:
        return "nothing could run."
    x = max(c.x for c in own)
    at_x = [c for c in own if c.x == x]
    where = f"at {words.x_words(panel, [x])} "
    if any(c.peer_limited for c in at_x):
        at_x = [c for c in at_x if c.metric(CPU)]
        if not at_x:
            return f"{where}the peer was at its limit: rates tell nothing apart."
        best = min(at_x, key=lambda c: c.metric(CPU).median)
        said = [f"{where}the peer was at its limit, so rates do not tell the engines apart; the least CPU "
                f"time per {panel.op} has ", Strong(best.label), f" with {cpu_time(best.metric(CPU).median)}"]
        return said + rivalry(best, at_x, CPU, ratios_of(summary, CPU))
    best = max(at_x, key=lambda c: c.metric(THROUGHPUT).median)
    said = [f"{where}the highest median is ", Strong(best.label),
            f" with {count(best.metric(THROUGHPUT).median)} {panel.op}s/s"]
    return said + rivalry(best, at_x, THROUGHPUT, ratios_of(summary, THROUGHPUT))


def rivalry(best, at_x, key, ratios):
    """How the best compares with the baseline, and whom it may not have beaten. `ratios`: how many of this
    metric the comparison has."""
    reach = best.metric(key)
    rivals = [c.label for c in at_x if c is not best
              and c.metric(key).low <= reach.high and c.metric(key).high >= reach.low]
    said = []
    against = best.ratio(key)
    if against:
        said.append(f", which is {ratio_words(against)} {best.baseline}’s")
        if against.verdict == estimates.NONE:
            said.append(f" ({VERDICT_WORDS[estimates.NONE]})")
        elif against.together == estimates.NONE:
            said.append(f" (this may be chance: it is one of {ratios} ratios)")
    elif best.label == best.baseline:
        said.append(", and it stands in for the baseline" if best.stand_in_reason else
                    ", and it is the baseline")
    said.append(f". The intervals of {listed(rivals)} overlap with its own: which of them is first "
                "stays open." if rivals else ".")
    return said


def in_short(summary):
    return Section("In short", [Bullets(
        [[Link(title, to(title)), ": ", headline(summary, panel)]
         for title, panel in zip(titles(summary), summary.panels)])])


def verdict_table(panel):
    """Who beats the baseline in throughput at which swept value."""
    baselines = panel.baselines()
    rows = []
    for x in panel.xs:
        groups = {verdict: [] for verdict, _ in VERDICTS}
        for label in panel.labels:
            c = panel.at(label, x)
            if c is None or label == c.baseline and c.ok:
                continue
            against = c.ratio(THROUGHPUT)
            groups.setdefault(against.verdict if against else None, []).append((c, against))
        limited = any(c.peer_limited for c in panel.configurations if c.x == x)
        note = Soft(": the peer was at its limit, do not compare rates") if limited else None
        to_whom = Soft(f", to {panel.baseline_at(x)}") if len(baselines) > 1 else None
        rows.append([[words.x_words(panel, [x]), to_whom, note]] + [
            Cell(labels_words(groups[verdict])) for verdict, _ in VERDICTS])
    heads = [name.format(op=panel.op, baseline=baseline_words(panel)) for _, name in VERDICTS]
    return Table(f"Throughput against {baseline_words(panel)}: {panel.name}.", panel.x_name,
                 [Part("", heads)], [Group("", rows)], "stacked")


def labels_words(pairs):
    """Labels with their ratios, the highest first; None when there are none."""
    said = []
    for c, against in sorted(pairs, key=lambda pair: pair[1].mean if pair[1] else 0, reverse=True):
        behind = ratio(against.mean) if against else (
            f"({'imported' if c.imported else 'no baseline'})" if c.ok else f"({c.status})")
        said += [", " if said else None, Label(c.label), " ", Soft(behind)]
    return said or None


def number_cell(estimate, as_text, rounds):
    if estimate is None:
        return Cell(None)
    return Cell(Strong(as_text(estimate.median)),
                (Soft(interval(estimate, as_text)),) if rounds > 1 else ())


def ratio_cell(configuration, key):
    estimate = configuration.ratio(key)
    if estimate is None:
        is_baseline = configuration.label == configuration.baseline
        return Cell("baseline", soft=True) if is_baseline else Cell(None)
    plain = estimate.verdict == estimates.NONE
    said = VERDICT_WORDS.get(estimate.verdict, estimate.verdict)
    return Cell(ratio(estimate.mean), (Soft(interval(estimate, bound)),
                                       Soft(said) if plain else said))


def number_row(configuration):
    name = Label(configuration.label)
    if not configuration.ok:
        return [name, Reason(configuration.status, str(configuration.reason or remarks.NO_REASON))]
    cells = []
    for _, columns in PARTS:
        for _, key, as_text in columns:
            cells.append(number_cell(configuration.metric(key), as_text, configuration.rounds))
            if key in WITH_RATIO:
                cells.append(ratio_cell(configuration, key))
    calls = configuration.syscalls_per_op
    spread = configuration.syscalls_spread or {}
    several = spread.get("count", 1) > 1
    return [name, *cells, Cell("not counted", soft=True) if calls is None else
            Cell(Strong(count(calls)),
                 (Soft(span(spread["min"], spread["max"], count)),) if several else ())]


def number_table(panel):
    parts = []
    for title, columns in PARTS:
        heads = []
        for head, key, _ in columns:
            heads.append(head.format(op=panel.op))
            if key in WITH_RATIO:
                heads.append(f"ratio to {baseline_words(panel)}")
        parts.append(Part(title.format(op=panel.op), heads))
    parts.append(Part("System calls", [f"per {panel.op}"]))
    groups = [Group(words.x_words(panel, [x]), [number_row(panel.at(label, x))
                                         for label in panel.labels if panel.at(label, x)])
              for x in panel.xs]
    return Table(f"All numbers: {panel.name}.", "engine", parts, groups, "numbers")


def listed_words(foot):
    """What stands at a figure's foot, for its caption: machine, kernel, device, rounds."""
    return " · ".join(word for word in foot if word) + "."


def figure(of, summary, panel, title):
    drawn = of.draw(summary.only(panel), sheet.NARROW_IN, bare=True)
    alt = (f"{of.title} of {listed(panel.labels)} on {panel.name}, {words.x_words(panel, panel.xs)}. "
           "The table of this section has the numbers.")
    return Figure(f"{file_name(title)}-{of.name}", rendering.svg(drawn), rendering.png(drawn), alt,
                  [f"{of.title}: {panel.name}. ", of.caption, " ", Soft(listed_words(
                      words.machine_words(summary.env) + [
                          words.device_words(summary.env), words.rounds_words(summary),
                          words.load_words(summary.load)]))])


NAME_BYTES = 100  # of a file's name; a label may be longer than a file system's limit


def file_name(title):
    """Short and different for different titles."""
    name = re.sub(r"[^a-z0-9]+", "-", anchor(title)).strip("-") or "panel"
    if len(name) <= NAME_BYTES:
        return name
    return f"{name[:NAME_BYTES - 9]}-{hashlib.sha256(title.encode()).hexdigest()[:8]}"


def panel_section(summary, panel, title):
    notes = words.panel_notes(panel)
    missing = [str(note) for note in notes if note.kind != words.WARNING]
    warnings = [str(note) for note in notes if note.kind == words.WARNING]
    blocks = [Paragraph([work_words(panel)[:1].upper() + work_words(panel)[1:], ". One operation is "
                         f"one {panel.op}."])]
    if warnings:
        blocks.append(Section("Warnings", [Notice(warnings)]))
    blocks.append(Section(f"Throughput against {baseline_words(panel)}", [
        *[Paragraph([Strong(said), "."]) for said in words.stand_in_words(panel)],
        verdict_table(panel),
        *[Paragraph(Soft(f"No ratio: {reason}.")) for reason in words.ratio_reasons(panel)]]))
    if missing:
        blocks.append(Section("What could not run", [Bullets(missing)]))
    blocks.append(Section("Figures", [
        Paragraph(Soft(f"In all of them, {words.marks_words(summary)}.")),
        Grid([figure(of, summary, panel, title) for of in registry.PANELS])]))
    blocks.append(Section("All numbers", [number_table(panel)]))
    account = cpu_account.section(summary, panel)
    if account:
        blocks.append(account)
    return Section(title, blocks)


def panel_sections(summary):
    return [panel_section(summary, panel, title)
            for title, panel in zip(titles(summary), summary.panels)]
