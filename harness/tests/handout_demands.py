# SPDX-License-Identifier: MIT
"""What the handouts of labs demand, sentence by sentence, and the tests that assert it.

Demands are the sentences of a README's exercises and traps; labs/NN/demands.toml says which test of
tests.c asserts each, or why none can.
"""
import glob
import os
import re
import tomllib

from answered_sentences import Answered, read

README = "README.md"
ROWS = "demands.toml"
# What is between these is no sentence: commands, marks of the handout's maker, pictures.
NOT_TEXT = re.compile(r"```.*?```|<!--.*?-->|!\[.*?\]\(.*?\)", re.S)
PARAGRAPH = re.compile(r"\n\s*\n|^- |^\d\. ", re.M)
SENTENCE_END = re.compile(r"(?<=[.?])\s+(?=[A-Z(`0-9])")


def sentences_of(handout):
    for section in re.split(r"^(?=##+ )", handout, flags=re.M):
        title, _, body = section.partition("\n")
        if not re.match(r"##+ (Exercise \d|Traps$)", title):
            continue
        for paragraph in PARAGRAPH.split(NOT_TEXT.sub("\n\n", body)):
            paragraph = " ".join(paragraph.split())
            # The command of an exercise, and what the reader is asked.
            if not paragraph or paragraph.startswith(("`make", "**Question")):
                continue
            yield from SENTENCE_END.split(paragraph)


def rows_of(path):
    try:
        return tomllib.loads(read(path)).get("demand", [])
    except FileNotFoundError:
        return []


class Lab(Answered):
    def __init__(self, folder):
        source, where = os.path.join(folder, README), os.path.join(folder, ROWS)
        super().__init__(folder, source, where, list(sentences_of(read(source))), rows_of(where))
        self.name = os.path.basename(folder)

    def text(self, file):
        return read(os.path.join(self.folder, file))

    def head(self):
        return f"Handout of lab {self.name}: {len(self.sentences)} sentences of exercises and traps, {self.counts()}."

    def table(self):
        """The lab's part of the page, as lines."""
        return [f"## Handout of lab {self.name}", "", "| sentence | tests | mutants that they kill |", "|---|---|---|",
                *("|" + self.cells(sentence) for sentence in self.sentences), ""]


def all_labs():
    """Those that have a handout."""
    return [Lab(os.path.dirname(path)) for path in sorted(glob.glob(f"labs/*/{README}"))]
