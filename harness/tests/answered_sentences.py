# SPDX-License-Identifier: MIT
"""Sentences of one text, and the rows of a lab's TOML file that say what asserts each."""
import glob
import os
import re

# A row has its tests, or one of the other two. Tests are those of tests.c, and those of the harness.
TESTS = ("tests", "harness_tests")
OTHERWISE = ("elsewhere", "untestable")
# As tests stand in tables, TEST(3, name), FILE_TEST(3, "name"), .name = "name" and T(name), and in a call.
TEST_NAME = re.compile(r'\b(?:[A-Z]+_)?T(?:EST)?\((?:\d+,\s*)?"?(\w+)|\.name = "(\w+)"|\brun_test\("(\w+)"')


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def tests_of(path):
    return {name for names in TEST_NAME.findall(read(path)) for name in names if name}


def mutants_of(folder):
    """Yields (the bug, the test that kills it)."""
    for path in sorted(glob.glob(os.path.join(folder, "mutants", "*.patch"))):
        with open(path, encoding="utf-8") as file:
            head = file.read(2000)
        bug = re.search(r"^Bug: (.*)", head, re.M)
        killer = re.search(r"^Killed-by: (\w+)", head, re.M)
        if bug and killer:
            yield bug[1], killer[1]


class Answered:
    """`sentences` of the file `source`, which `rows` of the file `where` answer."""

    def __init__(self, folder, source, where, sentences, rows, harness_tests=None):
        self.folder = folder
        self.source = source
        self.where = where
        self.sentences = sentences
        self.rows = rows
        self.files = {"tests": os.path.join(folder, "tests.c"), "harness_tests": harness_tests}

    def answers(self, sentence):
        return [row for row in self.rows if any(sentence.startswith(words) for words in row["begins"])]

    def mistakes(self):
        """What keeps the table from being whole, as lines."""
        for sentence in dict.fromkeys(self.sentences):
            count = len(self.answers(sentence))
            if count == 0:
                yield f'{self.source}: no test, and not marked untestable: "{sentence}"'
            elif count > 1:
                yield f'{self.where}: {count} rows for "{sentence}"'
        for row in self.rows:
            for words in row["begins"]:
                if not any(sentence.startswith(words) for sentence in self.sentences):
                    yield f'{self.where}: no sentence of {os.path.basename(self.source)} begins "{words}"'
            if any(way in row for way in TESTS) + sum(way in row for way in OTHERWISE) != 1:
                yield f'{self.where}: "{row["begins"][0]}" needs tests, or where else, or why not'
        for way in TESTS:
            yield from self.missing_tests(way)

    def missing_tests(self, way):
        named = dict.fromkeys(name for row in self.rows for name in row.get(way, []))
        there = tests_of(self.files[way]) if named and self.files[way] else set()
        file = os.path.basename(self.files[way] or "the harness")
        for name in named:
            if name not in there:
                yield f"{self.where}: {file} has no test {name}"

    def count(self, *ways):
        return sum(any(way in self.answers(s)[0] for way in ways) for s in self.sentences)

    def counts(self):
        """"5 asserted by tests, ...", for the page's head."""
        return (f"{self.count(*TESTS)} asserted by its tests, {self.count('elsewhere')} tested elsewhere, "
                f"{self.count('untestable')} untestable")

    def cells(self, sentence):
        """A row of the page, after its first "|"."""
        row = self.answers(sentence)[0]
        # Links lead from the file's folder.
        shown = re.sub(r"\[(.*?)\]\(.*?\)", r"\1", sentence).replace("|", "\\|")
        if not any(way in row for way in TESTS):
            reason = row.get("elsewhere") or f"*untestable, {row['untestable']}*"
            return f" {shown} | {reason} | |"
        own = row.get("tests", [])
        killed = [bug for bug, killer in mutants_of(self.folder) if killer in own]
        tests = [f"`{test}`" for test in own]
        tests += [f"`{test}` ({os.path.basename(self.files['harness_tests'])})" for test in row.get("harness_tests", [])]
        return f" {shown} | {', '.join(tests)} | {'; '.join(killed) or '—'} |"
