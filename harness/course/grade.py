#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""grade.py SUBMISSIONS: grades one submission or a folder of them, unattended. See docs/instructor.md.

The grader takes only the files that lab.toml names. It compiles and runs them in a sandbox
(grading/sandbox.py), linked with its own tests; the proctor judges. The reference solution goes first:
tests that it cannot pass here count for nobody.
"""
import argparse
import contextlib
import os
import re
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import labs
import children
import progress_line
from grading import functions, outside, reports, sandbox, submission
from grading.examine import Examined, Examiner
from labs import ROOT, CourseError
from proctor import programs
from proctor.findings import RULES, Finding, account_lines, sentence
from readings import number_option, standard_output

# Findings that the class's table names.
REMARKED = RULES | {"ended", "skipped_alone", "does_less", "uses_ring", "waits_outside", "sanitizer"}
REMARK_BYTES_MOST = 600
# A file that says itself where its lines come from could pass its own for a header's.
ASSEMBLER = re.compile(rb"\b(?:asm|__asm|__asm__)\b|^\s*(?:#|%:|\?\?=)\s*(?:line\b|\d)", re.M)


@dataclass
class LabGrade:
    lab: labs.Lab
    examined: Examined
    counted: list  # the names of the tests that give points
    telling: list  # those of them that the untouched starter fails
    unusual: set  # functions that they take from elsewhere: see functions.unusual()
    absent: dict  # {file: why it was not taken}

    def points(self, exercise):
        """(points, passed tests, tests). An exercise's points are shared equally among its tests. Tests
        that the untouched starter passes too give no points on their own."""
        mine = [o for o in self.examined.outcomes
                if o.exercise == exercise.number and o.name in self.counted]
        passed = [o.name for o in mine if o.status == "passed"]
        gained = any(name in self.telling for name in passed)
        return (exercise.points * len(passed) / len(mine) if gained else 0.0), len(passed), len(mine)

    @property
    def total(self):
        return sum(self.points(e)[0] for e in self.lab.exercises)

    @property
    def most(self):
        return sum(e.points for e in self.lab.exercises if self.points(e)[2])


@dataclass
class Grade:
    name: str  # as the folder is called, made printable
    file_name: str  # what its reports are called
    labs: list = field(default_factory=list)
    remark: str = ""
    ignored: list = field(default_factory=list)  # files that no lab asks for
    seconds: float = 0
    ungraded: str = ""  # why there is no grade

    @property
    def total(self):
        return sum(g.total for g in self.labs)

    @property
    def most(self):
        return sum(g.most for g in self.labs)


class Grader:
    def __init__(self, examiner, chosen, first_uid):
        self.examiner, self.labs, self.first_uid = examiner, chosen, first_uid
        self.counted, self.telling, self.calls, self.references = {}, {}, {}, {}  # by lab

    def uid(self, number):
        return self.first_uid + number if self.examiner.sandbox.is_root else None

    def calibrate(self):
        """Grades the reference and the starter, and so learns which tests count here."""
        for lab in self.labs:
            files = {name: text.encode() for name, text in lab.solution().items()}
            for attempt in (1, 2):
                examined = self.examiner.examine(lab, files, self.uid(0))
                failed = [o for o in examined.outcomes if o.status in ("failed", "not_run")]
                if not failed:
                    break
                if examined.trouble and examined.trouble.id == "tracing_refused":
                    self.examiner.proctor_options = ["--untraced"]
                    self.examiner.sandbox.barriers.append(
                        "system calls: NOT watched, since ptrace is refused here; tests that need it give "
                        "no points")
            else:
                words = " / ".join([*account_lines(failed[0])[:3], *map(sentence, examined.broken.values())])
                raise CourseError(f"the reference solution of lab {lab.number} fails {len(failed)} tests "
                                  f"here, so nothing can be graded. The first is {failed[0].name}: "
                                  f"{words}")
            counted = [o.name for o in examined.outcomes if o.status == "passed"]
            files = {name: text.encode() for name, text in lab.starter().items()}
            starter = self.examiner.examine(lab, files, self.uid(0), sanitize=False).outcomes
            self.telling[lab.name] = [o.name for o in starter if o.name in counted and o.status != "passed"]
            self.counted[lab.name], self.calls[lab.name] = counted, examined.calls
            self.references[lab.name] = {o.name: o for o in examined.outcomes}

    def grade(self, number, name, path, file_name):
        """The grade of one submission; number counts from 1."""
        grade = Grade(reports.printable(name), file_name)
        start = time.monotonic()
        taken, remarks = set(), []
        for lab in self.labs:
            files, absent = {}, {}
            parts = submission.place_of(path, lab) or ()
            for file in lab.files:
                taken.add(os.path.join(*parts, file))
                try:
                    if os.path.islink(path):
                        raise CourseError(f"{file} refused: the submission is a symbolic link")
                    files[file] = submission.take_file(path, (*parts, file))
                except (CourseError, OSError) as error:
                    absent[file] = str(error)
            examined = self.examiner.examine(lab, files, self.uid(number))
            doubt_skips(examined, self.counted[lab.name])
            outside.doubt_passes(examined.outcomes, self.references[lab.name], lab.is_layer)
            explain_absence(lab, examined, {**absent, **examined.broken})
            result = LabGrade(lab, examined, self.counted[lab.name], self.telling[lab.name],
                              functions.unusual(examined.calls, self.calls[lab.name]), absent)
            grade.labs.append(result)
            words = remark(result, files)
            remarks += [f"lab {lab.number}: {words}" if len(self.labs) > 1 else words] if words else []
        grade.ignored = [] if os.path.islink(path) else submission.other_files(path, taken)
        if grade.ignored:
            more = ", ..." if len(grade.ignored) > 4 else ""
            remarks.append(f"not graded: {', '.join(grade.ignored[:4])}{more}")
        grade.remark = "; ".join(remarks)
        grade.seconds = time.monotonic() - start
        return grade


def doubt_skips(examined, counted):
    """A program skips a test itself, by status 77. That counts only where the reference skips it too."""
    for outcome in examined.outcomes:
        if outcome.status == "skipped" and outcome.name in counted:
            outcome.status = "failed"
            outcome.findings = [Finding("skipped_alone", found.values) for found in outcome.findings]


def exercises_in(lab, name):
    """The exercises with a region in this file of the solution."""
    return {int(m[2]) for m in map(labs.BEGIN.match, lab.solution()[name].splitlines()) if m and m[2]}


def explain_absence(lab, examined, absent):
    """Where a file is absent, the tests of its exercises say so."""
    for name, why in absent.items():
        mine = exercises_in(lab, name)
        elsewhere = set().union(*(exercises_in(lab, n) for n in lab.files if n not in absent), set())
        for outcome in examined.outcomes:
            if outcome.status == "failed" and outcome.exercise in mine - elsewhere:
                what = Finding("file_absent", {"why": why})
                if name in examined.broken:
                    first = sentence(examined.broken[name]).split("\n")[0]
                    what = Finding("file_broken", {"file": name, "why": first})
                outcome.findings = [what, *[f for f in outcome.findings if f.id != "nothing_to_compile"]]


def remark(result, files):
    """One line on everything unusual."""
    lab, examined = result.lab, result.examined
    parts = list(result.absent.values())
    parts += [f"{name}: {sentence(why)}" if why.id == "includes_forbidden" else f"{name} does not compile"
              for name, why in examined.broken.items()]
    empty = [name for name, text in files.items() if not text.strip()]
    parts += [f"{name} is empty" for name in empty]
    if not lab.is_layer and not examined.registers and len(empty) < len(files):
        parts.append("registers no engine: no file ends with IO_ENGINE(...)")
    if {name: text.decode(errors="replace") for name, text in files.items()} == lab.starter():
        parts.append("the untouched starter")
    if examined.trouble and examined.trouble.id not in ("does_not_compile", "nothing_to_compile"):
        parts.append(sentence(examined.trouble))
    first = [o.findings[0] for o in examined.outcomes if o.status == "failed" and o.findings]
    crashes = [found for found in first if found.id == "crashed"]
    counts = {"hung": sum(found.id == "hung" for found in first),
              "crashed": sum(found["limit"] != "memory_or_cpu" for found in crashes),
              "took too much memory": sum(found["limit"] == "memory_or_cpu" for found in crashes)}
    parts += [f"{what} in {count} test{'s' * (count > 1)}" for what, count in counts.items() if count]
    parts += [sentence(found) for found in first if found.id in REMARKED][:1]
    not_run = [o for o in examined.outcomes if o.status == "not_run"]
    parts += [f"{len(not_run)} tests not run, since others used up the time"] if not_run else []
    if examined.warnings:
        parts.append("compiles with warnings")
    assembler = examined.assembler or any(ASSEMBLER.search(text) for text in files.values())
    registers = lab.is_layer and bool(files) and examined.registers and not examined.broken
    if result.unusual or examined.early or examined.late or examined.bytes or assembler or registers:
        parts.append("to be read by a person: " + ", ".join(
            ["code before main()"] * examined.early + ["code after main()"] * examined.late +
            ["code written as numbers"] * examined.bytes + ["an engine of its own"] * registers +
            ["assembler"] * assembler + functions.shown(result.unusual)))
    return reports.shortened(reports.printable("; ".join(parts)), REMARK_BYTES_MOST)


def choose_labs(o, paths):
    known = labs.all_labs()
    if o.lab:
        return [labs.find(word) for word in o.lab.split(",")]
    named = [lab for lab in known if any(submission.names_lab(path, lab) for _, path in paths)]
    if not named:
        raise CourseError("which lab? No submission has a folder with a lab's name. Name the lab: LAB=04")
    return named


def prepare_out(out, submissions):
    """Makes an empty folder for the grades. Removes earlier grades; anything else in it is an error."""
    above = os.path.realpath(submissions)
    if os.path.commonpath([os.path.realpath(out), above]) == above:
        raise CourseError(f"OUT={out} lies within SUBMISSIONS; name another folder")
    os.makedirs(out, exist_ok=True)
    there = os.listdir(out)
    if there and "class.csv" not in there:
        raise CourseError(f"OUT={out} is not empty and holds no grades; name another folder")
    for name in there:
        if name.endswith(reports.SUFFIXES):
            os.unlink(os.path.join(out, name))
    if there:
        what = "an unfinished grading is" if reports.UNFINISHED in there else "earlier grades are"
        print(f"{out}: {what} replaced")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("submissions", metavar="SUBMISSIONS", nargs="?",
                        help="one submission, or a folder of them")
    parser.add_argument("--lab", help="the lab, or several: 01,04 (default: those that the submissions' "
                                      "folders name)")
    parser.add_argument("--out", default=os.path.join("results", "grades"), help="the folder for the grades")
    parser.add_argument("--jobs", type=int, default=1,
                        help="how many submissions to grade at once: 1 (default) or 2")
    parser.add_argument("--limit-s", type=number_option.real(1, 86400), default=300,
                        help="limit for all tests of a lab, in seconds (default 300)")
    parser.add_argument("--first-uid", type=number_option.whole(0, 2 ** 31), default=64100,
                        help="as root: submissions run as this user and those after it (default 64100)")
    parser.add_argument("--no-sanitizers", dest="sanitizers", action="store_false",
                        help="do not run what passes again under the sanitizers: takes less time, and "
                             "memory errors and races stay hidden")
    o = parser.parse_args()
    children.catch_signals()
    try:
        return run(o)
    except (CourseError, OSError, sandbox.Ungraded) as error:
        print(f"grade: {sandbox.told(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        begun = os.path.exists(os.path.join(o.out, reports.UNFINISHED))
        print("grade: interrupted; " + (f"{reports.UNFINISHED} in {o.out} tells how far it came" if begun else
                                        "nothing is graded yet"), file=sys.stderr)
        return children.INTERRUPTED


def find_work(o):
    """The submissions, words on what is none, and the labs; raises CourseError where nothing can be graded."""
    if not 1 <= o.jobs <= 2:
        raise CourseError(f"JOBS={o.jobs}: 1 or 2 are possible; with more, tests disturb each other")
    if not o.submissions:
        raise CourseError("which submissions? make grade SUBMISSIONS=folder")
    if not os.path.isdir(o.submissions):
        raise CourseError(f"SUBMISSIONS={o.submissions} is no folder")
    paths, passed_over = submission.submissions_in(o.submissions, labs.all_labs())
    if not paths:
        raise CourseError("; ".join([f"SUBMISSIONS={o.submissions} holds no submission: no engine.c, and no folder",
                                     *passed_over]))
    for words in passed_over:
        print(f"grade: {words}", file=sys.stderr)
    chosen = choose_labs(o, paths)
    without = [lab for lab in chosen if not lab.has_solution]
    if without:
        raise CourseError(f"lab {without[0].number} has no solution here: grading needs the whole course, "
                          "not a handout")
    if os.geteuid() == 0:
        taken = sandbox.users_taken(range(o.first_uid, o.first_uid + len(paths) + 1))
        if taken:
            raise CourseError(f"user {taken[0]} is taken ({taken[1]}); choose another range, such "
                              "as FIRST_UID=70000")
    return paths, passed_over, chosen


def run(o):
    paths, passed_over, chosen = find_work(o)
    prepare_out(o.out, o.submissions)
    programs.prepare()
    names = reports.file_names([name for name, _ in paths])
    hidden = [ROOT, labs.LABS, o.submissions, o.out]
    with contextlib.closing(Examiner(chosen, hidden, o.limit_s, o.sanitizers)) as examiner:
        grader, barriers = Grader(examiner, chosen, o.first_uid), examiner.sandbox.barriers
        progress = Progress(len(paths))
        progress.show("the reference solution")
        grader.calibrate()
        grades = [Grade(reports.printable(name), names[number], ungraded="not graded yet")
                  for number, (name, _) in enumerate(paths)]
        lock = threading.Lock()

        def write(number, grade):
            with lock:
                grades[number] = grade
                reports.write_submission(o.out, grade)
                reports.write_class(o.out, grades, chosen, barriers, passed_over)

        def job(number):
            name, path = paths[number]
            progress.show(reports.printable(name))
            try:
                grade = grader.grade(number + 1, name, path, names[number])
            except sandbox.Interrupted:
                return
            except Exception as error:  # pylint: disable=broad-except
                # Whatever one submission brings about, it must not cost the others their grades.
                why = reports.printable(sandbox.told(error))[:200]
                grade = Grade(grades[number].name, names[number], ungraded=f"not graded: {why}")
            write(number, grade)
            progress.count += 1

        reports.write_class(o.out, grades, chosen, barriers, passed_over)
        with ThreadPoolExecutor(o.jobs) as pool:
            try:
                for one in [pool.submit(job, number) for number in range(len(paths))]:
                    one.result()  # a report that cannot be written ends the run
                for number, grade in enumerate(grades):
                    if grade.ungraded:  # once more, now that no neighbour disturbs it
                        job(number)
            except BaseException:
                examiner.sandbox.stopping = True
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        progress.clear()
        reports.remove_mark(o.out)
        print(reports.class_table(grades, chosen, barriers, passed_over), end="")
    print(f"\nEach submission's account, and class.csv: {o.out}/")
    return 1 if any(grade.ungraded for grade in grades) else 0


class Progress:
    """How many submissions are graded."""

    def __init__(self, total):
        self.total, self.count = total, 0

    def show(self, name):
        progress_line.show(f"[{self.count}/{self.total}] {name[:60]}")

    def clear(self):
        progress_line.show("")


if __name__ == "__main__":
    with standard_output.needed("grade"):
        sys.exit(main())
