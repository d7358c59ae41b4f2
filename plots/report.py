#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the report of a results folder: one page with everything in it, to read or to print."""
import argparse
import os
import re
import sys

import appendix
import figures
import results
import sheet
import verdicts
from markup import Markup, between, joined, tag
from quantities import DASH, count, cpu_time, duration, listed, ratio, span

CSS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "report.css")
THROUGHPUT = "ops_per_s"
CPU = "cpu.us_per_op"
STEAL = "cpu.host_steal_pct"
STEAL_NOTICED_PCT = 1  # of a CPU

# What the big table shows of a configuration: heading, metric, format; then its ratio, if any.
COLUMNS = (
    ("{op}s/s", "ops_per_s", count),
    ("latency p50", "latency_ns.p50", duration),
    ("latency p99", "latency_ns.p99", duration),
    ("latency p99.9", "latency_ns.p99_9", duration),
    ("CPU per {op}, this process", "cpu.us_per_op", cpu_time),
    ("CPU per {op}, whole machine", "cpu.host_us_per_op", cpu_time),
)
WITH_RATIO = ("ops_per_s", "latency_ns.p50", "cpu.us_per_op")

READING = (
    "Each number is the median over the rounds; the smaller ones under it are its interval. Trust "
    "the ratios more than the absolute numbers: a busy or throttled machine slows all engines "
    "alike, since they take turns.",
    "A ratio is taken round by round to {baseline} on the same workload at the same {x}, and is the "
    "geometric mean of those of the rounds. “Higher” "
    "and “lower” mean that its whole interval lies on that side of 1. “No difference shown” means "
    "that the interval spans 1, or that there were fewer than five rounds: they do not tell the two "
    "apart. It does not mean that they are equal.",
    "“Unsupported” means that the interface cannot do this, here or anywhere, in the words of the "
    "kernel where there are any. Nothing was put in its place.",
    "Colour, marker and line belong to the engine, in every figure.",
)


def interval(estimate, as_text):
    return span(estimate.low, estimate.high, as_text)


def ratio_words(estimate):
    return f"{ratio(estimate.mean)} ({interval(estimate, count)})"


def name_of(label):
    """A long label may break where its parts meet."""
    return joined([part if part.isalnum() else [part, Markup("<wbr>")]
                   for part in re.split(r"([:+_])", label)])


def anchor(panel, i):
    return f"{i + 1}-" + (re.sub(r"[^a-z0-9]+", "-", panel.name.lower()).strip("-") or "panel")


def headline(summary, panel):
    """The highest throughput at the last swept value at which anything ran, and its rivals; the
    least CPU time per operation where the peer, not the engines, bounds the rates."""
    # What was imported did not take turns: it is named only where there is nothing else.
    own = [c for c in panel.configurations if c.metric(THROUGHPUT) and not c.imported]
    own = own or [c for c in panel.configurations if c.metric(THROUGHPUT)]
    for x in reversed(panel.xs):
        at_x = [c for c in own if c.x == x]
        if at_x:
            break
    else:
        return "nothing could run."
    if any(c.peer_limited for c in at_x):
        key = CPU
        at_x = [c for c in at_x if c.metric(CPU)]
        if not at_x:
            return f"at {panel.x_words([x])} the peer was at its limit: rates tell nothing apart."
        best = min(at_x, key=lambda c: c.metric(CPU).median)
        reach = best.metric(CPU)
        rivals = [c.label for c in at_x if c is not best and c.metric(CPU).low <= reach.high]
        words = [f"at {panel.x_words([x])} the peer was at its limit, so rates do not tell the "
                 f"engines apart; the least CPU time per {panel.op} has ", tag("b", best.label),
                 f" with {cpu_time(reach.median)}"]
    else:
        key = THROUGHPUT
        best = max(at_x, key=lambda c: c.metric(THROUGHPUT).median)
        reach = best.metric(THROUGHPUT)
        rivals = [c.label for c in at_x if c is not best and c.metric(THROUGHPUT).high >= reach.low]
        words = [f"at {panel.x_words([x])} the highest median is ", tag("b", best.label),
                 f" with {count(reach.median)} {panel.op}s/s"]
    against = best.ratio(key)
    if against:
        words.append(f", {ratio_words(against)} that of {summary.baseline}")
        if against.verdict == "no difference shown":
            words.append(" (no difference shown)")
    elif best.label == summary.baseline:
        words.append(", and it is the baseline")
    words.append(f". The intervals of {listed(rivals)} overlap with its own." if rivals else
                 ". No other interval overlaps with its own." if len(at_x) > 1 and
                 summary.rounds_done > 1 else ".")
    return joined(*words)


VERDICTS = (("higher", "more {op}s/s than {baseline}"), ("no difference shown", ) * 2,
            ("lower", "fewer {op}s/s than {baseline}"), (None, "not compared, or could not run"))


def verdict_table(summary, panel):
    """Who beats the baseline in throughput at which swept value."""
    names = [name.format(op=panel.op, baseline=summary.baseline) for _, name in VERDICTS]
    rows = []
    for x in panel.xs:
        groups = {verdict: [] for verdict, _ in VERDICTS}
        for label in panel.labels:
            c = panel.at(label, x)
            if c is None or label == summary.baseline and c.ok:
                continue
            against = c.ratio(THROUGHPUT)
            groups.setdefault(against.verdict if against else None, []).append((c, against))
        cells = []
        for (verdict, _), name in zip(VERDICTS, names):
            found = sorted(groups[verdict], key=lambda pair: pair[1].mean if pair[1] else 0,
                           reverse=True)
            words = [joined(name_of(c.label), " ", tag("span", ratio(r.mean), class_="soft") if r else
                            tag("span", f"({'imported' if c.imported else 'no baseline'})"
                                if c.ok else f"({c.status})", class_="soft")) for c, r in found]
            cells.append(tag("td", between(", ", words) or DASH, data_name=name,
                             class_=None if words else "empty"))
        limited = any(c.peer_limited for c in panel.configurations if c.x == x)
        note = tag("small", "the peer was at its limit: do not compare rates") if limited else None
        rows.append(tag("tr", tag("th", panel.x_words([x]), note, scope="row"), cells))
    head = tag("tr", tag("td"), [tag("th", name, scope="col") for name in names])
    return tag("div", tag("table", tag("thead", head), tag("tbody", rows), class_="verdicts"),
               class_="scroll")


def number_cell(estimate, as_text, rounds):
    if estimate is None:
        return tag("td", DASH)
    return tag("td", tag("b", as_text(estimate.median)),
               tag("small", interval(estimate, as_text)) if rounds > 1 else None)


def ratio_cell(configuration, key, baseline):
    estimate = configuration.ratio(key)
    if estimate is None:
        return tag("td", "baseline" if configuration.label == baseline else DASH, class_="none")
    plain = estimate.verdict == "no difference shown"
    return tag("td", ratio(estimate.mean), tag("small", interval(estimate, count)),
               tag("span", estimate.verdict, class_="verdict none" if plain else "verdict"))


def number_row(summary, configuration):
    name = tag("th", name_of(configuration.label), scope="row")
    width = len(COLUMNS) + len(WITH_RATIO) + 1
    if not configuration.ok:
        why = f"{configuration.status}: {configuration.reason or 'no reason was given'}"
        return tag("tr", name, tag("td", tag("span", why), colspan=width, class_="reason"))
    cells = []
    for _, key, as_text in COLUMNS:
        cells.append(number_cell(configuration.metric(key), as_text, configuration.rounds))
        if key in WITH_RATIO:
            cells.append(ratio_cell(configuration, key, summary.baseline))
    calls = configuration.syscalls_per_op
    cells.append(tag("td", tag("b", count(calls))) if calls is not None else
                 tag("td", "not counted", class_="none"))
    return tag("tr", name, cells)


def number_table(summary, panel):
    heads = [tag("th", "engine", scope="col")]
    for words, key, _ in COLUMNS:
        heads.append(tag("th", words.format(op=panel.op), scope="col"))
        if key in WITH_RATIO:
            heads.append(tag("th", f"ratio to {summary.baseline}", scope="col"))
    heads.append(tag("th", f"system calls per {panel.op}", scope="col"))
    bodies = []
    for x in panel.xs:
        group = tag("tr", tag("th", tag("span", panel.x_words([x])), colspan=len(heads),
                              scope="colgroup"), class_="group")
        rows = [number_row(summary, panel.at(label, x)) for label in panel.labels
                if panel.at(label, x)]
        bodies.append(tag("tbody", group, rows))
    table = tag("table", tag("thead", tag("tr", heads)), bodies, class_="numbers")
    return tag("div", table, class_="scroll", tabindex=0, role="region",
               aria_label=f"All numbers of {panel.name}")


def inline_svg(text, prefix, alt):
    """An SVG file as an element of a page: no prologue, no fixed size, identifiers of its own."""
    text = text[text.index("<svg"):]
    text = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", text, count=1, flags=re.DOTALL)
    text = re.sub(r'\bid="', f'id="{prefix}', text)
    text = re.sub(r'((?:xlink:)?href="|url\()#', rf"\1#{prefix}", text)
    view = re.search(r'viewBox="([^"]*)"', text).group(1)
    body = text[text.index(">") + 1:]
    opening = tag("svg", viewBox=view, role="img", aria_label=alt,
                  style="stroke-linejoin: round; stroke-linecap: butt")
    return Markup(opening.removesuffix("</svg>") + body)


def figure(module, summary, panel, prefix):
    drawn = module.draw(summary.only(panel), sheet.NARROW_IN, bare=True)
    alt = (f"{module.TITLE} of {listed(panel.labels)} on {panel.name}, {panel.x_words(panel.xs)}. "
           "The table of this section has the numbers.")
    return tag("figure", inline_svg(figures.svg(drawn), prefix, alt),
               tag("figcaption", module.CAPTION))


def document_figure(module, document):
    """A figure of something other than the comparison: drawn as wide as the page, and its command."""
    drawn = module.draw(document, sheet.NARROW_IN, bare=True)
    return tag("figure", inline_svg(figures.svg(drawn), module.NAME + "-", module.alt_text(document)),
               tag("figcaption", module.CAPTION, " Made by ", tag("code", document.command), "."))


def documents_section(summary):
    """What the folder holds beside the comparison: traces and tables, then the literature's."""
    found = [(module, document) for module in figures.DOCUMENTS
             if (document := module.load(summary.folder))]
    traces = [pair for pair in found if pair[0] not in figures.LITERATURE]
    claims = [pair for pair in found if pair[0] in figures.LITERATURE]
    judged = [pair for pair in found if pair[0] in figures.JUDGED]

    def drawn(pairs):
        return tag("div", [document_figure(*pair) for pair in pairs], class_="figures")

    return [
        tag("section", tag("h2", "How it comes about"),
            tag("p", "Traces and tables from runs of their own, on the same machine."),
            drawn(traces)) if traces else None,
        tag("section", tag("h2", "What others found, and this machine"),
            tag("p", "Each verdict follows from the data by the rule in its figure. “Cannot tell” "
                "means that an interval reaches over the rule's limit: more rounds may decide."),
            verdict_list(judged),
            tag("p", f"{listed(m.TITLE for m in figures.ILLUSTRATIONS)}: {figures.NOT_JUDGED}.",
                class_="soft"),
            drawn(claims)) if claims else None,
    ]


def verdict_list(claims):
    rows = [(module.TITLE, verdicts.judge(module.CLAIM, document)) for module, document in claims]
    return tag("dl", [(tag("dt", title), tag("dd", tag("b", verdict.name), " ", verdict.because))
                      for title, verdict in rows], class_="facts")


def panel_section(summary, panel, i):
    remarks = panel.remarks()
    missing = [tag("li", str(r)) for r in remarks if r.kind != "warning"]
    warnings = [tag("li", str(r)) for r in remarks if r.kind == "warning"]
    return tag(
        "section", tag("h2", panel.name), tag("p", f"One operation is one {panel.op}."),
        [tag("h3", "Warnings"), tag("ul", warnings, class_="notice")] if warnings else None,
        tag("h3", f"Throughput against {summary.baseline}"), verdict_table(summary, panel),
        [tag("p", f"No ratio: {reason}.", class_="soft") for reason in panel.ratio_reasons()],
        [tag("h3", "What could not run"), tag("ul", missing)] if missing else None,
        tag("h3", "Figures"), tag("p", f"In all of them, {summary.marks_words()}.", class_="soft"),
        tag("div", [figure(module, summary, panel, f"p{i}{module.NAME}-")
                    for module in figures.FIGURES], class_="figures"),
        tag("h3", "All numbers"), number_table(summary, panel),
        id=anchor(panel, i))


def head_section(summary):
    where = " · ".join(word for word in summary.machine_words() + [summary.device_words()] if word)
    notices = []
    if summary.interrupted or summary.rounds_done < summary.rounds_planned:
        notices.append(f"The comparison was interrupted: {summary.rounds_words()}.")
    if summary.rounds_done == 1:
        notices.append("There was 1 round only: how much these numbers vary is unknown.")
    if summary.precision_words():
        notices.append(f"Precision: {summary.precision_words()}.")
    if summary.env_varies:
        notices.append(f"The machine changed between runs: {listed(summary.env_varies)}.")
    if (steal_of(worst_steal(summary)) or 0) >= STEAL_NOTICED_PCT:
        notices.append(f"The hypervisor took CPU time away: {steal_words(summary)}.")
    short = [tag("li", tag("a", panel.name, href="#" + anchor(panel, i)), ": ",
                 headline(summary, panel)) for i, panel in enumerate(summary.panels)]
    reading = [tag("li", text.format(baseline=summary.baseline, x=listed(dict.fromkeys(
        {"conns": "number of connections"}.get(p.x_name, p.x_name) for p in summary.panels))))
        for text in READING]
    return [
        tag("header", tag("h1", "Which of the kernel’s I/O interfaces does this work best?"),
            tag("p", where),
            tag("p", f"Measured {summary.time_utc} with {summary.commit_words() or 'iolab'}, "
                f"{summary.rounds_words()}.", class_="soft")),
        tag("ul", [tag("li", n) for n in notices], class_="notice") if notices else None,
        tag("section", tag("h2", "In short"), tag("ul", short)),
        tag("section", tag("h2", "How to read this page"), tag("ul", reading)),
    ]


def steal_of(configuration):
    estimate = configuration and configuration.metric(STEAL)
    return None if estimate is None else estimate.median


def worst_steal(summary):
    """The configuration from which the hypervisor took most; None where that is not known."""
    known = [c for panel in summary.panels for c in panel.configurations
             if steal_of(c) is not None]
    return max(known, key=steal_of, default=None)


def steal_words(summary):
    worst = worst_steal(summary)
    if worst is None:
        return "not known"
    if steal_of(worst) == 0:
        return "none seen"
    return (f"up to {steal_of(worst):.2g} % of a CPU in the median, from {worst.label} on "
            f"{worst.panel_name} at {worst.x_name} {worst.x}")


def method_section(summary):
    everything = [c for panel in summary.panels for c in panel.configurations]
    imported = list(dict.fromkeys(c.label for c in everything if c.imported))
    runs = [c for c in everything if c.ok and not c.imported]
    windows = sorted({(c.warmup_s, c.runtime_s) for c in runs if c.runtime_s is not None
                      and c.warmup_s is not None})
    if imported and not runs:
        return tag("section", tag("h2", "Method"), fact_list([
            ("rounds", f"{summary.rounds_words()} of {listed(imported)}, which ran one after the other"),
            ("intervals", f"{summary.confidence_pct:.3g} %, {summary.method or 'method not given'}")]))
    facts = [("rounds", summary.rounds_words()),
             ("order", "each round runs every configuration once, in an order of its own drawn at "
              f"random (seed {summary.seed}), so that drift of the machine hits all alike"),
             ("a run", "; ".join(f"a fresh process, {w:g} s to warm up, then a window of {r:g} s"
                                 for w, r in windows) or "a fresh process"),
             ("intervals", f"{summary.confidence_pct:.3g} %, {summary.method or 'method not given'}"),
             ("ratios", f"round by round to {summary.baseline}; {summary.ratio_confidence_pct:.3g} %, "
              f"{summary.ratio_method or 'method not given'}"),
             ("idle host", summary.idle_words() or "not measured"),
             ("steal", steal_words(summary))]
    if imported:
        facts.append(("imported", f"{listed(imported)}: runs of another program, made before or after "
                      "these rounds and not in turns with them, hence without ratios"))
    return tag("section", tag("h2", "Method"), fact_list(facts))


def environment_section(summary):
    facts = []
    for key, value in summary.env.items():
        if isinstance(value, dict):
            facts += [(f"{key}: {name}", env_words(name, v)) for name, v in value.items()]
        else:
            facts.append((key, env_words(key, value)))
    return tag("section", tag("h2", "Environment"),
               fact_list((key.replace("_", " "), words) for key, words in facts))


def env_words(key, value):
    if value is None:
        return tag("span", "not found", class_="soft")
    if key.endswith("_bytes") and isinstance(value, (int, float)):
        return f"{value / 2 ** 30:.3g} GiB" if value >= 2 ** 30 else f"{value / 2 ** 20:.3g} MiB"
    return listed(value) if isinstance(value, list) and value else str(value)


def fact_list(facts):
    return tag("dl", [(tag("dt", key), tag("dd", value)) for key, value in facts], class_="facts")


def command_section(summary):
    each = [c.command for panel in summary.panels for c in panel.configurations if c.command]
    return tag(
        "section", tag("h2", "Commands and data"), tag("p", "What made these results:"),
        tag("pre", summary.command or "not recorded"),
        tag("p", "What draws them:"),
        tag("pre", f"python3 plots/plot.py {results.command_line([summary.folder])}\n"
            f"python3 plots/report.py {results.command_line([summary.folder])}"),
        tag("details", tag("summary", f"The command of each of the {len(each)} configurations"),
            tag("pre", "\n".join(each))) if each else None,
        tag("p", "The data, beside this page:"),
        tag("ul", [tag("li", tag("a", name, href=name), f": {what}") for name, what in DATA
                   if os.path.exists(os.path.join(summary.folder, name))]))


DATA = (("summary.json", "medians, intervals and ratios: all that this page shows"),
        ("runs.jsonl", "the raw results, one line a run"),
        ("figures", "the figures as files, all workloads in one"))


def page(summary):
    with open(CSS, encoding="utf-8") as file:
        css = Markup(file.read())
    return "<!DOCTYPE html>\n" + tag(
        "html",
        tag("head", tag("meta", charset="utf-8"),
            tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
            tag("title", f"iolab: {listed(panel.name for panel in summary.panels)}"),
            tag("style", css)),
        tag("body", head_section(summary),
            tag("main", [panel_section(summary, panel, i)
                         for i, panel in enumerate(summary.panels)],
                documents_section(summary)),
            method_section(summary), environment_section(summary), command_section(summary),
            appendix.section(summary)),
        lang="en") + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", metavar="RESULTS_DIR",
                        help="a folder that `build/iolab compare` made, results/latest for one")
    parser.add_argument("--out", metavar="FILE", help="default: RESULTS_DIR/report.html")
    options = parser.parse_args()
    out = options.out or os.path.join(options.results, "report.html")
    try:
        text = page(results.load(options.results))
        with open(out, "w", encoding="utf-8") as file:
            file.write(text)
    except results.ResultsError as error:
        sys.exit(f"report.py: {error}")
    except OSError as error:
        sys.exit(f"report.py: {error.filename or out}: {error.strerror}")
    print(out)


if __name__ == "__main__":
    main()
