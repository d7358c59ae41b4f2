# SPDX-License-Identifier: MIT
"""A failed test in words: what was expected, what was seen, and what led there.

The proctor's lines say it exactly; here they are put in order, and what needs knowing to understand
them is added.
"""
import errno
import os
import re
from dataclasses import dataclass, field

from labs import ROOT
from learning.working_copy import shown

EXPECTATION = re.compile(r"^(.*) \(([\w.]+\.c):(\d+)\)$")
SUMMARY = re.compile(r"(?:==\d+==)?ERROR: (\w+Sanitizer): (.*)")
UNDEFINED = re.compile(r"(\S+\.c):(\d+)(?::\d+)?: runtime error: (.*)")
FRAME = re.compile(r"#\d+ 0x[0-9a-f]+ in (\w+) (\S+\.c):(\d+)")

# What the proctor's words mean to someone who meets them for the first time.
MEANINGS = (
    (r"^hung: .* the test's own loop",
     "So the engine holds an operation that its reap() never hands out."),
    (r"^hung: .* It sleeps in",
     "So the thread sits in that call, and what it waits for does not come."),
    (r"^hung: .* it runs",
     "So there is a loop that does not end, or one that asks again and again instead of waiting."),
    (r"^hung: ", "A test that is not over in its time is ended by force."),
    (r"SIGSEGV|SIGBUS",
     "The program touched memory that it may not: a pointer that is NULL or stale, or an index "
     "beyond the end of an array."),
    (r"SIGABRT", "The C library ended the program: malloc or free found the heap damaged, most "
                 "likely by a write beyond the end of something, or by a second free."),
    (r"SIGFPE", "A division by zero, most likely."),
    (r"SIGPIPE", "Writing to a connection whose other end is closed raises this signal, and it ends "
                 "a process that has not said otherwise: send(2), signal(7)."),
    (r"before the test was over", "An engine returns to its caller and never ends the process."),
    (r"heap-use-after-free", "Memory was used after free() had given it back."),
    (r"buffer-overflow", "Memory beyond the end of an array or of an allocation was used."),
    (r"double-free", "The same memory was freed twice."),
    (r"detected memory leaks", "Memory from malloc() was never freed; close() gives everything back."),
    (r"stack-use-after", "A local variable was used after its function or block had ended."),
)


# Where a program that does not sleep was seen.
RUNS = re.compile(r"^(hung: not over after \d+ s)(.*)\. It does not sleep, it runs(?:, at (\S+):\d+)?$")
# Who goes round with so many equal answers from the engine is the test, wherever it was seen.
ROUNDS = re.compile(r"\.\.\. the same, over and over$")


def in_own_loop(lab, word, events):
    """A line of ours tells a learner nothing: what goes round there is the test that waits."""
    found = RUNS.match(word)
    if not found or "main()" in found[2]:
        return word
    file = found[3] or ""
    ours = (file.endswith(".c") and file not in lab.files and
            not os.path.exists(os.path.join(ROOT, "common", file))) if file else not found[2]
    if ours or any(ROUNDS.search(event) for event in events[-3:]):
        return f"{found[1]}. It runs in the test's own loop: nothing comes back from the engine"
    return word


# A negative number where an engine's answer stands is an error's.
ERROR_NUMBER = re.compile(r"((?:saw|result|=) |^\s+)-(\d+)\b(?! \()")


def with_error_names(text):
    """"saw -38" becomes "saw -38 (-ENOSYS)"."""
    def named(found):
        number = int(found[2])
        # One number, two names; the kernel and our engines use this one.
        name = "EOPNOTSUPP" if number == errno.EOPNOTSUPP else errno.errorcode.get(number)
        return f"{found[0]} (-{name})" if name else found[0]
    return ERROR_NUMBER.sub(named, text)


@dataclass
class Account:
    reasons: list = field(default_factory=list)  # what was expected and seen, or what happened
    checked_at: str = ""  # the line of the test, from the root
    printed: list = field(default_factory=list)  # the program's own output
    events: list = field(default_factory=list)
    events_cut: bool = False

    @property
    def meaning(self):
        text = " ".join(self.reasons)
        return next((words for sign, words in MEANINGS if re.search(sign, text)), "")


def locate(lab, name, line):
    """"work/04_epoll/engine.c:88" from the bare name that a tool gives."""
    folders = [lab.work(), lab.folder, os.path.join(ROOT, "harness", "tests", "conformance"),
               os.path.join(ROOT, "harness", "course", "proctor")]
    for folder in folders:
        path = os.path.join(folder, os.path.basename(name))
        if os.path.exists(path):
            return f"{shown(path)}:{line}"
    return f"{name}:{line}"


def with_paths(lab, text):
    """File names of the working copy, such that an editor finds them."""
    for name in lab.files:
        text = re.sub(rf"(?<![\w/]){re.escape(name)}:(\d+)",
                      lambda found, name=name: locate(lab, name, found[1]), text)
    return text


def sanitizer_words(lab, lines):
    """The one line of a sanitizer's long report that matters, with the place in the learner's file."""
    for number, line in enumerate(lines):
        undefined, summary = UNDEFINED.search(line), SUMMARY.search(line)
        if undefined:
            return f"{locate(lab, undefined[1], undefined[2])}: {undefined[3]} (UBSan)"
        if summary:
            what = re.sub(r" on (unknown )?address.*| \(pc .*|: 0x.*", "", summary[2])
            for frame in map(FRAME.search, lines[number:]):
                if frame and os.path.basename(frame[2]) in lab.files:
                    return f"{summary[1]}: {what}, in {frame[1]}() at {locate(lab, frame[2], frame[3])}"
            return f"{summary[1]}: {what}"
    return ""


def read(lab, outcome):
    """From the proctor's words on one failed test."""
    account = Account()
    quoted = []
    for word in outcome.words:
        if word.startswith("what led there"):
            account.events_cut = "the end of it" in word
            quoted = account.events
        elif word.startswith("  "):
            if quoted is account.events:
                quoted.append(with_error_names(word[2:]))
            else:
                account.printed.append(word[2:])
        else:
            account.reasons.append(word)
    account.reasons = [with_paths(lab, in_own_loop(lab, word, account.events))
                       for word in account.reasons]
    sanitizer = sanitizer_words(lab, account.printed)
    if sanitizer:
        account.reasons = [sanitizer]
        account.printed = []
        return account
    # A test's own last line is its expectation; what stands before it the engine printed.
    found = EXPECTATION.match(account.printed[-1]) if account.printed else None
    if found:
        account.printed.pop()
        account.reasons.append(with_error_names(found[1]))
        account.checked_at = locate(lab, found[2], found[3])
    return account
