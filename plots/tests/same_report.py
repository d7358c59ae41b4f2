#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""same_report.py FOLDER: do report.html and report.md say the same, and is it what summary.json says?"""
import html.parser
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from readings import quantities, remarks

failures = []


def expect(condition, words):
    if not condition:
        failures.append(words)


class Text(html.parser.HTMLParser):
    """The page's words, headings and cells, without those of drawings and styles."""

    def __init__(self):
        super().__init__()
        self.words, self.headings, self.inside = [], [], []

    def handle_starttag(self, tag, attributes):
        if tag in ("svg", "style", "nav", "h1", "h2", "h3", "h4"):
            self.inside.append(tag)
        if tag in ("h1", "h2", "h3", "h4"):
            self.headings.append("")

    def handle_endtag(self, tag):
        if self.inside and tag == self.inside[-1]:
            self.inside.pop()

    def handle_data(self, text):
        if not {"svg", "style", "nav"} & set(self.inside):
            self.words.append(text)
            if self.inside:
                self.headings[-1] += text


def plain(text):
    return re.sub(r"\s+", " ", text)


def unescaped(markdown):
    return re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", markdown)


def rows_of(markdown):
    return [re.split(r"(?<!\\)\|", row)[1:-1] for row in re.findall(r"^\|.*\|$", markdown, re.MULTILINE)]


def check_tables(markdown):
    """Each table has a head, a line below it, and as many cells in every row."""
    for table in re.findall(r"(?:^\|.*\|\n)+", markdown, re.MULTILINE):
        rows = rows_of(table)
        expect(all(re.fullmatch(r" -{3,} ", cell) for cell in rows[1]), f"no line below: {rows[0]}")
        expect(len({len(row) for row in rows}) == 1, f"cells are missing below: {rows[0]}")


def main():
    folder = sys.argv[1]
    with open(os.path.join(folder, "report.md"), encoding="utf-8") as file:
        markdown = file.read()
    page = Text()
    with open(os.path.join(folder, "report.html"), encoding="utf-8") as file:
        page.feed(file.read())
    with open(os.path.join(folder, "summary.json"), encoding="utf-8") as file:
        summary = json.load(file)
    html_words, words = plain("".join(page.words)), plain(unescaped(markdown))

    outside = re.sub(r"^```.*?^```$", "", markdown, flags=re.MULTILINE | re.DOTALL)
    headings = [unescaped(h) for h in re.findall(r"^#+ (.*)$", outside, re.MULTILINE)]
    expect(headings == [plain(h) for h in page.headings], f"{headings} and {page.headings}")
    check_tables(outside)

    for c in summary["configurations"]:
        label = c["engine"]["label"]
        if c["status"] != "ok":
            for text in (html_words, words):
                expect(plain(str(remarks.read(c["reason"]))) in text, f"the reason of {label} is missing")
            continue
        for key, as_text in (("ops_per_s", quantities.count), ("latency_ns.p50", quantities.duration),
                             ("latency_ns.p99", quantities.duration),
                             ("cpu.us_per_op", quantities.cpu_time)):
            estimate = c["metrics"][key]
            number = plain(as_text(estimate["median"]))
            interval = plain(quantities.span(estimate["low"], estimate["high"], as_text))
            expect(number in html_words and interval in html_words, f"{key} of {label}: not in HTML")
            row = f"**{number}** ({interval})"
            expect(any(row in cell for cells in rows_of(markdown) for cell in cells),
                   f"{key} of {label}: no cell with {row}")
        ratio = c["ratio"] and c["ratio"]["ops_per_s"]
        if ratio:
            interval = quantities.span(ratio["low"], ratio["high"], quantities.count)
            verdict = "no difference shown" if ratio["verdict"] == "none" else ratio["verdict"]
            row = f"{plain(quantities.ratio(ratio['mean']))} ({interval}, {verdict})"
            expect(any(row in cell for cells in rows_of(markdown) for cell in cells), f"no {row}")

    for name in re.findall(r"(?:reproduced|contradicted|cannot tell) here", html_words):
        expect(name in words, f"no verdict {name}")
    count = len(re.findall(r"\*\*(?:reproduced|contradicted|cannot tell) here", words))
    expect(count == len(re.findall(r"(?:reproduced|contradicted|cannot tell) here(?=: |, because)",
                                   html_words)), f"{count} verdicts, and another number in HTML")

    pictures = re.findall(r"!\[([^\]]+)\]\(([^)]+)\)", outside)
    expect(len(pictures) == len(re.findall(r"Figure \d+\.", html_words)), f"{len(pictures)} pictures")
    for alt, path in pictures:
        expect(len(alt) > 20, f"{path} has no words beside it")
        expect(os.path.getsize(os.path.join(folder, path)) > 1000, f"{path} is not there")
    print("\n".join(failures) or "both say the same")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
