#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes docs/contract-tests.md: each sentence of the contract, its tests, and what those catch.

    contract_table.py [--conformance PROGRAM] [--check]

The sentences are those of common/io_engine.h, from "Ownership." on. What asserts them stands in
harness/tests/conformance/rules.c; `conformance --rules` says it. A sentence without a row there is an
error, and so is a row without a sentence. Then follow the headers of the layers (layer_headers.py) and the
demands of the labs' handouts (handout_demands.py). --check writes nothing, and fails when the page is stale.
"""
import argparse
import collections
import subprocess
import sys

import handout_demands
import header_sentences
import layer_headers

HEADER = "common/io_engine.h"
PAGE = "docs/contract-tests.md"


def contract():
    """The sentences, in order, below their titles."""
    with open(HEADER, encoding="utf-8") as file:
        header = file.read()
    found = collections.OrderedDict()
    for title, sentence in header_sentences.sentences(header):
        if title != header_sentences.OVERVIEW:
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


def page(sentences, rules, tests, faults, others):
    by_sentence = {s: answers(s, rules)[0] for below in sentences.values() for s in below}
    count = {way: sum(bool(rule[way]) for rule in by_sentence.values())
             for way in ("tests", "elsewhere", "untestable")}
    lines = [
        "# The contract and its tests", "",
        f"Each sentence of [`{HEADER}`](../{HEADER}), the conformance tests that assert it for every engine and",
        "variant, and the broken engines that these tests catch (`build/tests/conformance --self-test`). Then each",
        "sentence of the layers' headers, and of the labs' exercises and traps, with its tests and the mutants that these",
        "kill. This page is made by `harness/tests/contract_table.py` from `harness/tests/conformance/rules.c` and from",
        "contract.toml and demands.toml in the labs' folders. Edit those, and make the page again. A sentence without a",
        "row there is an error.", "",
        f"{len(by_sentence)} sentences: {count['tests']} asserted by {len(tests)} conformance tests, "
        f"{count['elsewhere']} tested elsewhere, {count['untestable']} untestable. "
        f"{sum(map(len, faults.values()))} broken engines.", "",
        # Two spaces at its end: a line of its own.
        *(other.head() + "  " for other in others), "",
    ]
    for title, below in sentences.items():
        lines += [f"## {title}", "", "| sentence | tests | broken engines that they catch |", "|---|---|---|"]
        lines += [row(s, by_sentence[s], faults) for s in below]
        lines.append("")
    for other in others:
        lines += other.table()
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--conformance", default="build/tests/conformance", metavar="PROGRAM")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    known = (contract(), *asked(options.conformance))
    headers = layer_headers.all_headers()
    others = [*headers, *handout_demands.all_labs()]
    wrong = [*mistakes(*known), *layer_headers.coverage_mistakes(headers),
             *(line for other in others for line in other.mistakes())]
    if wrong:
        sys.exit("\n".join(wrong))
    text = page(*known, others)
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
