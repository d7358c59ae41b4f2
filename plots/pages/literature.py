# SPDX-License-Identifier: MIT
"""What the folder holds beside the comparison: the literature's figures with their verdicts, traces,
tables."""
import os

from drawing import sheet
from figures import registry
from pages import comparison
from pages.nodes import (Bullets, Cell, Code, Figure, Grid, Group, Link, Paragraph, Part, Section, Soft,
                   Strong, Table, to)
from readings import results, verdicts
from readings.quantities import listed

TITLE = "The figures of the literature"
TRACES_TITLE = "How it comes about"
NOT_TRIED = "not measured"


def load(folder):
    """Module and document of each figure that the folder could have; the document is None where it
    is not there."""
    return [(module, module.load(folder)) for module in registry.DOCUMENTS]


def why_not(module, folder):
    """Why a figure is not there: what harness/studies/study.py or harness/studies/quick.py noted, if anything."""
    names = getattr(module, "COMPARISONS", None) or (getattr(module, "FILE", module.NAME),)
    for name in names:
        reason = results.why_missing(folder, name)
        if reason:
            return reason
        try:
            results.load(os.path.join(folder, results.STUDY, name))
        except results.NothingRan as error:
            return str(error)
        except results.ResultsError:
            pass  # it is not there
    return "the folder does not hold what it is drawn from"


def figures_command(folder, quick=False):
    return f"make figures{' QUICK=1' if quick else ''} RESULTS={results.command_line([folder])}"


def verdict_section(documents, summary):
    """Every claim with its verdict, and every claim that could not be tried with the reason."""
    folder = summary.folder
    claims = [(module, document) for module, document in documents if hasattr(module, "CLAIM")]
    # Those about the comparison itself: there is always something to judge them by.
    own = [(module, summary) for module in registry.JUDGED_FIGURES]
    title = "What others found, and this machine"
    if not any(document for _, document in claims):
        return Section(title, [Paragraph(
            ["Nothing of it was tried here but what the comparison itself can tell. ",
             Code(figures_command(folder)),
             " runs what known figures of the field need, and gives each a verdict."]),
            verdict_table(own, folder)])
    claims += own
    judged = [verdicts.judge(module.CLAIM, document).name for module, document in claims if document]
    counts = [f"{judged.count(name)} {name.removesuffix(', because')}"
              for name in dict.fromkeys([verdicts.REPRODUCED, verdicts.CONTRADICTED, *judged])]
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
    rows = [claim_row(module, document, folder) for module, document in claims]
    return Table("What others found, and what this machine shows.", "figure",
                 [Part("", ["what others found", "rule", "here"])], [Group("", rows)], "prose")


def claim_row(module, document, folder):
    claim = module.CLAIM
    found = [Cell([f"{claim.found} ", Soft(f"({claim.source})")]), Cell(Soft(claim.rule))]
    if document is None:
        return [module.TITLE, *found, Cell([Strong(NOT_TRIED), f": {why_not(module, folder)}"])]
    verdict = verdicts.judge(claim, document)
    joint = " " if verdict.name == verdicts.CANNOT_TELL else ": "
    mark = "QUICK, " if document.quick else ""
    # The comparison's own figures stand with each workload, and not in a section of their own.
    name = module.TITLE if module in registry.JUDGED_FIGURES else Link(module.TITLE, to(module.TITLE))
    return [name, *found,
            Cell([mark, Strong(verdict.name), joint, verdict.because])]


def condition_words(module, document):
    """What was run, and what marks and bars are: a bare figure says neither."""
    if hasattr(module, "condition"):
        return [module.condition(document)]
    if not hasattr(document, "summaries"):
        return []
    own_marks = getattr(module, "OWN_MARKS", False)
    return [module.READING, *([] if own_marks else [document.marks_words()])]


def document_section(module, document):
    """Drawn as on a narrow page, with its command."""
    drawn = module.draw(document, sheet.NARROW_IN, bare=True)
    said = condition_words(module, document)
    return Section(module.TITLE, [Figure(module.NAME, registry.svg(drawn), registry.png(drawn),
                                         module.alt_text(document),
                                         [module.CAPTION, " ", Soft(comparison.listed_words(
                                             word for line in document.foot(*said) for word in line))])])


def figure_sections(documents, folder):
    """Traces and tables, then the literature's."""
    traces = [pair for pair in documents if pair[0] not in registry.LITERATURE]
    claims = [pair for pair in documents if pair[0] in registry.LITERATURE]
    sections = []
    for title, pairs, words in (
            (TRACES_TITLE, traces, "Traces and tables from runs of their own, on the same machine. "),
            (TITLE, claims, "Comparisons of their own, made for one figure each. ")):
        there = [pair for pair in pairs if pair[1]]
        if not there:
            continue
        missing = [f"{module.TITLE}: {NOT_TRIED}: {why_not(module, folder)}."
                   for module, document in pairs if not document]
        sections.append(Section(title, [
            Paragraph([words, Link("Commands", to("Commands")), " has what made each."]),
            Grid([document_section(*pair) for pair in there]),
            *([Section("What could not be drawn", [Bullets(missing)])] if missing else [])]))
    return sections


def commands(documents):
    """Name and command of everything that was run for these figures, each once."""
    found = {}
    for _, document in documents:
        if document is None:
            continue
        if hasattr(document, "summaries"):
            for name, summary in document.summaries.items():
                found[name] = summary.command
        else:
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
