# SPDX-License-Identifier: MIT
"""What a figure is: a description, from which it is loaded, drawn, judged and put into the report.

There are three kinds, by what they are drawn from: the comparison of the folder (PanelFigure),
comparisons made for this figure alone (StudyFigure), and a trace or table (DocumentFigure). To add a
figure, describe one in figures/ and name it in figures/registry.py.
"""
from dataclasses import dataclass
from typing import Callable

import matplotlib

from drawing import sheet, style, verdict_words, words
from readings import documents, results, studies, verdicts


def _nothing(found):
    return []


@dataclass(frozen=True)
class RatioTable:
    """Ratios, for a report."""

    caption: str
    head: str  # of the first column
    columns: dict  # a title -> heads
    rows: dict  # name -> verdicts.Quotient or None, as many as there are heads


@dataclass(frozen=True, kw_only=True)
class Figure:
    name: str  # of its files
    title: str
    subtitle: str  # one sentence, without its full stop
    caption: str  # for the report: what it shows, in at most two sentences
    reading: str = ""  # for the report's text: what else a reader has to know
    claim: object = None  # a verdicts.Claim

    @property
    def sources(self):
        """What it is drawn from: names of comparisons, or of a file."""
        return ()

    def load(self, folder):
        """What it is drawn from; None where the folder does not hold it."""
        raise NotImplementedError

    def draw(self, found, width_in=sheet.WIDE_IN, bare=False):
        """A bare one is for a page that has title, machine and remarks already."""
        raise NotImplementedError

    def alt_text(self, found):
        """The figure in words, for a screen reader."""
        return f"{self.title}. Verdict: {verdict_words.words(self.judge(found))}."

    def conditions(self, found):
        """What was run, for the report's caption."""
        return []

    def foot(self, found):
        return words.foot(found, words.rounds_words(found))

    def judge(self, found):
        return verdicts.judge(self.claim, found)


@dataclass(frozen=True, kw_only=True)
class PanelFigure(Figure):
    """A panel for each workload of the folder's comparison."""

    plan: Callable  # (panel, summary) -> sheet.Plan
    legend: Callable = words.marks_words  # of the summary: what marks and bars are
    judged_in: Callable = lambda summary: summary.panels  # the panels that the claim is about

    def load(self, folder):
        return results.load(folder)

    def draw(self, found, width_in=sheet.WIDE_IN, bare=False):
        with matplotlib.rc_context(style.SETTINGS):
            page = sheet.Sheet(width_in)
            _add_head(page, found, self.title, "" if bare else self.subtitle)
            for panel in found.panels:
                self._add_panel(page, found, panel, bare)
            _add_legend(page, [] if bare else [self.legend(found)])
            # A panel alone, in a report, has a verdict only where there is something to judge.
            if self.claim and (not bare or self.judged_in(found)):
                add_claim(page, self, found)
            return _finished(page, [] if bare else self.foot(found))

    def _add_panel(self, page, found, panel, bare):
        plan = self.plan(panel, found) if panel.any_ok else sheet.Plan(message="no run ended ok here")
        if not bare:
            page.add(0.16)
            page.paragraph(panel.name, size_pt=8.5, line_in=0.2, weight="bold")
        page.add(0.05)
        page.plan(plan)
        page.add(0.05)
        for note in plan.notes if bare else words.panel_notes(panel) + plan.notes:
            page.note(note.mark, str(note))


@dataclass(frozen=True, kw_only=True)
class StudyFigure(Figure):
    """Drawn from comparisons that were made for it."""

    comparisons: tuple
    place: Callable  # (page, study): adds what stands between head and claim
    loads: Callable = None  # of a folder; None: all of `comparisons` have to be there
    interval_marks: bool = True  # are marks and bars medians and intervals over the rounds?
    table: Callable = None  # (study): what the report shows in numbers, too, a RatioTable

    @property
    def sources(self):
        return self.comparisons

    def load(self, folder):
        return self.loads(folder) if self.loads else studies.load(folder, self.comparisons)

    def conditions(self, found):
        return [self.subtitle, *([words.marks_words(found.first)] if self.interval_marks else [])]

    def foot(self, found):
        return words.foot(found, words.rounds_words(found.first), *(["QUICK"] if found.quick else []))

    def draw(self, found, width_in=sheet.WIDE_IN, bare=False):
        with matplotlib.rc_context(style.SETTINGS):
            page = sheet.Sheet(width_in, bare)
            _add_head(page, found, *(("", "") if bare else (self.title, self.subtitle)))
            page.add(0.05)
            self.place(page, found)
            if load := words.load_words(found.load):
                page.note("!", f"{load[0].upper()}{load[1:]}.")
            for label, status, reason in found.missing():
                page.note("×", f"{label}: {status}: {reason}")
            _add_legend(page, [words.marks_words(found.first)] if self.interval_marks and not bare else [])
            add_claim(page, self, found)
            return _finished(page, [] if bare else self.foot(found))


@dataclass(frozen=True, kw_only=True)
class DocumentFigure(Figure):
    """Drawn from a trace or a table."""

    file: str
    schema: str
    made_by: str  # a command
    shape: Callable  # readings/shape.py
    place: Callable  # (page, document)
    describe: Callable  # of the document: the figure in words, for a screen reader
    condition: Callable = None  # of the document: what was run
    legend: Callable = _nothing  # of the document: lines on how to read it

    @property
    def sources(self):
        return (self.file,)

    def load(self, folder):
        return documents.load(folder, self.file, self.schema, self.shape, self.made_by)

    def alt_text(self, found):
        return self.describe(found)

    def conditions(self, found):
        return [self.condition(found)] if self.condition else []

    def foot(self, found):
        return words.foot(found, words.document_rounds_words(found), *self.conditions(found))

    def draw(self, found, width_in=sheet.WIDE_IN, bare=False):
        with matplotlib.rc_context(style.SETTINGS):
            page = sheet.Sheet(width_in, bare)
            _add_head(page, found, *(("", "") if bare else (self.title, self.subtitle)))
            page.add(0.05)
            self.place(page, found)
            _add_legend(page, [] if bare else self.legend(found))
            if self.claim:
                add_claim(page, self, found)
            return _finished(page, [] if bare else self.foot(found))


def _add_head(page, found, title, subtitle):
    page.add(0.06)
    if title:
        page.paragraph(title, size_pt=10, line_in=0.22, weight="bold")
    if subtitle:
        page.paragraph(f"{subtitle}.", size_pt=7, color=style.GREY)
    if found.quick:
        page.add(0.04)
        page.paragraph("QUICK: short runs, for a first look only", size_pt=sheet.NAME_PT,
                       weight="bold")


def add_claim(page, figure, found):
    """What the literature found, the rule by which it is judged here, and the verdict."""
    claim = figure.claim
    page.add(0.07)
    page.paragraph(f"Found: {claim.found} ({claim.source}).")
    page.add(0.03)
    page.paragraph(f"Rule: {claim.rule}.", color=style.GREY)
    page.add(0.03)
    page.paragraph(f"Verdict: {verdict_words.words(figure.judge(found))}.", color=style.INK)


def _add_legend(page, lines):
    """What marks and bars are."""
    if lines:
        page.add(0.05)
    for line in lines:
        page.note("", f"{line[0].upper()}{line[1:]}.")


def _finished(page, foot):
    if foot:
        page.add(0.14)
        page.add(0.06, lambda top: page.line([sheet.EDGE_IN, page.width_in - sheet.EDGE_IN], [top, top],
                                             linewidth=0.5, color=style.FAINT))
    for line in foot:
        page.paragraph(" · ".join(word for word in line if word), size_pt=6, line_in=0.12,
                       color=style.GREY)
    page.add(0.05)
    return page.figure()
