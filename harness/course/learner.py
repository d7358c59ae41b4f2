#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""learner.py COMMAND [LAB=04] [WORD=VALUE...]: the learner's commands; `make COMMAND ...` calls them.

Exit status: 0 done (check-lab: everything passes), 1 not done, 2 wrong use, 130 interrupted.
"""
import difflib
import os
import re
import subprocess
import sys
import time

if sys.version_info < (3, 11):
    sys.exit(f"iolab: the course needs Python 3.11 or newer, and {sys.executable} is "
             f"{sys.version.split()[0]}; make COMMAND PYTHON=/usr/bin/python3 names another")

import labs  # noqa: E402
import children  # noqa: E402
from labs import ROOT, CourseError  # noqa: E402
from learning import terminal, working_copy  # noqa: E402
from learning.check import check, diff_step, hints_of, lab_word  # noqa: E402
from learning.progress import Progress, now  # noqa: E402
from learning.terminal import count, paint, say, say_next  # noqa: E402
from learning.working_copy import shown  # noqa: E402
from readings import standard_output  # noqa: E402

POLL_S = 0.25
# Variables of the Makefile; they may stand on the same command line.
OF_MAKE = {"V", "CC", "CFLAGS", "LDFLAGS", "SANITIZE", "BUILD", "PYTHON", "WERROR", "MINE", "WORK",
           "RESULTS", "TESTS", "COMPARE", "PEERS", "SINCE", "REPEATS"}


class WrongUse(Exception):
    pass


def is_set(words, name):
    return words.get(name, "") not in ("", "0", "no")


def chosen(words):
    """The named lab, or the current one."""
    if words.get("LAB"):
        return labs.find(words["LAB"])
    current = Progress().current
    if not current:
        raise CourseError("no lab is started yet; make start begins the first one")
    return labs.find(current)


def chosen_exercise(lab, words):
    text = words.get("EXERCISE", "")
    numbers = [str(e.number) for e in lab.exercises]
    if text and text not in numbers:
        raise CourseError(f"EXERCISE={text}: lab {lab.number} has the exercises {', '.join(numbers)}")
    return int(text or 0)


def is_complete(lab, progress):
    """Everything passed, and the files have not changed since."""
    value = progress.get("complete", lab)
    return bool(value) and value.split()[1] == working_copy.digest(lab)


def standing(lab, progress):
    """Where the learner is in a lab, in words with their colour."""
    if not working_copy.is_begun(lab):
        if progress.get("complete", lab):
            return paint("passed, but its files are gone", "yellow") + \
                f" (make start LAB={lab.number} brings the starter back)"
        return paint("not started", "dim")
    if is_complete(lab, progress):
        return paint("passed", "green")
    passed = len(progress.exercises("passed", lab))
    changed = ", changed since it passed" if progress.get("complete", lab) else ""
    return paint(f"{passed} of {count(len(lab.exercises), 'exercise')} passed{changed}", "yellow")


def measured_words(lab, progress):
    """What the learner predicted and measured, in lines."""
    folder = progress.get("measured", lab)
    if not folder:
        return ["predicted, not measured"] if progress.get("predicted", lab) else []
    figure = lab.work(os.path.join(folder, "figures", f"{lab.measure.get('figure', 'throughput')}.png"))
    where = f": {shown(figure)}" if os.path.exists(figure) else "; its figure is gone"
    return [("predicted and measured" if progress.get("predicted", lab) else "measured") + where]


def next_lab(progress):
    """The first lab after the current one that has not passed, else the first such lab; None at the end."""
    everything = labs.all_labs()
    if not everything:
        raise CourseError("there is no lab here: no folder of labs/ has a lab.toml")
    names = [lab.name for lab in everything]
    after = names.index(progress.current) + 1 if progress.current in names else 0
    ordered = everything[after:] + everything[:after]
    return next((lab for lab in ordered if not progress.get("complete", lab)), None)


def show_labs(_):
    progress = Progress()
    everything = labs.all_labs()
    say(paint(f"The course: {count(len(everything), 'lab')}", "bold"))
    for lab in everything:
        here = "  <- you are here" if lab.name == progress.current else ""
        say(f"  {lab.number}  {lab.title}\n      {standing(lab, progress)}{here}")
        for line in measured_words(lab, progress):
            say(f"      {line}")
    current = next((lab for lab in everything if lab.name == progress.current), None)
    if not current:
        say_next(("make start", "begins the first lab" if not progress.current else "begins a lab"))
    elif not working_copy.is_begun(current):
        say_next((f"make start LAB={current.number}", "brings the starter back"),
                 *([("make start", "begins the next lab")] if progress.get("complete", current) else []))
    elif is_complete(current, progress) and progress.get("measured", current):
        say_next(("make start", "begins the next lab"))
    elif is_complete(current, progress):
        say_next(("make predict", "asks what you expect, before you measure"),
                 ("make measure", f"compares your {current.what} with the reference, in one figure"),
                 ("make start", "begins the next lab"))
    else:
        say_next(("make check-lab", f"tests {shown(current.work(current.files[0]))}"),
                 ("make hint", "when you are stuck"))
    return 0


def show_begun(lab):
    readme = shown(lab.path("README.md"))
    say(f"  idea       {lab.idea}")
    say(f"  handout    {readme}")
    say(f"  program    {shown(lab.path(lab.program))}   (the interface alone; run it, then strace it)")
    say(f"  {'your file ' if len(lab.files) == 1 else 'your files'} "
        f"{working_copy.names_of_files(lab)}   (look for EXERCISE 1)")
    say_next(("Read the handout", f"{readme}, and run its program"),
             ("make check-lab", f"builds and tests your file{'s' if len(lab.files) > 1 else ''}; it fails until you write something"),
             ("make watch", "the same, each time you save"),
             ("make hint", "when you are stuck"))


def start(words):
    progress = Progress()
    if words.get("LAB"):
        lab = labs.find(words["LAB"])
    else:
        lab = next((l for l in labs.all_labs() if l.name == progress.current), None)
        if not lab or progress.get("complete", lab):
            lab = next_lab(progress)
        else:
            say(f"Lab {lab.number} has not passed yet, so you stay here. "
                "(make start LAB=... begins another lab.)")
    if not lab:
        say("All labs are passed.")
        say_next(("make labs", "lists them"), ("make start LAB=01 FORCE=1", "begins one again"))
        return 0
    begun = working_copy.present(lab)
    if begun and is_set(words, "FORCE"):
        restart(lab, begun)
    else:
        written = working_copy.write_missing(lab)
        working_copy.write_makefile(lab)
        if begun and not written:
            say(f"Lab {lab.number} is here already; nothing in it was touched.")
        elif begun:
            say(f"Written again: {', '.join(shown(lab.work(name)) for name in written)}")
    progress = Progress()
    progress.current = lab.name
    if not progress.get("started", lab):
        progress.note("started", lab, now())
    progress.save()
    build_iolab()
    say(paint(f"Lab {lab.number}: {lab.title}", "bold"))
    show_begun(lab)
    return 0


def build_iolab():
    """build/iolab, which the handouts' commands use. Most of a lab works without it."""
    if not os.path.exists(os.path.join(ROOT, "build", "iolab")):
        say(paint("(Building build/iolab first; the handouts use it. This happens once.)", "dim"))
    try:
        os.makedirs(os.path.join(ROOT, "build"), exist_ok=True)
        done = subprocess.run(["make", "-s", f"-j{os.cpu_count()}", "all"], cwd=ROOT,
                              capture_output=True, text=True, errors="replace", check=False)
        trouble = "" if done.returncode == 0 else (done.stderr.strip() or "make failed").splitlines()[0]
    except OSError as error:
        trouble = f"{error.filename or 'make'}: {error.strerror}"
    if trouble:
        say(f"{paint('build/iolab does not build', 'yellow')} (is something missing? harness/setup.sh learn): "
            f"{trouble}")


def restart(lab, names):
    """Puts the starter back, and keeps the old files beside it."""
    starter = lab.starter()
    folder = working_copy.set_aside(lab, names)
    for name in names:
        labs.write(lab.work(name), starter[name])
    progress = Progress()
    for word in ("passed", "failing", "complete"):
        progress.forget(word, lab)
    progress.save()
    say(f"Your copy was moved to {shown(folder)}/.")


def reset(words):
    lab = chosen(words)
    name = words.get("FILE", "")
    if name and os.path.basename(name) not in lab.files:
        raise CourseError(f"FILE={name}: the files of lab {lab.number} are {', '.join(lab.files)}")
    names = [os.path.basename(name)] if name else lab.files
    present = working_copy.present(lab)
    if any(n in present for n in names):
        restart(lab, [n for n in names if n in present])
    working_copy.write_missing(lab)
    say(f"{' and '.join(shown(lab.work(n)) for n in names)}: back to the starter.")
    say_next((f"make check-lab{lab_word(lab)}", "tests it"))
    return 0


def check_lab(words):
    lab = chosen(words)
    return 0 if check(lab, chosen_exercise(lab, words), words.get("TEST", "")) else 1


def watch(words):
    lab = chosen(words)
    exercise = chosen_exercise(lab, words)
    working_copy.need(lab)
    try:
        while True:
            seen = working_copy.stamps(lab)  # before the check: a save during it counts
            terminal.clear()
            try:
                check(lab, exercise)
            except CourseError as error:
                say(f"iolab: {error}")
            say()
            say(f"Watching {shown(lab.work())}/: each save is checked. Ctrl-C ends.")
            while working_copy.stamps(lab) == seen:
                time.sleep(POLL_S)
            await_quiet(lab)
    except KeyboardInterrupt:
        say()
        return 0


def await_quiet(lab):
    """Waits until the files stay the same: an editor may write in several steps."""
    last = None
    while (found := working_copy.stamps(lab)) != last or not working_copy.present(lab):
        last = found
        time.sleep(POLL_S / 5)


def first_open_exercise(lab, progress):
    """The exercise that failed at the last check, else the first that has not passed; 0: all have."""
    failing = progress.exercises("failing", lab)
    passed = progress.exercises("passed", lab)
    return next((e for e in failing + [x.number for x in lab.exercises] if e not in passed), 0)


def hint(words):
    lab = chosen(words)
    progress = Progress()
    word = lab_word(lab)
    number = chosen_exercise(lab, words) or first_open_exercise(lab, progress)
    if not number and not is_complete(lab, progress):
        working_copy.need(lab)
        say(f"All exercises of lab {lab.number} passed, but your files have changed since.")
        say_next((f"make check-lab{word}", "tests them again"),
                 (f"make hint{word} EXERCISE=1", "shows the hints of one exercise"))
        return 0
    if not number:
        say(f"All exercises of lab {lab.number} pass; there is nothing to hint at.")
        say_next((f"make measure{word}", f"compares your {lab.what} with the reference"),
                 (f"make hint{word} EXERCISE=1", "shows the hints of one exercise"))
        return 0
    hints = hints_of(lab, number)
    if not hints:
        raise CourseError(f"lab {lab.number} has no hints for exercise {number}")
    given = int(progress.get("hints", lab, number) or 0)
    title = lab.exercises[number - 1].title
    if given >= len(hints):
        say(paint(f"Exercise {number}: {title}", "bold"))
        say(f"You have seen all {len(hints)} hints. Here they are again.")
        for i, text in enumerate(hints, 1):
            say()
            show_hint(text, f"Hint {i}: ")
    else:
        given += 1
        say(paint(f"Exercise {number}: {title}: hint {given} of {len(hints)}", "bold"))
        say()
        show_hint(hints[given - 1])
        progress.note("hints", lab, str(given), number)
        progress.save()
    say_next_after_hint(lab, number, len(hints) - given, word)
    return 0


def show_hint(text, before=""):
    title, _, words = text.partition("\n")
    say(paint(before + title, "bold"))
    say(words.strip())


def say_next_after_hint(lab, number, left, word):
    steps = [(f"make check-lab{word} EXERCISE={number}", "tests this exercise alone")]
    again = f"make hint{word} EXERCISE={number}"
    if left:
        steps.append((again, f"a stronger hint; {count(left, 'hint')} left"))
    elif lab.has_solution:
        steps.append((f"make diff-lab{word} FORCE=1", "there are no more hints; this shows the solution"))
    else:
        steps.append((again, "there are no more hints; ask the person who gave you the course"))
    say_next(*steps)


def without_tasks(lines):
    """(number, line) of all lines but the starter's comments on what to write."""
    kept = []
    comment = []  # lines of a comment that may turn out to be one
    task = False
    for number, line in enumerate(lines, 1):
        if task:
            task = "*/" not in line
        elif comment and re.match(r"\s*\* EXERCISE \d+:", line):
            task, comment = "*/" not in line, []
        elif re.fullmatch(r"\s*/\* end of exercise \d+ \*/\s*", line):
            kept, comment = kept + comment, []
        else:
            kept, comment = kept + comment, [(number, line)]
            if line.strip() != "/*":
                kept, comment = kept + comment, []
    return kept + comment


def diff(words):
    lab = chosen(words)
    working_copy.need(lab)
    if not lab.has_solution:
        raise CourseError("this is a handout: it holds no solutions to compare with")
    if not is_complete(lab, Progress()):
        if not is_set(words, "FORCE"):
            raise CourseError(f"lab {lab.number} has not passed (or was changed since): type make check-lab"
                              f"{lab_word(lab)}, or add FORCE=1 to see the solution now")
        say(paint("FORCE=1: this is the solution; you have not passed the lab yet.", "yellow"))
    solution = lab.starter({e.number for e in lab.exercises})
    differs = False
    for name in lab.files:
        yours = without_tasks(working_copy.read(lab.work(name)).splitlines())
        for line in difflib.unified_diff([text for _, text in yours], solution[name].splitlines(),
                                         shown(lab.work(name)), f"solution/{name}", lineterm=""):
            differs = True
            colour = {"+": "green", "-": "red", "@": "dim"}.get(line[0])
            hunk = re.match(r"@@ -(\d+)", line)
            if hunk and yours:
                line = f"@@ from line {yours[min(max(int(hunk[1]), 1), len(yours)) - 1][0]} of yours @@"
            say(paint(line, colour) if colour else line)
    if not differs:
        say("No difference: your files match the solution.")
    say_next(("make start", "begins the next lab"))
    return 0


def answer(words):
    from learning import questions
    lab = chosen(words)
    working_copy.need(lab)
    questions.answer(lab, words.get("QUESTION", ""), lab_word(lab), is_set(words, "FORCE"))
    return 0


def predict(words):
    from learning import predictions  # here: it loads many modules, and other commands should start fast
    lab = chosen(words)
    working_copy.need(lab)
    word = lab_word(lab)
    if not predictions.questions(lab):
        say(f"Lab {lab.number} asks for no prediction.")
    elif sys.stdin.isatty() and terminal.is_terminal():
        say(f"Lab {lab.number}: what do you expect? A wrong guess teaches more than no guess.")
        predictions.ask(lab)
    elif not os.path.exists(predictions.path(lab)):
        predictions.write(lab, {})
        say(f"The questions are in {shown(predictions.path(lab))}. Write each answer after its =.")
        say_next((f"make predict{word}", "checks your answers"),
                 (f"make measure{word}", "after that"))
        return 0
    answers = predictions.answers(lab)
    progress = Progress()
    if answers:
        progress.note("predicted", lab, now())
        progress.save()
        say()
        say(f"Saved in {shown(predictions.path(lab))}; you may change your answers until you measure.")
    if is_complete(lab, progress):
        say_next((f"make measure{word}", f"compares your {lab.what} with the reference, in one figure"))
    else:
        say_next((f"make check-lab{word}", "all tests must pass before you measure"))
    return 0


def measure(words):
    from learning import predictions
    from learning.measure import has_empty_run
    from learning.measure import measure as compare_and_draw
    lab = chosen(words)
    working_copy.need(lab)
    word = lab_word(lab)
    forced = not is_complete(lab, Progress())
    if forced and not is_set(words, "FORCE"):
        raise CourseError(f"lab {lab.number} has not passed its tests, or was changed since: type make "
                          f"check-lab{word}, or add FORCE=1 to measure anyway")
    answers = {}
    if words.get("PREDICT") != "no" and predictions.questions(lab):
        try:
            answers = predictions.answers(lab)
            progress = Progress()
            if answers and not progress.get("predicted", lab):
                progress.note("predicted", lab, now())
                progress.save()
        except CourseError as error:
            raise CourseError(f"predict before you measure: make predict{word}, or PREDICT=no "
                              f"({error})") from error
    warning = paint("FORCE=1: this engine does not pass its tests, so its numbers may mean nothing.",
                    "yellow")
    if forced:
        say(warning)
    figure = compare_and_draw(lab, answers, words.get("RUNTIME", ""))
    folder = os.path.dirname(os.path.dirname(figure))
    if has_empty_run(folder):
        say(f"(In some runs nothing finished. Try longer runs: make measure{word} RUNTIME=2, in seconds.)")
    if forced:
        say(warning)
    say(f"The figure: {shown(figure)}")
    say("(More figures lie beside it, as .png and .svg.)")
    readme = shown(lab.path("README.md"))
    say_next(("Look at it", f"and explain it: {readme}, “Predict, then measure”"),
             *diff_step(lab, word), ("make start", "begins the next lab"))
    return 0


# Each command: its function, the words that it takes, what it does.
COMMANDS = {
    "labs": (show_labs, (), "list the labs, and where you are"),
    "start": (start, ("LAB", "FORCE"), "begin the next lab, or the named one"),
    "check-lab": (check_lab, ("LAB", "EXERCISE", "TEST"), "build and test your files"),
    "watch": (watch, ("LAB", "EXERCISE"), "check again on each save"),
    "hint": (hint, ("LAB", "EXERCISE"), "show a hint; again: a stronger one"),
    "answer": (answer, ("LAB", "QUESTION", "FORCE"), "answer a handout's question, then see the course's answer"),
    "predict": (predict, ("LAB",), "say what you expect, before you measure"),
    "measure": (measure, ("LAB", "FORCE", "PREDICT", "RUNTIME"), "compare your engine with the reference"),
    "diff-lab": (diff, ("LAB", "FORCE"), "show how your files differ from the solution"),
    "reset-lab": (reset, ("LAB", "FILE"), "put the starter back; your copy is kept"),
}


def usage():
    lines = [__doc__]
    for name, (_, known, meaning) in COMMANDS.items():
        if name == "diff-lab" and not any(lab.has_solution for lab in labs.all_labs()):
            continue  # a handout
        lines.append(f"  {name:10} {meaning}" +
                     (f"   [{' '.join(word + '=' for word in known)}]" if known else ""))
    return "\n".join(lines)


def read_words(command, arguments):
    """{"LAB": "04"}, from "LAB=04" or "04"."""
    known = COMMANDS[command][1]
    words = {}
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if not equals and "LAB" in known and "LAB" not in words:
            words["LAB"] = argument
        elif equals and name in (*known, "LAB"):
            words[name] = value
        elif not equals or name not in OF_MAKE:
            raise WrongUse(f"{command}: '{argument}' is not for this command; it takes " +
                           (", ".join(f"{word}=..." for word in known) or "nothing"))
    return words


def main(arguments):
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(usage())
        return 0 if arguments else 2
    # The outer make's variables must not reach the makes that are started here.
    for name in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES"):
        os.environ.pop(name, None)
    command = arguments[0]
    children.catch_signals()
    try:
        if command not in COMMANDS:
            near = difflib.get_close_matches(command, COMMANDS, 1)
            raise WrongUse(f"no command '{command}'" + (f"; did you mean '{near[0]}'?" if near else
                                                        f"; there are {', '.join(COMMANDS)}"))
        return COMMANDS[command][0](read_words(command, arguments[1:]))
    except WrongUse as error:
        print(f"iolab: {error}", file=sys.stderr)
        return 2
    except CourseError as error:
        print(f"iolab: {error}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, EOFError):
        print("\niolab: interrupted; nothing is lost", file=sys.stderr)
        return 130


if __name__ == "__main__":
    with standard_output.needed("iolab"):
        sys.stdout.reconfigure(errors="replace")
        sys.exit(main(sys.argv[1:]))
