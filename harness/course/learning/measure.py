# SPDX-License-Identifier: MIT
"""Compares the learner's engine with the reference, draws one figure, scores the predictions."""
import os
import shutil
import subprocess
import sys
import tempfile
import time

import labs
import children
from labs import ROOT, CourseError
from learning import predictions
from learning.progress import Progress
from learning.terminal import count, is_terminal, paint, say, say_wrapped
from learning.working_copy import shown
from readings import results
from readings.estimates import HIGHER

# How a verdict is said, and its colour.
VERDICTS = {"right": ("right", "green"), "near": ("near", "yellow"), "off": ("off", "red"),
            "wrong": ("not right; near or off", "red"), "unclear": ("cannot tell here", "bold"),
            "unmeasured": ("cannot be scored", "bold")}


TELL_S = 5
IMPOSSIBLE = 3  # times as fast as the reference
# Workloads that can check every result, with small files.
VERIFIED = (("pipe",), ("file", "--size", "16M", "--depth", "16"))
VERIFY_S = "0.3"
WRONG_USE, UNSUPPORTED = 2, 77  # exit statuses


def base(spec):
    return spec.split(":")[0]


def engines(lab):
    """Other engines, the reference, and the learner's own in the same variants."""
    measured = list(dict.fromkeys([*lab.measure.get("engines", []),
                                   *lab.measure.get("mine", lab.engines)]))
    return measured + [f"my_{spec}" for spec in measured if base(spec) in lab.engines]


def baseline(lab, measured):
    """The engine that ratios are taken to. The first question names it, so that the table answers it."""
    asked = [q.over for q in predictions.questions(lab) if q.over in measured]
    return (asked or [e for e in measured if e == "blocking"] or measured)[0]


def compare_words(lab, folder, runtime=""):
    """All words for `iolab compare`. Those of lab.toml may end with --, and options for the runs."""
    measured = engines(lab)
    words = [word.replace("{engines}", ",".join(measured)) for word in lab.measure["compare"]]
    own = ["--out", folder]
    if words == lab.measure["compare"]:
        own += ["--engines", ",".join(measured)]
    if runtime and "--runtime" in words:
        words[words.index("--runtime") + 1] = runtime
    elif runtime:
        own += ["--runtime", runtime]
    if "--baseline" not in words:
        own += ["--baseline", baseline(lab, measured)]
    return own + words


def find_python():
    """The python that can draw."""
    done = subprocess.run(["sh", "harness/setup/find-python.sh"], cwd=ROOT, capture_output=True, text=True,
                          check=False)
    if done.returncode != 0:
        raise CourseError(done.stderr.strip().removeprefix("iolab: "))
    return done.stdout.strip()


def build(lab):
    program = os.path.join("build", "mine", "iolab")
    say(f"Building {program}, in which your {lab.what} is called {predictions.mine(lab)} ...")
    words = [f"MINE={lab.name}"]
    if lab.is_layer:
        words += [f"MINE_FILES={' '.join(lab.sources)}", f"MINE_AS_ENGINE={shown(lab.path(labs.AS_ENGINE))}"]
    done = subprocess.run(["make", "-s", f"-j{os.cpu_count()}", *words, program], cwd=ROOT,
                          capture_output=True, text=True, errors="replace", check=False)
    if done.returncode != 0:
        raise CourseError(f"it does not build (is something missing? harness/setup.sh learn):\n"
                          f"{done.stderr.strip()[-3000:]}")
    return program


def new_folder(lab):
    stamp = time.strftime("%Y-%m-%dT%H%M%SZ", time.gmtime())
    return lab.work(f"results-{stamp}")


def compare(lab, program, folder, runtime):
    """Prints the table."""
    # `make clean` then removes the workload's test file.
    scratch = dict(os.environ, TMPDIR=os.path.join(ROOT, "build", "mine"))
    with children.child([program, "compare", *compare_words(lab, shown(folder), runtime)], cwd=ROOT,
                        env=scratch) as running:
        status = running.wait() if is_terminal() else wait_and_tell(running, folder)
    if status == 130:
        raise KeyboardInterrupt
    if status != 0:
        raise CourseError(f"the comparison ended with status {status}")


def wait_and_tell(running, folder):
    """Waits for the comparison, and prints how far it is: on a terminal it does that itself."""
    told = 0
    while True:
        try:
            return running.wait(TELL_S)
        except subprocess.TimeoutExpired:
            done = runs_in(folder)
            if done > told:
                say(f"... {count(done, 'run')} done")
            told = done


def runs_in(folder):
    try:
        with open(os.path.join(folder, "runs.jsonl"), "rb") as file:
            return sum(1 for _ in file)
    except FileNotFoundError:
        return 0


def far_ahead(lab, folder):
    """(label, panel's name, factor): where the learner's engines leave their reference far behind."""
    for panel in results.load(folder).panels:
        for mine in panel.labels:
            for at in panel.xs:
                own, other = panel.at(mine, at), panel.at(mine.removeprefix("my_"), at)
                if not mine.startswith("my_") or not own or not other:
                    continue
                fast, known = own.metric("ops_per_s"), other.metric("ops_per_s")
                if fast and known and known.median > 0 and fast.median > IMPOSSIBLE * known.median and \
                        is_shown(with_ratios_to(lab, folder, other.label), panel.name, mine, at):
                    yield mine, panel.name, fast.median / known.median


def is_shown(summary, panel_name, label, at):
    """Do the rounds show that the engine makes more operations than the baseline? On a busy machine a median may
    be several times another one by chance: then the interval of the ratio has 1 within."""
    found = [panel.at(label, at) for panel in summary.panels if panel.name == panel_name]
    ratios = [configuration.ratio("ops_per_s") for configuration in found if configuration]
    return any(ratio and ratio.verdict == HIGHER and ratio.low > 1 for ratio in ratios)


def impossible(lab, folder):
    """Words for the first of the learner's engines that leaves its reference far behind, or ""."""
    for mine, panel_name, factor in far_ahead(lab, folder):
        return (f"{mine} made {factor:.1f} times the operations of the reference ({panel_name}). No engine does that "
                "by doing the same work: does yours leave something out, perhaps only after many operations?")
    return ""


def verify(lab, program):
    """Runs each of the learner's engines once where every result is checked. Returns what was wrong, or ""."""
    scratch = dict(os.environ, TMPDIR=os.path.join(ROOT, "build", "mine"))
    for spec in lab.engines:
        for workload in VERIFIED:
            done = children.run([program, "run", "--engine", f"my_{spec}", "--workload", *workload, "--verify",
                                 "--runtime", VERIFY_S], cwd=ROOT, env=scratch, errors="replace")
            if done.returncode not in (0, WRONG_USE, UNSUPPORTED):
                words = (done.stderr.strip() or done.stdout.strip()).splitlines()
                return f"my_{spec} fails in a run of {workload[0]} that checks every result (--verify): " \
                       f"{words[-1] if words else f'status {done.returncode}'}"
    return ""


def draw(lab, python, folder):
    """Returns the figure to look at."""
    say(f"Drawing the figures of {shown(folder)} ...")
    done = subprocess.run([python, "plots/plot.py", folder, "--formats", "png,svg"], cwd=ROOT, capture_output=True, text=True,
                          check=False)
    if done.returncode != 0:
        raise CourseError(f"no figure: {(done.stderr.strip() or 'plot.py failed').splitlines()[-1]}")
    return os.path.join(folder, "figures", lab.measure.get("figure", "throughput") + ".png")


def with_ratios_to(lab, folder, label):
    """The folder's summary with ratios to `label`, round by round. The folder is left as it is."""
    summary = results.load(folder)
    if summary.baseline == label or label not in {l for p in summary.panels for l in p.labels}:
        return summary
    os.makedirs(os.path.join(labs.WORK, ".build"), exist_ok=True)
    scratch = tempfile.mkdtemp(prefix="ratios-", dir=os.path.join(labs.WORK, ".build"))
    try:
        for name in ("runs.jsonl", "summary.json"):
            shutil.copy(os.path.join(folder, name), scratch)
        subprocess.run([os.path.join(ROOT, "build", "mine", "iolab"), "summary", scratch,
                        "--baseline", label], stdout=subprocess.DEVNULL, check=True)
        return results.load(scratch)
    finally:
        shutil.rmtree(scratch)


def has_empty_run(folder):
    """Was nothing finished in some round of some configuration?"""
    found = [c.metric("ops_per_s") for p in results.load(folder).panels for c in p.configurations]
    return any(estimate.low == 0 for estimate in found if estimate)


def show_scores(lab, folder, answers):
    say(paint("What you predicted, and what was measured", "bold"))
    for question in predictions.questions(lab):
        # A score that fails must not lose the measurement.
        try:
            summary = with_ratios_to(lab, folder, question.over)
            score = predictions.score(question, answers[question.number], summary)
        except Exception as error:  # pylint: disable=broad-except
            score = predictions.Score("unmeasured", str(answers[question.number]), "",
                                      f"{type(error).__name__}: {error}")
        say_wrapped(f"{question.number}. {question.ask}", "  ", "     ")
        say(f"     you said {score.predicted}; measured {score.measured or 'nothing'}")
        say(f"     {paint(*VERDICTS[score.verdict])}: {score.why}")


def measure(lab, answers, runtime=""):
    """Returns the figure's path. `answers` may be empty. `runtime`: seconds for each run; "": the lab's own."""
    python = find_python()
    program = build(lab)
    folder = new_folder(lab)
    compare(lab, program, folder, runtime)
    progress = Progress()
    progress.note("measured", lab, os.path.basename(folder))
    progress.save()
    say()
    figure = draw(lab, python, folder)
    for words in filter(None, (impossible(lab, folder), verify(lab, program))):
        say_wrapped(paint(words, "red"))
        say()
    if answers:
        show_scores(lab, folder, answers)
        say()
    return figure
