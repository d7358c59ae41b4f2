# SPDX-License-Identifier: MIT
"""Checks a working copy: builds the tests around it, runs them, explains what failed."""
import contextlib
import os
import re
import select
import shutil
import subprocess
import threading

import labs
import children
from labs import CourseError
from learning import account, working_copy
from learning.progress import Progress, now
from learning.terminal import count, paint, say, say_next, say_wrapped
from learning.working_copy import shown
from proctor import programs
from proctor.findings import sentence
from proctor.sanitizers import ADDRESS, THREAD
from readings import whole_file

REPORT_S = 0.5  # a test's report is written at once
PROCTORS_A_CPU = 1.5  # some tests sleep; more would keep one that spins from using up its time
BEHIND = ("nice",)  # before a command that the learner does not wait for yet
ERROR_NAME = re.compile(r"\(-E[A-Z0-9]+\)")  # in an answer such as -38 (-ENOSYS)
COUNT = re.compile(r"\d{2,}")
WORD = re.compile(r"[a-z]{3}")
COMPILE_ERROR = re.compile(r"^(\S+?:\d+)(?::\d+)?: (?:fatal )?error: ", re.M)
PRINTED_SHOWN = 8
PRINTING_COSTS = ("(Prints take time and system calls, which the tests count. Take them out before you believe a "
                  "failure.)")
REASONS_SHOWN = 6


class DoesNotCompile(CourseError):
    """The text is the compiler's."""


def lab_word(lab):
    """What to type after a command so that it means this lab."""
    return "" if Progress().current == lab.name else f" LAB={lab.number}"


def program_path(lab, sanitize=""):
    kind = {"": "", ADDRESS: "-sanitized"}.get(sanitize, f"-sanitized-{sanitize}")
    return os.path.join(labs.WORK, ".build", lab.name, "tests" + kind)


def library(sanitize):
    return os.path.join(programs.build_folder(sanitize=sanitize), "course", "tests.a")


def prepare(sanitize=""):
    """Builds what the tests are linked with, if that is not done yet."""
    for tool in ("gcc", "make"):
        if not shutil.which(tool):
            raise CourseError(f"there is no {tool} here; harness/setup.sh learn installs what is missing")
    if not os.path.exists(library(sanitize)):
        what = "the tests' library with sanitizers" if sanitize else "the tests' library"
        say(paint(f"(Building {what} first. This happens once.)", "dim"))
    try:
        programs.prepare(sanitize=sanitize)
    except CourseError as error:
        raise CourseError(f"{error}\nThe course itself does not build. Is something missing? "
                          "harness/setup.sh learn tells") from error


def compile_files(lab, sanitize="", wrap=()):
    """Returns (the test program, the compiler's words). `wrap` is put before the compiler's command."""
    program = program_path(lab, sanitize)
    os.makedirs(os.path.dirname(program), exist_ok=True)
    sources = [shown(lab.work(name)) for name in lab.files]
    with whole_file.replacing(program) as fresh:
        try:
            words = programs.compile_tests(lab, sources, fresh, sanitize=sanitize, wrap=wrap)
        except CourseError as error:
            raise DoesNotCompile(str(error)) from error
    return program, words


def build(lab, sanitize="", wrap=()):
    prepare(sanitize)
    return compile_files(lab, sanitize, wrap)


def build_ahead(lab, pool, whole):
    """Begins to build what SanitizedRuns needs, {sanitizers: future of build()}, while the other CPUs are idle.
    What takes long, as a first build of the library does, waits until it is needed. `whole`: all tests are asked
    for, those of threads too."""
    wanted = [ADDRESS] + ([THREAD] if whole and lab.threads else [])
    return {sanitize: pool.submit(build, lab, sanitize, BEHIND) for sanitize in wanted
            if os.path.exists(library(sanitize))}


class SanitizedRuns:
    """Runs the tests again under sanitizers, which look at every access to memory. There no system calls are
    counted. `tested`: the program that is run without them; `ahead`: of build_ahead()."""

    def __init__(self, lab, tested, ahead, exercise, test):
        self.lab, self.ahead, self.exercise, self.test = lab, ahead, exercise, test
        self.unwanted = threading.Event()
        self.future = None
        threaded = threaded_engines(lab, tested, exercise, test)
        self.trouble = programs.thread_sanitizer_trouble() if threaded else ""
        self.kinds = [(ADDRESS, "")] + [(THREAD, engine) for engine in threaded if not self.trouble]

    def begin(self, pool):
        """Begins while the tests run that the learner waits for. Where these fail, close() ends it."""
        if all(os.path.exists(library(sanitize)) for sanitize, _ in self.kinds):
            self.future = pool.submit(self.run, BEHIND)

    def close(self):
        """Ends what still runs. Nobody waits for its results then."""
        self.unwanted.set()

    def results(self):
        """(verdict, program, the tools' names) of the first run that fails, else of the last."""
        if self.trouble:
            say(f"  {paint('skipped', 'yellow')} ThreadSanitizer: {self.trouble}")
            say()
        done = self.future.result() if self.future else self.run()
        verdict, program = next((run for run in done if run[0].failed), done[-1])
        if THREAD not in os.path.basename(program):
            return verdict, program, "AddressSanitizer and UBSan"
        return verdict, program, "ThreadSanitizer" if verdict.failed else "AddressSanitizer, UBSan and ThreadSanitizer"

    def run(self, wrap=()):
        with children.pool(len(self.kinds)) as pool:
            runs = [pool.submit(self.run_under, sanitize, engine, wrap) for sanitize, engine in self.kinds]
            return [run.result() for run in runs]

    def run_under(self, sanitize, engine, wrap):
        """Returns (verdict, program). A program with a sanitizer is slow to start, so one runs all tests; only
        what fails there is asked of the proctor, which says why."""
        program, _ = self.ahead[sanitize].result() if sanitize in self.ahead else \
            build(self.lab, sanitize, wrap)
        tests = programs.tests_in(program, self.exercise, self.test, engine)
        verdict = programs.Verdict(programs.run_each(program, tests, wrap, self.unwanted))
        for again in (verdict.failed[0].name, self.test) if verdict.failed else ():
            if verdict.failed and not self.unwanted.is_set():
                verdict = need_outcomes(run_for(program, self.exercise, again, untraced=True, engine=engine))
        return verdict, program


def threaded_engines(lab, program, exercise, test):
    """The engines that share memory with threads, where the lab may, as far as these tests look at them. A layer works with
    the threads of others: "" stands for all engines."""
    if lab.is_layer:
        return [""] if lab.threads else []
    texts = [working_copy.read(lab.work(name)) for name in lab.files] if lab.threads else []
    tested = {engine for _, _, engine in programs.tests_in(program, exercise, test)}
    return [name for text in texts if labs.shares_memory(text) for name in labs.engine_names(text)
            if name in tested]


def run_part(program, options, part, hung):
    """The verdict of one proctor. `hung`, an Event, is set once a test of any part has hung."""
    command = [os.path.join(labs.ROOT, "build", "course", "proctor"), *options, "--part", part, program]
    text = b""
    shown_before = None  # how many tests of this part were over when another part's test had hung
    with programs.proctor_environment() as environment, \
            children.child(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                           env=environment) as proctor:
        try:
            while True:
                if not select.select([proctor.stdout], [], [], REPORT_S)[0]:
                    if not hung.is_set():
                        continue
                    # The test that runs here may stand before the one that hung, and be what is wrong.
                    outcomes = programs.read_tap(text.decode(errors="replace"))
                    if shown_before is None:
                        shown_before = len(outcomes)
                    if len(outcomes) > shown_before or any(map(is_hung, outcomes)):
                        return programs.Verdict(outcomes, cut_short=True)
                    continue
                piece = os.read(proctor.stdout.fileno(), 65536)
                if not piece:
                    break
                text += piece
                # Only then is it worth a look at the whole.
                if b'"hung"' in text[-len(piece) - len('"hung"'):] and \
                        any(is_hung(o) for o in programs.read_tap(text.decode(errors="replace"))):
                    hung.set()
            errors = proctor.stderr.read()
        finally:
            proctor.kill()
            proctor.communicate()
    return programs.verdict_of(text, errors, proctor.returncode)


def run_until_hang(program, options, tests):
    """As programs.run_tests(), by several proctors at once. Stops after a test that hangs: the next ones would
    probably hang too, and take as long. Only for traced tests; `tests`: how many there are."""
    parts = max(1, min(tests, int(PROCTORS_A_CPU * len(os.sched_getaffinity(0)))))
    hung = threading.Event()
    with children.pool(parts) as pool:
        runs = [pool.submit(run_part, program, options, f"{number}/{parts}", hung)
                for number in range(1, parts + 1)]
        return programs.together([run.result() for run in runs])


def run_for(program, exercise, test, untraced=False, engine=""):
    """The verdict, which may name a trouble."""
    options = ["--engine", engine] if engine else []
    if exercise:
        options += ["--exercise", str(exercise)]
    if test:
        options += ["--only", test]
    if not untraced:
        tests = programs.tests_in(program, exercise, test, engine)
        verdict = run_until_hang(program, options, len(tests))
    if untraced or verdict.status == programs.TRACING_REFUSED:
        verdict = programs.run_tests(program, [*options, "--untraced"])
    return verdict


def need_outcomes(verdict):
    if verdict.trouble:
        raise CourseError(f"the tests could not run: {verdict.trouble}")
    return verdict


def run(lab, program, exercise, test, untraced=False):
    verdict = run_for(program, exercise, test, untraced)
    if verdict.status == programs.NO_TEST:
        raise CourseError(f"no test of lab {lab.number} begins with '{test}'; "
                          f"make check-lab LAB={lab.number} shows their names")
    return need_outcomes(verdict)


def why_skipped(outcome):
    return "; ".join(map(sentence, outcome.findings))


def show_outcome(outcome):
    if outcome.status == "passed":
        say(f"  {paint('ok', 'green')}      {outcome.name}")
    elif outcome.status == "failed":
        say(f"  {paint('FAILED', 'red')}  {outcome.name}")
    else:
        say(f"  {paint('skipped', 'yellow')} {outcome.name}: {why_skipped(outcome)}")


def show_outcomes(lab, outcomes):
    """Each test, up to the first exercise that fails; for later exercises a count."""
    reached = True
    for exercise in lab.exercises:
        mine = [o for o in outcomes if o.exercise == exercise.number]
        if not mine:
            continue
        title = f"Exercise {exercise.number}: {exercise.title}"
        if not reached:
            passed = sum(o.status == "passed" for o in mine)
            say(paint(f"{title} ({passed} of {count(len(mine), 'test')} passed)", "dim"))
            continue
        say(paint(title, "bold"))
        for outcome in mine:
            show_outcome(outcome)
        reached = not any(o.status == "failed" for o in mine)


def explain(lab, outcome):
    told = account.read(lab, outcome)
    say(paint(f"What went wrong in {outcome.name}", "bold"))
    for reason in told.reasons:
        say_wrapped(reason, "  ")
    if told.meaning:
        say_wrapped(told.meaning, "  ")
    if told.checked_at:
        say(f"  (The test checks this in {told.checked_at}.)")
    if told.begins_at:
        say(f"  (It begins in {told.begins_at}.)")
    if told.printed:
        say()
        say(paint("What the program printed", "bold"))
        for line in told.printed[:PRINTED_SHOWN]:
            say(f"  {line}")
        if len(told.printed) > PRINTED_SHOWN:
            say(f"  ... and {count(len(told.printed) - PRINTED_SHOWN, 'line')} more")
        say_wrapped(PRINTING_COSTS, "  ")
    if told.events:
        say()
        say(paint("What led there", "bold") + f", oldest first (indented: the system calls of {'the' if lab.is_layer else 'your'} engine)")
        if told.events_cut:
            say("    ...")
        for line in told.events:
            say(f"    {line}")


def is_hung(outcome):
    return outcome.found("hung") is not None


def say_hung(hung, failure, cut_short):
    """The test that hung may be another than the one explained."""
    not_run = "not run, since a test that hangs uses up its whole time."
    if hung is not failure:
        say()
        say_wrapped(f"{hung.name} hung" + (f"; the tests after it were {not_run}" if cut_short else "."))
    elif cut_short:
        say()
        say(f"The tests after it were {not_run}")


def in_common(told):
    """What failures share that have one cause: the error that they saw, whatever each expected; else the sentence,
    whatever number of calls, say, each saw."""
    first = told.findings[0]
    seen = first["seen"] if first.id == "expectation" and first["expected"] else ""
    if ERROR_NAME.search(seen):
        return seen
    counted = COUNT.sub("#", seen)
    return told.reasons[0].replace(seen, counted) if counted != seen and WORD.search(counted) else told.reasons[0]


def say_others(lab, failure, failed):
    """The other failures of an exercise: a line for each different cause."""
    explained = account.read(lab, failure)
    causes = {}
    for outcome in failed:
        told = account.read(lab, outcome)
        causes.setdefault(in_common(told), []).append((outcome.name, told.reasons[0]))
    alike = causes.pop(in_common(explained))
    say()
    if len(alike) > 1:
        same = not ERROR_NAME.search(in_common(explained)) or all(reason == explained.reasons[0] for _, reason in alike)
        say_wrapped(f"{count(len(alike) - 1, 'more test')} of this exercise fail{'s' if len(alike) == 2 else ''} " +
                    ("for the same reason." if same else f"with the same answer, {in_common(explained)}."))
    for alike in list(causes.values())[:REASONS_SHOWN]:
        name, reason = alike[0]
        more = f" (and {len(alike) - 1} more)" if len(alike) > 1 else ""
        say_wrapped(f"{name}{more}: {reason}", "  ", "    ")
    if len(causes) > REASONS_SHOWN:
        say(f"  ... and {len(causes) - REASONS_SHOWN} other reasons")


def first_failure(verdict):
    return min(verdict.failed, key=lambda o: o.exercise, default=None)


def note_results(lab, outcomes, failure, complete):
    """Writes work/progress. `outcomes`: of whole exercises."""
    progress = Progress()
    for number in sorted({o.exercise for o in outcomes}):
        progress.note("passed", lab, now(), number)
        progress.forget("failing", lab, number)
    for outcome in outcomes:
        if outcome.status == "failed":
            progress.forget("passed", lab, outcome.exercise)
    if failure:
        progress.forget("complete", lab)
        progress.forget("passed", lab, failure.exercise)
        progress.note("failing", lab, failure.name, failure.exercise)
    if complete:
        progress.note("complete", lab, f"{now()} {working_copy.digest(lab)}")
    progress.save()


def hints_of(lab, exercise):
    try:
        return lab.hints().get(exercise, [])
    except FileNotFoundError:
        return []


def places_of(lab, exercise):
    """Where the exercise's comments still stand: "work/00_null/engine.c:85 and :111"."""
    places = []
    for name in lab.files:
        lines = [number for number, line in enumerate(working_copy.read(lab.work(name)).splitlines(), 1)
                 if f"EXERCISE {exercise}:" in line]
        if lines:
            places.append(f"{shown(lab.work(name))}:" + " and :".join(map(str, lines)))
    return " or ".join(places) or (
        shown(lab.work(lab.files[0])) if len(lab.files) == 1 else "your files")


def say_passed_before(failure, passed_before):
    if failure.exercise in passed_before:
        say()
        say_wrapped(f"Exercise {failure.exercise} passed at an earlier check, so look at what you have changed since. "
                    "That may belong to another exercise: all of them share the engine.")


def say_next_after_failure(lab, failure, program):
    progress = Progress()
    word = lab_word(lab)
    given = int(progress.get("hints", lab, failure.exercise) or 0)
    hints = len(hints_of(lab, failure.exercise))
    which = "a first hint" if given == 0 else "a stronger hint" if given < hints else "the hints again"
    run_alone = f"{shown(program)} --run {failure.name}"
    if "-sanitized" in os.path.basename(program):
        alone = (run_alone, "this test alone, with the sanitizer's full report")
    elif is_hung(failure):
        alone = (f"gdb -ex run --args {run_alone}",
                 "this test alone in the debugger: Ctrl-C interrupts it, bt shows where it is")
    else:
        alone = (f"gdb -ex 'break test_failed' -ex run --args {run_alone}",
                 "this test alone in the debugger, up to the failure: bt shows the test, which waits there. To "
                 f"stop inside your {lab.what} instead, name one of its functions in place of test_failed")
    say_next(
        (f"make check-lab{word}", f"when you have changed {places_of(lab, failure.exercise)}"),
        (f"make hint{word}", f"{which} for exercise {failure.exercise}"), alone)


def diff_step(lab, word):
    """A handout has no solution to compare with."""
    return [(f"make diff-lab{word}", "shows what the solution does differently")] if lab.has_solution else []


def say_next_after_success(lab, exercise, test):
    word = lab_word(lab)
    progress = Progress()
    if test:
        say_next((f"make check-lab{word}", "runs all tests of the lab"))
    elif exercise:
        left = [e.number for e in lab.exercises
                if e.number not in progress.exercises("passed", lab)]
        say_next((f"make check-lab{word}", f"all tests; exercise {left[0]} has not passed yet" if left else
                  "all tests together; the lab is passed when they pass"))
    else:
        steps = [(f"make measure{word}", f"compares your {lab.what} with the reference, in one figure"),
                 *diff_step(lab, word), ("make start", "begins the next lab")]
        if lab.predictions and not progress.get("predicted", lab):
            steps.insert(0, (f"make predict{word}", "asks what you expect, before you measure"))
        say_next(*steps)


def need_judged(outcomes):
    """Raises when all tests of an exercise were skipped: it has not passed."""
    for number in sorted({o.exercise for o in outcomes}):
        mine = [o for o in outcomes if o.exercise == number]
        if all(o.status == "skipped" for o in mine):
            raise CourseError(f"exercise {number} cannot be judged here, because all its tests are skipped: "
                              f"{why_skipped(mine[0])}")


def check(lab, exercise=0, test=""):
    """Returns whether everything that was asked for passes."""
    working_copy.need(lab)
    say(paint(f"Lab {lab.number}: {lab.title}", "bold") + f"  ({working_copy.names_of_files(lab)})")
    prepare()
    with children.pool(3) as pool:
        return check_prepared(lab, exercise, test, pool)


def check_prepared(lab, exercise, test, pool):
    """As check(), once the library is there."""
    ahead = build_ahead(lab, pool, whole=not exercise and not test)
    try:
        program, words = compile_files(lab)
    except DoesNotCompile as error:
        say()
        say(f"{paint('It does not compile.', 'red')} The compiler says:")
        say(str(error))
        place = COMPILE_ERROR.search(str(error))
        say_next((f"make check-lab{lab_word(lab)}", f"when you have fixed {place[1]}" if place else
                  "when you have fixed it"))
        return False
    if words:
        say(f"{paint('The compiler warns', 'yellow')}, and it is often right:")
        say(words)
    with contextlib.closing(SanitizedRuns(lab, program, ahead, exercise, test)) as sanitized:
        sanitized.begin(pool)
        verdict = run(lab, program, exercise, test)
        say()
        show_outcomes(lab, verdict.outcomes)
        say()
        whole = [] if test else verdict.outcomes
        failure = first_failure(verdict)
        if not failure:
            need_judged(verdict.outcomes)
            verdict, program, tools = sanitized.results()
            failure = first_failure(verdict)
            if failure:
                say(f"{paint('FAILED', 'red')}  {failure.name}, when run again under {tools}")
                say()
    complete = not failure and not exercise and not test
    passed_before = Progress().exercises("passed", lab)
    note_results(lab, whole, failure, complete)
    if failure:
        others = sum(o.exercise == failure.exercise for o in verdict.failed) - 1
        explain(lab, failure)
        hung = next((o for o in verdict.failed if is_hung(o)), None)
        if hung:
            say_hung(hung, failure, verdict.cut_short)
        elif others:
            say_others(lab, failure, [o for o in verdict.failed if o.exercise == failure.exercise])
        say_passed_before(failure, passed_before)
        say_next_after_failure(lab, failure, program)
        return False
    say(paint(f"Everything passes, also under {tools}.", "green"))
    if complete:
        say(paint(f"Lab {lab.number} is passed.", "green"))
    say_next_after_success(lab, exercise, test)
    return True
