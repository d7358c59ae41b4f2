# SPDX-License-Identifier: MIT
"""What the headers of the layers promise, sentence by sentence, and the tests that assert it.

A lab that implements a header has a labs/NN/contract.toml. It names the header, and says which tests of the
lab's tests.c, or of the harness, assert each sentence, or why none can. A header that lays down rules, and of
which no lab speaks, is an error.
"""
import collections
import glob
import os
import tomllib

import header_sentences
from answered_sentences import Answered, read

ROWS = "contract.toml"
# It has a table of its own (contract_table.py).
ENGINES = "common/io_engine.h"


class Header(Answered):
    def __init__(self, folder, entry):
        self.path = entry["path"]
        self.said = list(header_sentences.sentences(read(self.path)))
        super().__init__(folder, self.path, os.path.join(folder, ROWS), [sentence for _, sentence in self.said],
                         entry.get("sentence", []), entry.get("harness_tests"))

    def head(self):
        return f"`{self.path}`: {len(self.sentences)} sentences, {self.counts()}."

    def table(self):
        """The header's part of the page, as lines."""
        return [f"## {self.path}", "", "| of | sentence | tests | mutants that they kill |", "|---|---|---|---|",
                *(f"| {of} |{self.cells(sentence)}" for of, sentence in self.said), ""]


def all_headers():
    return [Header(os.path.dirname(path), entry) for path in sorted(glob.glob(f"labs/*/{ROWS}"))
            for entry in tomllib.loads(read(path))["header"]]


def headers_with_rules():
    for path in sorted(glob.glob("common/*.h")):
        text = read(path)
        if path != ENGINES and "#ifndef " in text and header_sentences.states_rules(text):
            yield path


def coverage_mistakes(headers):
    """Each header with rules has one lab that speaks of it."""
    count = collections.Counter(header.path for header in headers)
    for path in headers_with_rules():
        if count[path] != 1:
            yield f"{path}: {count[path]} labs have a {ROWS} that speaks of it"
