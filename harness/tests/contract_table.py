#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes docs/contract-tests.md: each sentence of the contract, its tests, and what those catch.

    contract_table.py [--conformance PROGRAM] [--check]

The sentences are those of common/io_engine.h, from "Ownership." on. What asserts them stands in
harness/tests/conformance/rules.c; `conformance --rules` says it. A sentence without a row there is an
error, and so is a row without a sentence. Then follow the demands of the labs' handouts
(handout_demands.py). --check writes nothing, and fails when the page is stale.
"""
import argparse
import collections
import re
import subprocess
import sys

import handout_demands

HEADER = "common/io_engine.h"
PAGE = "docs/contract-tests.md"
COMMENT = re.compile(r"/\*(.*?)\*/", re.S)
# "Short I/O.   A count ...": the title of a paragraph, then its text.
TITLE = re.compile(r"^ \* ([A-Z][\w /-]{0,12}\.)\s+(?=\S)", re.M)
# A sentence ends before a capital, a parenthesis, a quoted name or a number.
END = re.compile(r"(?<=[.?])\s+(?=[A-Z(`0-9])")
NAME = re.compile(r"(?:static inline )?(?:bool|int|void|enum|struct|#define)?\s*\(?\*?\s*(\w+)")
# The member whose comment stands behind it on the same line.
MEMBER_BEFORE = re.compile(r"(\w+)(?:\[.*\])?(?: = [^;]*)?[;,]$")


def squeezed(text):
    return re.sub(r"\s+", " ", re.sub(r"^\s*\*", "", text, flags=re.M)).strip()


def sentences_of(text):
    """Those of one paragraph. What does not end like a sentence is a note beside a field."""
    for sentence in END.split(squeezed(text)):
        if sentence.endswith((".", ".)", "?")):
            yield sentence


def paragraphs(header):
    """Yields (title, text) for the rules at the top and for each comment below them."""
    top = header[:header.index("#ifndef IOLAB_IO_ENGINE_H")]
    titles = list(TITLE.finditer(top))
    for title, following in zip(titles, [*titles[1:], None]):
        end = following.start() if following else top.rindex("*/")
        yield title[1].rstrip("."), top[title.end():end]
    for comment in COMMENT.finditer(header, len(top)):
        line_before = header[:comment.start()].rsplit("\n", 1)[-1].strip()
        own = MEMBER_BEFORE.search(line_before) or NAME.match(header[comment.end():].lstrip())
        yield own[1] if own else "Registration", comment[1]


def contract():
    """The sentences, in order, below their titles."""
    with open(HEADER, encoding="utf-8") as file:
        header = file.read()
    found = collections.OrderedDict()
    for title, text in paragraphs(header):
        for sentence in sentences_of(text):
            found.setdefault(title, []).append(sentence)
    return found


def asked(program):
    """What `conformance --rules` says: rules, the names of tests, and faults by test."""
    rules, tests, faults = [], [], collections.defaultdict(list)
    output = subprocess.run([program, "--rules"], check=True, stdout=subprocess.PIPE, text=True).stdout
    for line in output.splitlines():
        kind, *fields = line.split("\t")
        if kind == "rule":
            rules.append(dict(zip(("begins", "tests", "elsewhere", "untestable"), fields)))
        elif kind == "test":
            tests.append(fields[0])
        else:
            faults[fields[0]].append(fields[1])
    return rules, tests, faults


def answers(sentence, rules):
    return [rule for rule in rules if sentence.startswith(rule["begins"])]


def mistakes(sentences, rules, tests, faults):
    """What keeps the table from being whole, as lines."""
    everything = [s for below in sentences.values() for s in below]
    for sentence in everything:
        found = answers(sentence, rules)
        if not found:
            yield f"{HEADER}: no test, and not marked untestable: \"{sentence}\""
        elif len(found) > 1:
            yield f"rules.c: {len(found)} rows for \"{sentence}\""
    named = set()
    for rule in rules:
        if not any(s.startswith(rule["begins"]) for s in everything):
            yield f"rules.c: no sentence of {HEADER} begins \"{rule['begins']}\""
        if sum(bool(rule[way]) for way in ("tests", "elsewhere", "untestable")) != 1:
            yield f"rules.c: \"{rule['begins']}\" needs tests, or where else, or why not"
        named |= set(rule["tests"].split())
    for name in sorted(named - set(tests)):
        yield f"rules.c: there is no test {name}"
    for name in tests:
        if name not in named:
            yield f"rules.c: {name} asserts no sentence"


def row(sentence, rule, faults):
    if rule["tests"]:
        tests = rule["tests"].split()
        caught = [fault for test in tests for fault in faults[test]]
        return f"| {sentence} | {', '.join(f'`{t}`' for t in tests)} | {'; '.join(caught) or '—'} |"
    reason = rule["elsewhere"] or f"*untestable, {rule['untestable']}*"
    return f"| {sentence} | {reason} | |"


def count_of_lab(lab):
    count = lab.counts()
    return (f"Handout of lab {lab.name}: {len(lab.sentences)} sentences of exercises and traps, {count['tests']} "
            f"asserted by its tests, {count['elsewhere']} tested elsewhere, {count['untestable']} untestable.  ")


def page(sentences, rules, tests, faults, labs):
    by_sentence = {s: answers(s, rules)[0] for below in sentences.values() for s in below}
    count = {way: sum(bool(rule[way]) for rule in by_sentence.values())
             for way in ("tests", "elsewhere", "untestable")}
    lines = [
        "# The contract and its tests", "",
        f"Each sentence of [`{HEADER}`](../{HEADER}), the conformance tests that assert it for every engine and",
        "variant, and the broken engines that these tests catch (`build/tests/conformance --self-test`). This page is",
        "made by `harness/tests/contract_table.py` from `harness/tests/conformance/rules.c`. Edit that file, and make",
        "the page again. A sentence without a row there is an error.", "",
        f"{len(by_sentence)} sentences: {count['tests']} asserted by {len(tests)} conformance tests, "
        f"{count['elsewhere']} tested elsewhere, {count['untestable']} untestable. "
        f"{sum(map(len, faults.values()))} broken engines.", "",
        *(count_of_lab(lab) for lab in labs), "",
    ]
    for title, below in sentences.items():
        lines += [f"## {title}", "", "| sentence | tests | broken engines that they catch |", "|---|---|---|"]
        lines += [row(s, by_sentence[s], faults) for s in below]
        lines.append("")
    for lab in labs:
        lines += lab.table()
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--conformance", default="build/tests/conformance", metavar="PROGRAM")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    known = (contract(), *asked(options.conformance))
    labs = handout_demands.all_labs()
    wrong = [*mistakes(*known), *(line for lab in labs for line in lab.mistakes())]
    if wrong:
        sys.exit("\n".join(wrong))
    text = page(*known, labs)
    if options.check:
        with open(PAGE, encoding="utf-8") as file:
            if file.read() != text:
                sys.exit(f"{PAGE} is stale: make it again by harness/tests/contract_table.py")
    else:
        with open(PAGE, "w", encoding="utf-8") as file:
            file.write(text)
    print("\n".join(line.strip() for line in text.splitlines() if " sentences" in line and " untestable." in line))


if __name__ == "__main__":
    main()
