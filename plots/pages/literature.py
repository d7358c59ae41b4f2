# SPDX-License-Identifier: MIT
"""What the folder holds beside the comparison: the literature's figures with their verdicts, traces,
tables."""
import os

from drawing import rendering, sheet, verdict_words
from figures import registry
from pages import comparison
from pages.nodes import (Bullets, Cell, Code, Figure, Grid, Group, Link, Paragraph, Part, Section, Soft,
                   Strong, Table, to)
from readings import results, studies, study_notes, verdicts
from readings.command_line import command_line
from readings.quantities import bound, listed, ratio, span

TITLE = "The figures of the literature"
TRACES_TITLE = "How it comes about"
NOT_TRIED = "not measured"


def load(folder):
    """Each figure that the folder could have beside the comparison, with what it is drawn from; None
    where that is not there."""
    return [(figure, figure.load(folder)) for figure in registry.BESIDE]


def why_not(figure, folder):
    """Why a figure is not there: what harness/studies/study.py or harness/studies/quick.py noted, if anything."""
    for name in figure.sources:
        reason = study_notes.why_missing(folder, name)
        if reason:
            return str(reason)
        try:
            results.load(os.path.join(folder, study_notes.FOLDER, name))
        except results.NothingRan as error:
            return str(error)
        except results.ResultsError:
            pass  # it is not there
    return "the folder does not hold what it is drawn from"


def figures_command(folder, quick=False):
    return f"make figures{' QUICK=1' if quick else ''} RESULTS={command_line([folder])}"


def verdict_section(documents, summary):
    """Every claim with its verdict, and every claim that could not be tried with the reason."""
    folder = summary.folder
    claims = [(figure, document) for figure, document in documents if figure.claim]
    # Those about the comparison itself: there is always something to judge them by.
    own = [(figure, summary) for figure in registry.judged(registry.PANELS)]
    title = "What others found, and this machine"
    if not any(document for _, document in claims):
        return Section(title, [Paragraph(
            ["Nothing of it was tried here but what the comparison itself can tell. ",
             Code(figures_command(folder)),
             " runs what known figures of the field need, and gives each a verdict."]),
            verdict_table(own, folder)])
    claims += own
    judged = [figure.judge(document).id for figure, document in claims if document]
    counts = [f"{judged.count(id_)} {verdict_words.NAMES[id_]}"
              for id_ in dict.fromkeys([verdicts.REPRODUCED, verdicts.CONTRADICTED, *judged])]
    missing = len(claims) - len(judged)
    if missing:
        counts.append(f"{missing} {NOT_TRIED}")
    return Section(title, [
        Paragraph(f"{len(claims)} findings: {listed(counts)}. A verdict follows from the medians and "
                  "intervals of this folder, by the rule that stands beside it. “Cannot tell” means "
                  "that something was missing, or that an interval reaches over the rule's limit: "
                  "more rounds may decide."),
        verdict_table(claims, folder)])


def verdict_table(claims, folder):
    rows = [claim_row(figure, document, folder) for figure, document in claims]
    return Table("What others found, and what this machine shows.", "figure",
                 [Part("", ["what others found", "rule", "here"])], [Group("", rows)], "prose")


def claim_row(figure, document, folder):
    claim = figure.claim
    found = [Cell([f"{claim.found} ", Soft(f"({claim.source})")]), Cell(Soft(claim.rule))]
    if document is None:
        return [figure.title, *found, Cell([Strong(NOT_TRIED), f": {why_not(figure, folder)}"])]
    verdict = figure.judge(document)
    mark = "QUICK, " if document.quick else ""
    # The comparison's own figures stand with each workload, and not in a section of their own.
    name = figure.title if figure in registry.PANELS else Link(figure.title, to(figure.title))
    return [name, *found, Cell([mark, Strong(verdict_words.name(verdict)), verdict_words.joint(verdict),
                                verdict_words.because(verdict)])]


def document_section(figure, document):
    """Drawn as on a narrow page. The caption tells what was run, since a bare figure does not."""
    drawn = figure.draw(document, sheet.NARROW_IN, bare=True)
    said = [word for line in figure.foot(document) for word in line]
    said = [word for word in figure.conditions(document) if word not in said] + said
    return Section(figure.title, [Figure(
        figure.name, rendering.svg(drawn), rendering.png(drawn), figure.alt_text(document),
        [figure.caption, " ", Soft(comparison.listed_words(said))]),
        *([Paragraph(figure.reading)] if figure.reading else []),
        *([ratio_table(figure.table(document))] if getattr(figure, "table", None) else [])])


def ratio_table(table):
    parts = [Part(title, list(heads)) for title, heads in table.columns.items()]
    rows = [[name, *map(ratio_cell, ratios)] for name, ratios in table.rows.items()]
    return Table(table.caption, table.head, parts, [Group("", rows)], "stacked")


def ratio_cell(found):
    if not found:
        return Cell(None)
    same = found.low <= 1 <= found.high
    return Cell(ratio(found.median), (Soft(span(found.low, found.high, bound)),
                                      *([Soft("no difference shown")] if same else [])))


def figure_sections(documents, folder):
    """Traces and tables, then the literature's."""
    traces = [pair for pair in documents if pair[0] in registry.TRACES]
    claims = [pair for pair in documents if pair[0] in registry.LITERATURE]
    sections = []
    for title, pairs, words in (
            (TRACES_TITLE, traces, "Traces and tables from runs of their own, on the same machine. "),
            (TITLE, claims, "Comparisons of their own, made for one figure each. ")):
        there = [pair for pair in pairs if pair[1]]
        if not there:
            continue
        missing = [f"{figure.title}: {NOT_TRIED}: {why_not(figure, folder)}."
                   for figure, document in pairs if not document]
        sections.append(Section(title, [
            Paragraph([words, Link("Commands", to("Commands")), " has what made each."]),
            Grid([document_section(*pair) for pair in there]),
            *([Section("What could not be drawn", [Bullets(missing)])] if missing else [])]))
    return sections


def commands(documents):
    """Name and command of everything that was run for these figures, each once."""
    found = {}
    for _, document in documents:
        if isinstance(document, studies.Study):
            found.update((name, summary.command) for name, summary in document.summaries.items())
        elif document:
            found[document.content["schema"].split(".")[1]] = document.command
    return {name: command for name, command in found.items() if command}


def quick_words(documents, summary):
    """Which of the results come from short runs; empty where none does."""
    there = [document for _, document in documents if document]
    quick = sum(document.quick for document in there)
    if not summary.quick and not quick:
        return ""
    words = ["the comparison"] if summary.quick else []
    if quick:
        words.append(f"{'all' if quick == len(there) else f'{quick} of the'} {len(there)} figures "
                     "beside it")
    return (f"QUICK: {listed(words)} come{'' if len(words) > 1 or quick else 's'} from short runs, for a "
            "first look only. Do not quote these numbers; without QUICK=1 the same commands take "
            "their time.")
