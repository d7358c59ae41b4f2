#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the report of a results folder: report.html to read and to print, report.md to edit further,
and SHA256SUMS with the hashes of the data."""
import argparse
import hashlib
import os
import re

import command
from drawing import words
from pages import (appendix, comparison, literature, nodes, provenance, question, write_html,
                   write_markdown)
from pages.nodes import Notice, Paragraph, Report, Soft, Strong
from readings import checksums, results
from readings.quantities import listed
from readings.whole_file import write

# The last line of report.md: the SHA-256 of the lines above, by which a hand's changes are known.
MADE = "<!-- iolab made the lines above; their SHA-256: {} -->\n"
MADE_PATTERN = re.compile(re.escape(MADE).replace(r"\{\}", "([0-9a-f]{64})") + r"\Z")


def describe(summary, files, beside):
    """The whole report, as nodes."""
    documents = literature.load(summary.folder)
    there = [document for _, document in documents if document]
    where = " · ".join(word for word in words.machine_words(summary.env) + [words.device_words(summary.env)] if word)
    lead = [Paragraph(where), Paragraph(Soft(
        f"Measured {summary.time_utc} with {words.commit_words(summary.env) or 'iolab'}, "
        f"{words.rounds_words(summary)}."))]
    notices = provenance.notices(summary)
    quick = literature.quick_words(documents, summary)
    if quick:
        notices.insert(0, Strong(quick))
    if notices:
        lead.append(Notice(notices))
    return Report(
        "Which of the kernel’s I/O interfaces does this work best?",
        f"{'QUICK ' if quick else ''}iolab: {listed(panel.name for panel in summary.panels)}",
        lead,
        [question.section(summary, comparison.titles(summary), there),
         comparison.in_short(summary),
         literature.verdict_section(documents, summary),
         provenance.method(summary), provenance.environment(summary),
         *comparison.panel_sections(summary),
         *literature.figure_sections(documents, summary.folder),
         question.discussion(),
         provenance.commands(summary, documents),
         provenance.data(summary, files, beside),
         appendix.section(summary)])


def was_edited(path):
    """Has somebody gone on writing in this Markdown?"""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except FileNotFoundError:
        return False
    except ValueError:
        return True
    made = MADE_PATTERN.search(text)
    return not made or digest(text[:made.start()]) != made[1]


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


def write_all(summary, out):
    """`out`: the HTML file; everything else lies beside it. Yields what was written."""
    beside = os.path.dirname(out) or "."
    files = checksums.data_files(summary.folder)
    report = describe(summary, files, beside)
    yield write(out, write_html.page(report))
    os.makedirs(os.path.join(beside, write_markdown.FIGURES), exist_ok=True)
    for figure in nodes.figures_of(report.sections):
        write(os.path.join(beside, write_markdown.figure_path(figure)), figure.png)
    stem = os.path.splitext(out)[0]
    markdown = stem + ".md"
    if was_edited(markdown):
        print(f"{markdown} was changed by hand, so it stays as it is; the new one is {stem}.new.md")
        markdown = stem + ".new.md"
    text = write_markdown.page(report) + "\n"
    yield write(markdown, text + MADE.format(digest(text)))
    yield write(os.path.join(beside, checksums.NAME), checksums.text(files, summary.folder, beside))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", metavar="RESULTS_DIR",
                        help="a folder made by `build/iolab compare`; results/latest is the newest")
    parser.add_argument("--out", metavar="FILE", help="where report.html goes (default: "
                        "RESULTS_DIR/report.html); the Markdown, its figures and the hashes lie beside it")
    options = parser.parse_args()
    out = options.out or os.path.join(options.results, "report.html")
    print(*write_all(results.load(options.results), out))


if __name__ == "__main__":
    command.run("report.py", main)
