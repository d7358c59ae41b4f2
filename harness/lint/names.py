#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Refuses a C name that stands for two things in one program.

    names.py PROGRAMS     a file of lines "PROGRAM OBJECT...", the objects compiled with -O0, so that
                          no static function has been inlined away

Refused are: a name with external linkage that two objects of a program define; a static name that
another object of the program has with external linkage; the tag of a struct, union or enum of a header
that is defined anew in another file. Two files may each have a static parse_option(). The words that
tests share (prepare, reap) may be static names elsewhere.
"""
import collections
import glob
import re
import subprocess
import sys

STRUCT = re.compile(r"^(?:typedef )?(?:struct|union|enum) (\w+) \{", re.M)
TESTS = "harness/tests/"
# The proctor is a program of its own: nobody else includes its headers.
COURSE = "harness/course/"
# A contract leaves it open, and each workload's file completes it for itself.
COMPLETED = {"workload_settings"}


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


def tag_faults():
    headers, everywhere = {}, collections.defaultdict(list)
    paths = [path for top in ("common", "harness") for path in glob.glob(f"{top}/**/*.[ch]", recursive=True)]
    for path in sorted(p for p in [*paths, *glob.glob("labs/*/*.[ch]")] if not p.startswith(TESTS)):
        with open(path, encoding="utf-8") as file:
            for tag in set(STRUCT.findall(file.read())) - COMPLETED:
                everywhere[tag].append(path)
                if path.endswith(".h"):
                    headers.setdefault(tag, path)
    for tag, header in sorted(headers.items()):
        for path in sorted(set(everywhere[tag]) - {header}):
            if header.startswith(COURSE) and not path.startswith(COURSE):
                continue
            yield f"{path}: the tag {tag} means something else in {header}"


def main():
    programs = dict(programs_in(sys.argv[1]))
    symbols = symbols_of({each for objects in programs.values() for each in objects})
    faults = {}
    for program, objects in programs.items():
        faults.update(dict.fromkeys(faults_of_program(program, sorted(set(objects)), symbols)))
    faults.update(dict.fromkeys(tag_faults()))
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
