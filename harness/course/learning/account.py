# SPDX-License-Identifier: MIT
"""A failed test, put in order for the learner: what was expected, what was seen, what led there, and
what needs knowing to understand it."""
import errno
import os
import re
from dataclasses import dataclass, field

from labs import ROOT, SOURCES
from learning.working_copy import shown
from proctor.findings import Finding, event_line, sentence
from proctor.sanitizers import read_report

# What a finding means to someone who meets it for the first time.
HANG_MEANINGS = {
    "in_call": "So the thread sits in that call, and what it waits for does not come.",
    "runs": "So there is a loop that does not end, or one that asks again and again instead of waiting.",
}
SIGNAL_MEANINGS = {
    **dict.fromkeys(("SEGV", "BUS"),
                    "The program touched memory that it may not: a pointer that is NULL or stale, or an "
                    "index beyond the end of an array."),
    "ABRT": "abort() ended the program. If it does not call that itself, malloc or free did, which found the heap "
            "damaged. The likely cause is a write beyond the end of something, or a second free.",
    "FPE": "The likely cause is a division by zero.",
    "PIPE": "Writing to a connection whose other end is closed raises this signal. It ends a process "
            "that does not ask for something else: see send(2), signal(7).",
}
# What assert(3) of the GNU C library says: "tests: engine.c:65: tiny_submit: Assertion `count > 0' failed."
ASSERTION = re.compile(r"^[^:]*: ([^:]+):(\d+): (?:(.+): )?Assertion `(.*)' failed\.$")
# By what AddressSanitizer or ThreadSanitizer calls it.
SANITIZER_MEANINGS = {
    "heap-use-after-free": "Memory was used after free() had given it back.",
    "double-free": "The same memory was freed twice.",
    "buffer-overflow": "Memory beyond the end of an array or of an allocation was used.",
    "memory leaks": "Memory from malloc() was never freed; close() gives everything back.",
    "data race": "Two threads used the same memory, at least one of them wrote, and no lock or atomic operation "
                 "ordered them. It may go well a thousand times.",
    "thread leak": "A thread ended or ran on, and nobody waited for it with pthread_join().",
    "stack-use-after": "A local variable was used after its function or block had ended.",
}


def is_errno_itself(finding):
    """Did a test expect -EBADF, say, and see the number of EBADF?"""
    numbers = [getattr(errno, name, None) for name in re.findall(r"-(E[A-Z0-9]+)", finding["expected"] or "")]
    seen = finding["seen"]
    return seen.isdecimal() and int(seen) in numbers


def meaning(finding):
    """Of a finding, in a sentence or two; "" when its own sentence is enough."""
    if finding.id == "expectation" and is_errno_itself(finding):
        return "That is errno itself. A failure is its negative, -errno."
    if finding.id == "waits_in_test":
        return "So the engine holds an operation that its reap() never hands out."
    if finding.id == "hung":
        return HANG_MEANINGS.get(finding["state"], "A test that is not over in its time is ended by force.")
    if finding.id == "crashed":
        return SIGNAL_MEANINGS.get(finding["signal"], "")
    if finding.id == "assertion":
        return "assert() ends the program where its condition does not hold."
    if finding.id == "ended" and finding["status"] == 0:
        return "An engine returns to its caller and never ends the process."
    if finding.id == "sanitizer":
        return next((words for sign, words in SANITIZER_MEANINGS.items() if sign in finding["what"]), "")
    return ""


def is_ours(lab, file):
    """Is it a file of the course, and not the learner's?"""
    if os.path.exists(os.path.join(ROOT, "harness", "course", "proctor", file)):
        return True
    return file.endswith(SOURCES) and file not in lab.files and \
        not os.path.exists(os.path.join(ROOT, "common", file))


def in_own_loop(lab, finding, events):
    """A line of ours tells a learner nothing: what goes round there is the test, which waits. The same
    when the engine gives equal answers without end, wherever the program was seen."""
    if finding.id != "hung" or finding["state"] != "runs" or finding["before_main"]:
        return finding
    file = finding["file"] or ""
    ours = is_ours(lab, file) if file else not finding["inside"]
    endless = any(isinstance(event, dict) and event["repeats"] == "endless" for event in events[-3:])
    return Finding("waits_in_test", {"limit_s": finding["limit_s"]}) if ours or endless else finding


def by_assertion(finding, lines):
    """abort() has two callers: the C library that found the heap damaged, and an assertion, which has said so."""
    said = [found for found in map(ASSERTION.match, lines) if found]
    if finding.id != "crashed" or finding["signal"] != "ABRT" or not said:
        return finding
    file, line, function, condition = said[-1].groups()
    function = (function or "").partition("(")[0]
    return Finding("assertion", {"condition": condition, "function": function, "file": os.path.basename(file),
                                 "line": int(line), "inside": finding["inside"],
                                 "before_main": finding["before_main"]})


@dataclass
class Account:
    findings: list = field(default_factory=list)
    reasons: list = field(default_factory=list)  # their sentences
    meaning: str = ""
    checked_at: str = ""  # the line of the test, from the root
    begins_at: str = ""  # the line at which the test begins, where the line above is in another function
    printed: list = field(default_factory=list)  # the program's own output
    events: list = field(default_factory=list)
    events_cut: bool = False


def locate(lab, name, line):
    """"work/04_epoll/engine.c:88" from the bare name that a tool gives, such that an editor finds it."""
    folders = [lab.work(), lab.folder, os.path.join(ROOT, "harness", "tests", "conformance"),
               os.path.join(ROOT, "harness", "course", "proctor")]
    for folder in folders:
        path = os.path.join(folder, os.path.basename(name))
        if os.path.exists(path):
            return f"{shown(path)}:{line}"
    return f"{name}:{line}"


def begins_elsewhere(lab, outcome, finding):
    """"labs/12_async_await/tests.c:564", where a test begins whose expectation stands in a function that several
    tests call; "" where it stands in the test itself, or where the lab's tests have none of that name."""
    with open(lab.path("tests.c"), encoding="utf-8") as file:
        lines = file.read().split("\n")
    head = f"static void {outcome.name.partition('/')[0]}("
    begin = next((number for number, line in enumerate(lines, 1) if line.startswith(head)), 0)
    end = next((number for number, line in enumerate(lines, 1) if number > begin and line == "}"), 0)
    is_within = finding["file"] == "tests.c" and begin <= finding["line"] <= end
    return "" if is_within or not begin else f"{shown(lab.path('tests.c'))}:{begin}"


def read(lab, outcome):
    """The account of one failed test."""
    told = Account(events=[event_line(event) for event in outcome.events], events_cut=outcome.events_cut)
    sanitizer = read_report(lab.files, outcome.output)
    if sanitizer:
        told.findings = [sanitizer]
    else:
        told.findings = [by_assertion(in_own_loop(lab, f, outcome.events), outcome.output)
                         for f in outcome.findings]
        quoted = any(finding.id == "assertion" for finding in told.findings)
        told.printed = [line for line in outcome.output if not (quoted and ASSERTION.match(line))]
    if not told.findings:
        told.findings = [Finding("nothing_said")]
    for finding in told.findings:
        if finding.id == "expectation":
            told.checked_at = locate(lab, finding["file"], finding["line"])
            told.begins_at = begins_elsewhere(lab, outcome, finding)
        told.reasons.append(sentence(finding, lambda file, line: locate(lab, file, line)))
    told.meaning = next(filter(None, map(meaning, told.findings)), "")
    return told
