# SPDX-License-Identifier: MIT
"""What the grader writes: TAP, JUnit, Gradescope's results.json, the student's text, the class's table.

Each file appears whole or not at all. Texts from a submission are made printable first.
"""
import csv
import io
import json
import os
import re
import xml.etree.ElementTree as ElementTree

from proctor.findings import account_lines, sentence, why_not_run
from readings import whole_file

SUFFIXES = (".tap", ".txt", ".junit.xml", ".results.json", ".new", "class.csv")
WORDS_MOST = 60  # lines to explain one failure
LINE_BYTES_MOST = 300
NAME_BYTES_MOST = 100
# Says that there are no grades yet for all. It is there while a grading runs, and stays when it is ended.
UNFINISHED = "unfinished.txt"


def printable(text, keep_lines=False):
    """The text without control characters: a terminal would obey them, and XML forbids them."""
    text = text.encode(errors="replace").decode()
    return "".join(c if c.isprintable() or (keep_lines and c in "\n\t") else "?" for c in text)


def shortened(text, most=LINE_BYTES_MOST):
    return text if len(text) <= most else f"{text[:most]}..."


def file_names(names):
    """A safe and unique file name for each submission."""
    found = []
    for name in names:
        plain = re.sub(r"[^A-Za-z0-9._@+-]", "_", printable(name)).lstrip(".-")[:80] or "_"
        plain = f"_{plain}" if plain in ("class", "unfinished") else plain
        unique, count = plain, 1
        while unique in found:
            count += 1
            unique = f"{plain}_{count}"
        found.append(unique)
    return found


def number(value):
    """Points as people write them: 10, 7.5, 6.67."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def words_of(outcome):
    return [shortened(printable(line)) for line in account_lines(outcome)[:WORDS_MOST]]


def status_of(result, outcome):
    """A test that gives no points here counts as skipped, passed or not."""
    return outcome.status if outcome.name in result.counted else "skipped"


def was_not_run(examined, outcome):
    return outcome.found("not_run", "main_not_reached", "time_used_up") is not None or \
        (examined.trouble is not None and examined.trouble.id in ("does_not_compile", "nothing_to_compile"))


def why_skipped(outcome):
    if outcome.status == "skipped":
        return printable("; ".join(map(sentence, outcome.findings)))
    return "the reference is not tested here either"


def results(grade):
    """(lab's result, outcome, name, points, most) of every test."""
    for result in grade.labs:
        for outcome in result.examined.outcomes:
            exercise = result.lab.exercises[outcome.exercise - 1]
            tests = result.points(exercise)[2]
            most = exercise.points / tests if outcome.name in result.counted else 0.0
            gained = status_of(result, outcome) == "passed" and result.points(exercise)[0] > 0
            yield (result, outcome, f"lab {result.lab.number}, exercise {outcome.exercise}: {outcome.name}",
                   most if gained else 0.0, most)


def tap(grade):
    lines = ["TAP version 13"]
    count = 0
    for result, outcome, name, _, _ in results(grade):
        count += 1
        status = status_of(result, outcome)
        lines.append(f"{'not ok' if status in ('failed', 'not_run') else 'ok'} {count} - {name}" +
                     (f" # SKIP {why_skipped(outcome)}" if status == "skipped" else ""))
        if status in ("failed", "not_run"):
            lines += [f"# {line}" for line in words_of(outcome)]
    lines += [f"1..{count}", f"# {number(grade.total)} of {number(grade.most)} points"]
    return "\n".join(lines) + "\n"


def account(grade):
    """For the student."""
    if grade.ungraded:
        return f"{grade.name}: {grade.ungraded}\n"
    out = [f"{grade.name}: {number(grade.total)} of {number(grade.most)} points"]
    if grade.remark:
        out.append(f"Remark: {grade.remark}")
    for result in grade.labs:
        lab, examined = result.lab, result.examined
        out += ["", f"Lab {lab.number}: {lab.title}", ""]
        for exercise in lab.exercises:
            points, passed, tests = result.points(exercise)
            most = exercise.points if tests else 0
            out.append(f"  exercise {exercise.number}  {number(points):>5} of {most:<4} {passed:>3} of "
                       f"{tests} tests   {exercise.title}")
        out.append(f"  total       {number(result.total):>5} of {number(result.most)}")
        if any(result.points(e)[1] and not result.points(e)[0] for e in lab.exercises):
            out += ["", "Tests that the untouched starter passes too give points only together with "
                    "others."]
        for name, why in examined.broken.items():
            out += ["", f"{name} does not compile:",
                    *[f"    {line}" for line in sentence(why).splitlines()[:60]]]
        if examined.warnings:
            out += ["", "The compiler warned (no points are lost):",
                    *[f"    {line}" for line in examined.warnings.splitlines()[:60]]]
        unrun = [o for o in examined.outcomes if status_of(result, o) in ("failed", "not_run") and
                 was_not_run(examined, o)]
        reasons = {}
        for outcome in unrun:
            reason = shortened(printable(why_not_run(outcome.findings[0])))
            reasons.setdefault(reason, []).append(outcome)
        for reason, those in reasons.items():
            out += ["", f"{len(those)} test{'s were' if len(those) > 1 else ' was'} not run: {reason}"]
        for exercise in lab.exercises:
            failed = [o for o in examined.outcomes if o.exercise == exercise.number and
                      status_of(result, o) == "failed" and o not in unrun]
            if failed:
                out += ["", f"Exercise {exercise.number}, the first failure is {failed[0].name}:",
                        *[f"    {line}" for line in words_of(failed[0])]]
            if len(failed) > 1:
                out.append(f"  {len(failed) - 1} more failed: " + ", ".join(o.name for o in failed[1:]))
        skipped = [o for o in examined.outcomes if status_of(result, o) == "skipped"]
        if skipped:
            out += ["", "The grader's machine cannot run these tests, so they give no points: " +
                    ", ".join(o.name for o in skipped)]
        out += ["", f"To see it yourself, type: make check-lab LAB={lab.number}"]
    if grade.ignored:
        out += ["", "Not graded, since no lab asks for them: " + ", ".join(grade.ignored)]
    return "\n".join(out) + "\n"


def gradescope(grade):
    tests = [{"name": name, "score": round(points, 4), "max_score": round(most, 4),
              "status": "passed" if status_of(result, outcome) == "passed" else "failed",
              "output": why_skipped(outcome) if status_of(result, outcome) == "skipped" else
              "\n".join(words_of(outcome)), "visibility": "visible"}
             for result, outcome, name, points, most in results(grade) if most]
    return json.dumps({"score": round(grade.total, 2), "execution_time": round(grade.seconds),
                       "output": account(grade), "output_format": "text", "visibility": "visible",
                       "tests": tests}, indent=1) + "\n"


def suite(grade):
    element = ElementTree.Element("testsuite", name=grade.name, time=f"{grade.seconds:.3f}")
    counts = {"tests": 0, "failures": 0, "skipped": 0, "errors": 0}
    if grade.ungraded:
        counts["tests"] = counts["skipped"] = 1
        case = ElementTree.SubElement(element, "testcase", name=grade.name, classname=grade.file_name)
        ElementTree.SubElement(case, "skipped", message=grade.ungraded)
    for result, outcome, name, _, _ in results(grade):
        counts["tests"] += 1
        case = ElementTree.SubElement(element, "testcase", name=name,
                                      classname=f"{grade.file_name}.lab{result.lab.number}")
        words = words_of(outcome)
        if status_of(result, outcome) == "failed":
            counts["failures"] += 1
            failure = ElementTree.SubElement(case, "failure", message=words[0] if words else "failed")
            failure.text = "\n".join(words)
        elif status_of(result, outcome) == "not_run":
            counts["skipped"] += 1
            ElementTree.SubElement(case, "skipped", message=words[0])
        elif status_of(result, outcome) == "skipped":
            counts["skipped"] += 1
            ElementTree.SubElement(case, "skipped", message=why_skipped(outcome))
    for name, count in counts.items():
        element.set(name, str(count))
    return element


def junit(grades):
    root = ElementTree.Element("testsuites", name="iolab")
    root.extend(suite(grade) for grade in grades)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def cell(text):
    """A spreadsheet would take a text that begins like this for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t")) else text


def class_csv(grades, chosen):
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    exercises = [f"lab {lab.number} exercise {e.number}" for lab in chosen for e in lab.exercises]
    table.writerow(["name", *exercises, "total", "of", "remark", "report"])
    for grade in grades:
        if grade.ungraded:
            table.writerow([cell(grade.name), *[""] * len(exercises), "", "", cell(grade.ungraded), ""])
            continue
        table.writerow([cell(grade.name),
                        *[number(r.points(e)[0]) for r in grade.labs for e in r.lab.exercises],
                        number(grade.total), number(grade.most), cell(grade.remark),
                        f"{grade.file_name}.txt"])
    return out.getvalue()


def class_table(grades, chosen, barriers, passed_over):
    """The class's table for people."""
    width = min(max([4, *(len(g.name) for g in grades)]), NAME_BYTES_MOST)
    heads = [f"{lab.number}.{e.number}" for lab in chosen for e in lab.exercises]
    lines = [f"{'name':{width}}  " + "  ".join(f"{h:>6}" for h in heads) + "   total  remark",
             f"{'of':{width}}  " + "  ".join(f"{e.points:>6}" for lab in chosen for e in lab.exercises) +
             f"  {sum(e.points for lab in chosen for e in lab.exercises):>6}"]
    for grade in grades:
        if grade.ungraded:
            lines.append(f"{grade.name:{width}}  " + " " * (8 * len(heads) + 8) + grade.ungraded)
            continue
        points = [number(r.points(e)[0]) for r in grade.labs for e in r.lab.exercises]
        lines.append((f"{grade.name:{width}}  " + "  ".join(f"{p:>6}" for p in points) +
                      f"  {number(grade.total):>6}  {grade.remark}").rstrip())
    graded = [g for g in grades if not g.ungraded]
    most = {number(g.most) for g in graded}
    asked = number(sum(e.points for lab in chosen for e in lab.exercises))
    if graded and most != {asked}:
        lines.append(f"This machine skips tests, so only {', '.join(most)} of {asked} points are possible.")
    if len(graded) < len(grades):
        lines.append(f"{len(graded)} of {len(grades)} submissions have a grade")
    lines += passed_over
    return "\n".join([*lines, "", "What stood between the submissions and this machine:",
                      *[f"  {barrier}" for barrier in barriers]]) + "\n"


def write_submission(out, grade):
    base = os.path.join(out, grade.file_name)
    whole_file.write(f"{base}.txt", account(grade))
    if grade.ungraded:
        return
    whole_file.write(f"{base}.tap", tap(grade))
    whole_file.write(f"{base}.results.json", gradescope(grade))
    whole_file.write(f"{base}.junit.xml", junit([grade]))


def write_class(out, grades, chosen, barriers, passed_over):
    """`grades`: of the whole class; those that are not graded yet have no points."""
    graded = sum(not grade.ungraded for grade in grades)
    whole_file.write(os.path.join(out, UNFINISHED),
        f"{graded} of {len(grades)} submissions are graded. While this file is here, a grading runs, or was ended\n"
        "before its end: the others have no grade. To grade the class again, type the same command.\n")
    whole_file.write(os.path.join(out, "class.csv"), class_csv(grades, chosen))
    whole_file.write(os.path.join(out, "class.txt"), class_table(grades, chosen, barriers, passed_over))
    whole_file.write(os.path.join(out, "class.junit.xml"), junit(grades))


def remove_mark(out):
    os.unlink(os.path.join(out, UNFINISHED))
