# SPDX-License-Identifier: MIT
"""What the handouts of labs demand, sentence by sentence, and the tests that assert it.

Demands are the sentences of a README's exercises and traps; labs/NN/demands.toml says which test of
tests.c asserts each, or why none can.
"""
import glob
import os
import re
import tomllib

README = "README.md"
ROWS = "demands.toml"
WAYS = ("tests", "elsewhere", "untestable")
# What is between these is no sentence: commands, marks of the handout's maker, pictures.
NOT_TEXT = re.compile(r"```.*?```|<!--.*?-->|!\[.*?\]\(.*?\)", re.S)
PARAGRAPH = re.compile(r"\n\s*\n|^- |^\d\. ", re.M)
SENTENCE_END = re.compile(r"(?<=[.?])\s+(?=[A-Z(`0-9])")


class Lab:
    def __init__(self, folder):
        self.folder = folder
        self.name = os.path.basename(folder)
        self.sentences = list(self.read_sentences())
        self.rows = self.read_rows()
        self.mutants = list(self.read_mutants())
        self.tests = set(re.findall(r"\w+", self.text("tests.c")))

    def text(self, file):
        with open(os.path.join(self.folder, file), encoding="utf-8") as opened:
            return opened.read()

    def read_sentences(self):
        for section in re.split(r"^(?=##+ )", self.text(README), flags=re.M):
            title, _, body = section.partition("\n")
            if not re.match(r"##+ (Exercise \d|Traps$)", title):
                continue
            for paragraph in PARAGRAPH.split(NOT_TEXT.sub("\n\n", body)):
                paragraph = " ".join(paragraph.split())
                # The command of an exercise, and what the reader is asked.
                if not paragraph or paragraph.startswith(("`make", "**Question")):
                    continue
                yield from SENTENCE_END.split(paragraph)

    def read_rows(self):
        try:
            return tomllib.loads(self.text(ROWS)).get("demand", [])
        except FileNotFoundError:
            return []

    def read_mutants(self):
        """Yields (the bug, the test that kills it)."""
        for path in sorted(glob.glob(os.path.join(self.folder, "mutants", "*.patch"))):
            with open(path, encoding="utf-8") as file:
                head = file.read(2000)
            bug = re.search(r"^Bug: (.*)", head, re.M)
            killer = re.search(r"^Killed-by: (\w+)", head, re.M)
            if bug and killer:
                yield bug[1], killer[1]

    def answers(self, sentence):
        return [row for row in self.rows if any(sentence.startswith(words) for words in row["begins"])]

    def mistakes(self):
        """What keeps the lab's table from being whole, as lines."""
        where = os.path.join(self.folder, ROWS)
        for sentence in self.sentences:
            count = len(self.answers(sentence))
            if count == 0:
                yield f'{self.folder}/{README}: no test, and not marked untestable: "{sentence}"'
            elif count > 1:
                yield f'{where}: {count} rows for "{sentence}"'
        for row in self.rows:
            for words in row["begins"]:
                if not any(sentence.startswith(words) for sentence in self.sentences):
                    yield f'{where}: no sentence of {README} begins "{words}"'
            if sum(way in row for way in WAYS) != 1:
                yield f'{where}: "{row["begins"][0]}" needs tests, or where else, or why not'
            for test in row.get("tests", []):
                if test not in self.tests:
                    yield f"{where}: tests.c has no test {test}"

    def counts(self):
        return {way: sum(way in self.answers(s)[0] for s in self.sentences) for way in WAYS}

    def table(self):
        """The lab's part of the page, as lines."""
        lines = [f"## Handout of lab {self.name}", "", "| sentence | tests | mutants that they kill |", "|---|---|---|"]
        for sentence in self.sentences:
            row = self.answers(sentence)[0]
            # Its links lead from the lab's folder.
            shown = re.sub(r"\[(.*?)\]\(.*?\)", r"\1", sentence).replace("|", "\\|")
            if "tests" in row:
                killed = [bug for bug, killer in self.mutants if killer in row["tests"]]
                tests = ", ".join(f"`{test}`" for test in row["tests"])
                lines.append(f"| {shown} | {tests} | {'; '.join(killed) or '—'} |")
            else:
                reason = row.get("elsewhere") or f"*untestable, {row['untestable']}*"
                lines.append(f"| {shown} | {reason} | |")
        return [*lines, ""]


def all_labs():
    """Those that have a handout."""
    return [Lab(os.path.dirname(path)) for path in sorted(glob.glob(f"labs/*/{README}"))]
