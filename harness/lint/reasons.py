#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Refuses a reason whose text is data.

    reasons.py

Every reason_set(), reason_errno() and workload_refuse() gives an identifier, a text and values
(common/reason.h). Refused are: an identifier with two texts, since reasons are merged by identifier and
values; a number in a text, unless it is one of the constants below; a value whose name says that it is a
sentence.
"""
import collections
import glob
import re
import sys

CALL = re.compile(r"\b(reason_set|reason_errno|workload_refuse)\(")
LITERAL = re.compile(r'"((?:[^"\\]|\\.)*)"')
VALUE = re.compile(r'\breason_(?:int|real|string)\(\s*"(\w*)"')
# A number that is no part of a name, such as epoll_create1 or read(2).
NUMBER = re.compile(r"(?<![\w(.])\d[\d.]*")
CONSTANTS = ("--direct 0", "Linux 5.18", "multiples of 4096", "; 1 allows it", "than 1 MB/s")
SENTENCES = {"why", "text", "words", "sentence", "reason"}
HANDED_OUT = "..."  # a gap in a handout, for the learner to fill
FOLDERS = ("common", "labs", "harness")


def calls(source):
    """(position, function, the text between the parentheses) of each call."""
    for begin in CALL.finditer(source):
        depth, at = 1, begin.end()
        while depth and at < len(source):
            literal = LITERAL.match(source, at)
            if literal:
                at = literal.end()
                continue
            depth += {"(": 1, ")": -1}.get(source[at], 0)
            at += 1
        yield begin.start(), begin[1], source[begin.end():at - 1]


def parts(call):
    """(identifier, text, names of the values); None where the identifier is no literal."""
    values = re.search(r",\s*reason_(?:int|real|string)\(", call)
    literals = list(LITERAL.finditer(call[:values.start()] if values else call))
    if not literals:
        return None
    return literals[0][1], "".join(each[1] for each in literals[1:]), VALUE.findall(call)


def faults_of_text(id_, text, names):
    for constant in CONSTANTS:
        text = text.replace(constant, "")
    for number in NUMBER.findall(text):
        yield f'reason "{id_}": {number} stands in its text; make it a value'
    for name in SENTENCES.intersection(names):
        yield f'reason "{id_}": its value "{name}" is a sentence; give what it says as values'


def faults():
    texts = collections.defaultdict(dict)
    for path in sorted(path for folder in FOLDERS for path in glob.glob(f"{folder}/**/*.c", recursive=True)):
        with open(path, encoding="utf-8") as file:
            source = file.read()
        for position, function, call in calls(source):
            found = parts(call)
            if not found or found[1] == HANDED_OUT:
                continue
            id_, text, names = found
            text += ": {errno}" if function == "reason_errno" else ""
            where = f"{path}:{source.count(chr(10), 0, position) + 1}"
            yield from (f"{where}: {fault}" for fault in faults_of_text(id_, text, names))
            known = texts[id_].setdefault("text", (text, where))
            if known[0] != text:
                yield f'{where}: reason "{id_}" has another text in {known[1]}'


def main():
    found = list(faults())
    print("\n".join(found), end="\n" if found else "", file=sys.stderr)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
