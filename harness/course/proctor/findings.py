# SPDX-License-Identifier: MIT
"""What is known of a test, as identifiers with values; and, in this one place, the sentences for people.

The proctor's findings (their values; those that may be absent in brackets):

    expectation           when, expected, seen, file, line: the test's own; `when` and `expected` may be empty
    crashed               signal, limit, by_itself, before_main, inside, [file, line]
    hung                  limit_s, before_main, inside, state, [call, call_text, file, line]
                          state: in_call, runs, sleeps, unknown
    ended                 status, before_main, inside: in the middle of the test
    skipped               why: by the test itself
    main_not_reached      the test was not run
    opens_forbidden       path
    opens_for_writing     path
    changes_file          path
    reaches_process       call
    becomes_program       call
    starts_process        starts_threads        foreign_architecture
    leaves_behind         call
    filters_calls         call
    changes_code          call
    looks_for_tracer      path
    forges                call
    changes_counts        passes_after_failure
    hides_call            call

The learner's commands and the grader add:

    waits_in_test         limit_s: hung, but in the test's own loop
    sanitizer             tool, what, function, [file, line]
    assertion             condition, function, file, line, inside, before_main: assert(3) ended the program
    nothing_said          it failed without a reason
    skipped_alone         why: where the reference does not skip
    not_run               why
    time_used_up          exercise, limit_s: not run, since others of the exercise hung
    does_less             whose ("engine", "own", "moved"), call, seen, needed: passed, but not by going its
                          way; for "moved" the call is "in" or "out", and the numbers are bytes
    waits_outside         call: passed, but the test itself made this call, which it does nowhere with the reference
    calls_forbidden       function, why: lab.toml forbids it
    uses_ring             passed, but with io_uring, which the lab is not about
    does_not_compile      nothing_to_compile    program_changed       proctor_ended_early
    compiler_says         words                 compiler_ended        status
    compiler_stopped      why                   compiler_named_nothing
    includes_forbidden    file
    file_absent           why                   file_broken           file, why
    tracing_refused       proctor_failed        why
    stopped               why: the whole run, from outside

Programs compare ids and values, never a sentence.
"""
from dataclasses import dataclass, field

# The proctor ended the program for one of these.
RULES = {"opens_forbidden", "opens_for_writing", "changes_file", "reaches_process", "becomes_program",
         "starts_process", "starts_threads", "foreign_architecture", "leaves_behind",
         "filters_calls", "changes_code", "looks_for_tracer", "forges", "changes_counts", "passes_after_failure",
         "hides_call"}

LIMITS = {"memory_or_cpu": "; it took more memory or CPU time than it may",
          "cpu_time": "; it took more CPU time than it may",
          "file_size": "; it wrote a larger file than it may"}

FUTEX_MEANS = ": a lock that somebody holds, a condition that nobody signals, or a thread that does not end"


@dataclass
class Finding:
    id: str
    values: dict = field(default_factory=dict)

    def __getitem__(self, name):
        return self.values.get(name)


def _inside(finding):
    """Where the program was, of crashed, hung and ended."""
    if finding["before_main"]:
        return " before main() began (in a constructor?)"
    return f" inside the engine's {finding['inside']}()" if finding["inside"] else ""


def _at(finding, place, before):
    return f"{before}{place(finding['file'], finding['line'])}" if finding["file"] else ""


def _expectation(f, _):
    if not f["expected"]:
        return f["seen"]
    return f"{f['when']}{': ' if f['when'] else ''}expected {f['expected']}, saw {f['seen']}"


def _crashed(f, place):
    if f["by_itself"]:
        return f"the program sent SIG{f['signal']} to itself{_inside(f)}"
    return f"crashed with SIG{f['signal']}{_inside(f)}{_at(f, place, ', at ')}{LIMITS.get(f['limit'], '')}"


def _assertion(f, place):
    where = f", in {f['function']}()" if f["function"] else ""
    return f"an assertion failed{_inside(f)}{where}{_at(f, place, ' at ')}: {f['condition']}"


def _hung(f, place):
    text = f"hung: not over after {f['limit_s']} s{_inside(f)}"
    if f["state"] == "in_call":
        return f"{text}. It sleeps in {f['call_text']}{FUTEX_MEANS if f['call'] == 'futex' else ''}"
    if f["state"] == "runs":
        return f"{text}. It does not sleep, it runs{_at(f, place, ', at ')}"
    return f"{text}. It sleeps" if f["state"] == "sleeps" else text


def _ended(f, _):
    if f["status"] != 0:
        return f"the process ended{_inside(f)} with status {f['status']}"
    who = "it" if f["before_main"] else "the engine"
    return f"the process ended{_inside(f)}, before the test was over. Does {who} call exit()?"


def _sanitizer(f, place):
    return f"{f['tool']}: {f['what']}" + (f", in {f['function']}()" if f["function"] else "") + \
        _at(f, place, " at ")


def _does_less(f, _):
    if f["whose"] == "moved":
        does = "reads or receives" if f["call"] == "in" else "writes or sends"
        return f"the test said that it passed, but the engine {does} {f['seen']} bytes in it, where it needs " \
               f"{f['needed']} or more"
    what = f"calls to the engine's {f['call']}()" if f["whose"] == "engine" else f"of its own calls of {f['call']}"
    return f"the test said that it passed, but made {f['seen']} {what}, where it needs {f['needed']} or more"


def _skipped_alone(f, _):
    return "the test skipped itself, and the reference's does not" + (f": {f['why']}" if f["why"] else "")


# Why a test was not run. Its sentence begins with "not run: "; a report that says so once, of several
# tests, has the reason alone.
REASONS_NOT_RUN = {
    "main_not_reached": "the program does not get as far as main(); see the first test",
    "time_used_up": "the tests of exercise {exercise} may take {limit_s} s together, and others used that up",
    "not_run": "{why}",
}

# A template that the values fill, or a function of the finding and of place(file, line).
SENTENCES = {
    "expectation": _expectation,
    "crashed": _crashed,
    "hung": _hung,
    "ended": _ended,
    "skipped": "{why}",
    "opens_forbidden": "the program opens {path}, which it may not read",
    "opens_for_writing": "the program opens {path} for writing, outside of its folder",
    "changes_file": "the program changes {path}, outside of its folder",
    "reaches_process": "the program reaches for another process ({call})",
    "becomes_program": "the program turns into another one ({call})",
    "starts_process": "the program starts another process",
    "starts_threads": "the program starts threads without end",
    "foreign_architecture": "the program makes system calls of another architecture",
    "leaves_behind": "the program makes something that outlives it ({call})",
    "filters_calls": "the program filters system calls ({call}), which could hide them from the proctor",
    "changes_code": "the program changes code that is in memory ({call})",
    "looks_for_tracer": "the program opens {path}, which tells whether it is watched",
    "forges": "the program says to the proctor what only the test says ({call})",
    "changes_counts": "the program changes how many system calls the proctor has counted",
    "passes_after_failure": "an expectation did not hold, and the program said that it passed",
    "hides_call": "the engine makes the system call {call}, which the exercise does not allow, and hides it from the test",
    "does_less": _does_less,
    "waits_outside": "the test said that it passed, but made the call {call} outside of the engine, which it does not "
                     "make with the reference",
    "calls_forbidden": "it calls {function}, which this lab does not allow: {why}",
    "uses_ring": "it uses io_uring, which this lab is not about: the proctor does not see what a ring does",
    "waits_in_test": "hung: not over after {limit_s} s. It runs in the test's own loop: nothing comes back "
                     "from the engine",
    "sanitizer": _sanitizer,
    "assertion": _assertion,
    "nothing_said": "the test program ended with a failure and said nothing",
    "skipped_alone": _skipped_alone,
    "does_not_compile": "does not compile",
    "nothing_to_compile": "nothing to compile",
    "program_changed": "the test program was changed while it ran",
    "proctor_ended_early": "the proctor ended early",
    "compiler_says": "{words}",
    "compiler_ended": "the compiler ended with status {status}",
    "compiler_stopped": "the compiler was ended: {why}",
    "compiler_named_nothing": "the compiler left no list of included files",
    "compiler_listed_nothing": "the compiler ended with status {status} when it was to list the included files",
    "includes_forbidden": "it includes {file}, which a submission may not read",
    "file_absent": "{why}",
    "file_broken": "{file} does not compile: {why}",
    "tracing_refused": "ptrace is refused here",
    "proctor_failed": "{why}",
    "stopped": "{why}",
    **{name: f"not run: {reason}" for name, reason in REASONS_NOT_RUN.items()},
}


def bare_place(file, line):
    return f"{file}:{line}"


def sentence(finding, place=bare_place):
    """`place` tells where "engine.c", 88 is to be found."""
    made = SENTENCES.get(finding.id, finding.id)
    return made(finding, place) if callable(made) else made.format_map(finding.values)


def why_not_run(finding):
    """The reason alone, without "not run"."""
    reason = REASONS_NOT_RUN.get(finding.id)
    return reason.format_map(finding.values) if reason else sentence(finding)


def event_line(event):
    """An entry of the account: a text, or how often what stands before it repeats."""
    if isinstance(event, str):
        return event
    if event["repeats"] == "endless":
        return "... the same, over and over"
    if event["repeats"] == "same":
        return f"... the same, {event['times']} more times"
    return f"... {event['times']} more of this kind"


OUTPUT_LINES = (8, 8)  # the first and the last ones that are shown


def output_lines(lines):
    """A program's own output, without the middle where it is long."""
    first, last = OUTPUT_LINES
    if len(lines) <= first + last:
        return lines
    left_out = len(lines) - first - last
    words = "1 line is" if left_out == 1 else f"{left_out} lines are"
    return [*lines[:first], f"... {words} left out ...", *lines[-last:]]


def account_lines(outcome):
    """All that is known of a failed test, in lines, as the grader's reports have it. The reason comes first,
    and what the program printed last."""
    lines = [sentence(finding) for finding in outcome.findings]
    if outcome.events:
        lines.append(f"what led there{' (the end of it)' if outcome.events_cut else ''}:")
        lines += [f"  {event_line(event)}" for event in outcome.events]
    if outcome.output:
        lines.append("what the program printed:")
        lines += [f"  {line}" for line in output_lines(outcome.output)]
    return lines
