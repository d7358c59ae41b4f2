#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""handout.py OUT: makes the course without solutions, mutants and alternates.

The handout has the reference engines as objects, so the comparison still works. It has the starters as
files, since there is no solution to cut them from. At the end the tool searches the handout for lines
of the solutions; when it finds one, it makes nothing.
"""
import argparse
import glob
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import labs
import children
from labs import ROOT, CourseError
from readings import standard_output

MARK = ".iolab-handout"
PARTS = ("LICENSE", "Makefile", ".gitignore", ".clang-format", "common", "docs", "harness", "labs", "plots")
# Texts about solutions; what works only with them; tools of the developers.
WITHOUT = ("labs/*/mutants", "labs/*/alternates",
           "labs/*/equivalent.toml", "labs/*/demands.toml", "labs/*/contract.toml", "docs/mutation.md",
           "docs/machines.md", "harness/machines", "harness/course/mutate.py",
           "harness/course/mutation", "common/op_syscall.c",
           "docs/instructor.md", "docs/add-a-lab.md", "docs/architecture.md",
           "harness/course/grade.py", "harness/course/grading", "harness/course/check_course.py",
           "harness/course/handout.*", "harness/course/new_lab*",
           "harness/develop.mk", "harness/lint", "harness/peers", "harness/check.sh", "harness/tests/*.*",
           "harness/tests/grading", "harness/tests/tiny_course", "harness/tests/tiny_layer", "harness/tests/fuzz",
           "harness/tests/fixtures/fuzz", "plots/tests",
           "harness/tests/conformance/mutants*", "__pycache__", "*.o", "*.orig", "*.rej", "*~", "*.swp")
# In a page, the lines between these two are left out.
CUT = re.compile(r"^<!-- handout: without -->\n.*?^<!-- handout: with -->\n", re.M | re.S)
# A table's row or a list's item that bears this mark is left out: no comment may stand between two of them.
WITHOUT_MARK = r".*<!-- handout: without this -->.*\n"
WITHOUT_THIS = re.compile(rf"^\|{WITHOUT_MARK}|^\d+\. {WITHOUT_MARK}(?: +.*\n)*", re.M)
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")


def is_left_out(relative, solutions):
    return relative in solutions or any(pathlib.PurePath(relative).match(pattern) for pattern in WITHOUT)


def copy_tree(out):
    solutions = {os.path.relpath(lab.path(name), ROOT) for lab in labs.all_labs() for name in lab.files}
    solutions |= set(labs.reference_sources())
    for part in PARTS:
        whole = os.path.join(ROOT, part)
        if os.path.isfile(whole):
            shutil.copy(whole, os.path.join(out, part))
        for path, folders, files in os.walk(whole):
            relative = os.path.relpath(path, ROOT)
            folders[:] = [n for n in folders if not is_left_out(os.path.join(relative, n), solutions)]
            kept = [n for n in files if not is_left_out(os.path.join(relative, n), solutions)]
            if kept or folders:
                os.makedirs(os.path.join(out, relative), exist_ok=True)
            for name in kept:
                shutil.copy(os.path.join(path, name), os.path.join(out, relative, name))


def add_objects(out):
    """Adds the reference's engines and layers and the code that they share, as objects without debugging
    information."""
    sources = [path for path in labs.reference_sources() if not path.endswith(".h")]
    for source in [*sources, "common/op_syscall.c"]:
        made = os.path.join(ROOT, "build", os.path.splitext(source)[0] + ".o")
        folder, name = os.path.split(os.path.splitext(source)[0] + ".o")
        target = os.path.join(out, folder, "reference" if folder.startswith("labs") else "", name)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        done = subprocess.run(["objcopy", "--strip-debug", made, target], capture_output=True, text=True,
                              check=False)
        if done.returncode != 0:
            raise CourseError(f"{source}: {done.stderr.strip()}")


def add_starters(out):
    for lab in labs.all_labs():
        for name, text in lab.starter().items():
            labs.write(os.path.join(out, "labs", lab.name, "starter", name), text)


def adapt_pages(out):
    """Cuts the marked parts, writes README.md, and removes links to files that are left out."""
    listed = "\n".join(f"- [{lab.number} {lab.title}](labs/{lab.name}/README.md): {lab.idea}"
                       for lab in labs.all_labs())
    front = labs.read(os.path.join(ROOT, "harness", "course", "handout.md"))
    labs.write(os.path.join(out, "README.md"), front.replace("{labs}", listed))
    for page in glob.glob(os.path.join(out, "**", "*.md"), recursive=True):
        text = WITHOUT_THIS.sub("", CUT.sub("", labs.read(page)))

        def link(found, page=page):
            leads = "://" in found[3] or found[3].startswith("#") or \
                os.path.exists(os.path.join(os.path.dirname(page), found[3].partition("#")[0]))
            return found[0] if leads else found[2]

        labs.write(page, LINK.sub(link, text))


def plain(line):
    return " ".join(line.split())


def is_telling(line):
    """Three words or more. A shorter line ("default:", "break;") gives no solution away."""
    return len(re.findall(r"[A-Za-z_]\w*", line)) >= 3


def region_lines():
    """{line: its place} for all regions of all solutions. Comments are left out. So are lines that the
    starter shows as well: outside of regions, or in its own code."""
    found, shown = {}, set()
    for path in (os.path.join(ROOT, name) for name in labs.reference_sources()):
        inside = False
        for number, line in enumerate(labs.read(path).splitlines(), 1):
            begin = labs.BEGIN.match(line)
            if begin and begin[2]:
                inside = True
            elif labs.END.match(line):
                inside = False
            elif not inside:
                shown.add(plain(line))
            elif labs.STARTER.match(line):
                shown.add(plain(labs.STARTER.match(line)[2]))
            elif not re.match(r"\s*(//|/?\*)", line) and is_telling(line):
                found.setdefault(plain(line), f"{os.path.relpath(path, ROOT)}:{number}")
    return {line: where for line, where in found.items() if line not in shown}


def text_files(folder):
    for path, _, files in os.walk(folder):
        for name in files:
            with open(os.path.join(path, name), "rb") as file:
                content = file.read()
            if b"\0" not in content:
                yield os.path.join(path, name), content.decode(errors="replace").splitlines()


def find_leaks(out):
    """The places where a line of a solution survived. Lines that also stand in the harness, or in a
    stand-alone program of a lab, do not count."""
    lines = region_lines()
    programs = [os.path.join("labs", lab.name, name) for lab in labs.all_labs() for name in lab.programs]
    for path, text in text_files(out):
        shown = os.path.relpath(path, out)
        for line in text if shown.startswith(("common/", "harness/")) or shown in programs else []:
            lines.pop(plain(line), None)
    for path, text in text_files(out):
        for number, line in enumerate(text, 1):
            if plain(line) in lines:
                yield f"{os.path.relpath(path, out)}:{number}: '{plain(line)}', as in {lines[plain(line)]}"


def make(out, with_answers):
    if os.path.isdir(out) and os.listdir(out):
        if not os.path.exists(os.path.join(out, MARK)):
            raise CourseError(f"OUT={out} is not empty and no handout; name another folder")
        if os.path.exists(os.path.join(out, "work")):
            raise CourseError(f"OUT={out} is a handout that somebody worked in (work/); name another folder")
    command = ["make", "-s", "-C", ROOT, "all"]
    done = children.run(command)
    if done.returncode != 0:
        raise CourseError(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    os.makedirs(os.path.dirname(os.path.abspath(out)), exist_ok=True)
    # Beside it, so that it can be renamed.
    scratch = tempfile.mkdtemp(prefix=".iolab-handout-", dir=os.path.dirname(os.path.abspath(out)))
    new, old = os.path.join(scratch, "new"), os.path.join(scratch, "old")
    try:
        os.makedirs(new)
        labs.write(os.path.join(new, MARK), "make handout made this folder, and may replace it.\n")
        copy_tree(new)
        for path in [] if with_answers else glob.glob(os.path.join(new, "labs", "*", "answers.md")):
            os.unlink(path)
        add_objects(new)
        add_starters(new)
        adapt_pages(new)
        leaks = list(find_leaks(new))
        if leaks:
            raise CourseError("no handout is made, because it would contain lines of a solution:\n  " +
                              "\n  ".join(leaks[:20]))
        if os.path.isdir(out):
            os.rename(out, old)
        os.rename(new, out)
    finally:
        if os.path.isdir(old) and not os.path.isdir(out):
            os.rename(old, out)
        shutil.rmtree(scratch, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", metavar="OUT", nargs="?", default=os.path.join("build", "handout"),
                        help="the folder to make (default: %(default)s)")
    parser.add_argument("--no-answers", action="store_true",
                        help="leave out the answers to the questions, which `make answer` shows")
    o = parser.parse_args()
    children.catch_signals()
    try:
        make(o.out, not o.no_answers)
    except KeyboardInterrupt:
        print("handout: interrupted", file=sys.stderr)
        return children.INTERRUPTED
    except (CourseError, OSError) as error:
        print(f"handout: {error}", file=sys.stderr)
        return 1
    machine = os.uname().machine
    print(f"{o.out}: the course without solutions, for Linux on {machine} and the libc of this machine\n"
          f"Try it: make -C {o.out} && make -C {o.out} labs")
    return 0


if __name__ == "__main__":
    with standard_output.needed("handout"):
        sys.exit(main())
