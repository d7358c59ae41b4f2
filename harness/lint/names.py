#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Refuses a C name that stands for two things in one program.

    names.py PROGRAMS     a file of lines "PROGRAM OBJECT...", the objects compiled with -O0, so that
                          no static function has been inlined away

Refused are: a name with external linkage that two objects of a program define; a static name that
another object of the program has with external linkage; and in the sources of common/ and harness/ the
tag of a struct, union or enum, or the name of a static function, that two files define. A name that all
files of a kind may have for the same thing is in ROLES. A lab is read alone: only the tags of headers
are taken there. The words that tests share (prepare, reap) may be static names elsewhere.
"""
import collections
import glob
import re
import subprocess
import sys

TAG = re.compile(r"^(?:typedef )?(?:struct|union|enum) (\w+) \{", re.M)
STATIC_FUNCTION = re.compile(r"^static (?:inline __attribute__\(\(\w+\)\) )?[^=;(]*?\b(\w+)\(", re.M)
TESTS = "harness/tests/"
# The harness's own lab is a lab, too: what `make new-lab` lays out.
NEW_LAB = "harness/course/new_lab/"
# One program a file, of one shape: each is read alone.
LOOPS = "harness/peers/loops/"
# A contract leaves these open, and the file of each workload or engine completes them for itself.
COMPLETED = {"workload_settings", "engine"}
# What each file of a kind calls so, and means the same by.
ROLES = {
    "parse_option": "argp's parser of one command's options",
    "document_json": "the document that one command makes",
    "print_document": "that document as a table",
}


def programs_in(path):
    with open(path, encoding="utf-8") as file:
        for line in file:
            program, *objects = line.split()
            yield program, objects


def symbols_of(objects):
    """{object: (external names, static names)}. Weak names may stand twice; a name with a dot belongs to
    one function."""
    listed = subprocess.run(["nm", "-A", "--defined-only", *sorted(objects)], stdout=subprocess.PIPE,
                            text=True, check=True).stdout
    found = {each: (set(), set()) for each in objects}
    for line in listed.splitlines():
        path, rest = line.split(":", 1)
        kind, name = rest.split()[-2:]
        if "." not in name and not name.startswith("__") and kind not in "WwVv":
            found[path][kind.islower()].add(name)
    return found


def faults_of_program(program, objects, symbols):
    definitions = collections.defaultdict(list)
    for each in objects:
        for name in symbols[each][0]:
            definitions[name].append(each)
    for name, where in definitions.items():
        if len(where) > 1:
            yield f"{program}: {name} is defined in {' and in '.join(sorted(where))}"
    for each in objects:
        for name in sorted(symbols[each][1] & definitions.keys()):
            if TESTS in definitions[name][0]:
                continue
            yield f"{name} is static in {each} and means something else in {definitions[name][0]}"


def definitions_in(paths, pattern, ended=()):
    """{name: the files that define it}"""
    found = collections.defaultdict(list)
    for path in sorted(paths):
        with open(path, encoding="utf-8") as file:
            for name in sorted(set(pattern.findall(file.read())) - set(ended)):
                found[name].append(path)
    return found


def faults_of_sources():
    paths = [path for top in ("common", "harness") for path in glob.glob(f"{top}/**/*.[ch]", recursive=True)
             if not path.startswith((TESTS, NEW_LAB, LOOPS))]
    tags = definitions_in(paths, TAG, COMPLETED)
    functions = definitions_in(paths, STATIC_FUNCTION, ROLES)
    for what, found in (("tag", tags), ("static function", functions)):
        for name, (first, *others) in sorted(found.items()):
            # Where a header has it, that is the place which others have to respect.
            home = next((path for path in (first, *others) if path.endswith(".h")), first)
            for path in sorted({first, *others} - {home}):
                yield f"{path}: the {what} {name} means something else in {home}"
    headers = {name: path for name, where in tags.items() for path in where if path.endswith(".h")}
    for name, where in sorted(definitions_in(glob.glob("labs/*/*.[ch]"), TAG, COMPLETED).items()):
        for path in where if name in headers else ():
            yield f"{path}: the tag {name} means something else in {headers[name]}"


def main():
    programs = dict(programs_in(sys.argv[1]))
    symbols = symbols_of({each for objects in programs.values() for each in objects})
    faults = {}
    for program, objects in programs.items():
        faults.update(dict.fromkeys(faults_of_program(program, sorted(set(objects)), symbols)))
    faults.update(dict.fromkeys(faults_of_sources()))
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
