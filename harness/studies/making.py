# SPDX-License-Identifier: MIT
"""Makes comparisons and traces in a results folder, and notes there what was made and what was not."""
import functools
import json
import os
import shutil
import sys
import time

from experiments import (COMPARISONS, HARDWARE, IOLAB, LOADS_PCT, MAY_BE_UNSUPPORTED, QUICK_LOADS_PCT, ROOT, TRACES,
                         rates, trace_command, with_value, words_of)

sys.path[:0] = [os.path.join(ROOT, "harness", "processes"), os.path.join(ROOT, "plots")]
import children  # noqa: E402
from readings import remarks, study_notes, whole_file  # noqa: E402

UNSUPPORTED = 77  # EXIT_UNSUPPORTED in harness/base/exit_status.h


def was_quick(folder):
    """Name of what was made, and whether it was quick."""
    return study_notes.read(folder).get("quick") or {}


def note(folder, quick, missing=None):
    """Writes study.json. `missing`: {name of what was not made: why, a Remark or as study.json has it}."""
    content = {"schema": "iolab.study.v2", "quick": quick}
    if missing is not None:
        content["missing"] = {name: remarks.written(remarks.read(why)) for name, why in missing.items()}
    os.makedirs(os.path.join(folder, "study"), exist_ok=True)
    whole_file.write(os.path.join(folder, "study", "study.json"), json.dumps(content, indent=1) + "\n")


def capacity(run_words):
    """Operations a second in a closed loop, with the first engine that works here; None without one."""
    for engine in ("io_uring", "libaio", "threads", "blocking"):
        done = children.run([IOLAB, "run", "--engine", engine, *run_words, "--runtime", "0.3", "--json"])
        if done.returncode == 0:
            reached = json.loads(done.stdout)["metrics"]["ops_per_s"]
            print(f"  offered_load: {engine} reaches {reached:.0f} blocks a second", flush=True)
            return reached
    return None


@functools.cache
def no_hardware_counters():
    """Why there are none, as the doctor says, a Remark; None where there are."""
    done = children.run([IOLAB, "doctor", "--json"])
    found = next(f for f in json.loads(done.stdout)["findings"] if f["topic"]["id"] == "hardware_counters")
    return remarks.read(found["cause"]) if found["status"] == "missing" else None


def compare_command(name, quick, path, file, rounds=None):
    words, run_words = words_of(name, quick, rounds), COMPARISONS[name][1]
    if words[words.index("--workloads") + 1] == "file":
        run_words += file
    if name == "offered_load":
        reached = capacity(run_words)
        if reached:
            words = with_value(words, "--rates", rates(reached, QUICK_LOADS_PCT if quick else LOADS_PCT))
    return [IOLAB, "compare", *words, "--out", path, *(("--", *run_words) if run_words else ())]


def first_reason(path):
    """Why nothing ran in a comparison, a Remark; None where it does not say."""
    try:
        with open(os.path.join(path, "summary.json"), encoding="utf-8") as file:
            return next(remarks.read(c["reason"]) for c in json.load(file)["configurations"] if c["reason"])
    except (OSError, ValueError, LookupError, TypeError, StopIteration):
        return None


def run(name, command, path, keep=False):
    """Runs it and prints how it went. Returns None when it ended well, else why not, a Remark.

    With `keep`, what it prints becomes the file `path`.
    """
    begun = time.monotonic()
    done = children.run(command)
    took = f"{time.monotonic() - begun:.0f} s"
    if done.returncode == 0:
        if keep:
            whole_file.write(path, done.stdout)
        print(f"  {name}: {took}", flush=True)
        return None
    if done.returncode == UNSUPPORTED and name in MAY_BE_UNSUPPORTED:
        print(f"  {name}: cannot be made here; it says why", flush=True)
        return None
    words = (done.stderr or done.stdout).strip().splitlines() or [f"status {done.returncode}"]
    reason = first_reason(path) or remarks.Remark("command_failed", "{said}", {"said": words[-1]})
    print(f"  {name}: failed after {took}: {reason}", flush=True)
    return reason


def path_of(folder, name):
    return os.path.join(folder, *(() if name in TRACES else ("study",)), name)


def is_made(folder, name, quick):
    """Is it there and good enough? A quick one is not when a full one is wanted."""
    made = was_quick(folder)
    there = os.path.exists(path_of(folder, name)) and (name in TRACES or name in made)
    return there and (quick or not made.get(name, True))


def make(folder, name, quick, file=None, rounds=None):
    """Makes one of COMPARISONS or TRACES unless it is there. Returns None, or why it failed, a Remark."""
    path = path_of(folder, name)
    if is_made(folder, name, quick):
        print(f"  {name}: is there", flush=True)
        return None
    if name.startswith(HARDWARE) and no_hardware_counters():
        print(f"  {name}: skipped: {no_hardware_counters()}", flush=True)
        return None
    made = was_quick(folder)
    made.pop(name, None)  # an interruption must not leave it marked as made
    note(folder, made, study_notes.read(folder).get("missing"))
    if os.path.isdir(path):
        shutil.rmtree(path)
    if name in TRACES:
        command = trace_command(name, quick, folder, file)
    else:
        command = compare_command(name, quick, path, ("--file", file) if file else (), rounds)
    reason = run(name, command, path, name == "doctor.json")
    if not reason:
        # A trace that has no short form is a full one.
        made[name] = quick and (name in COMPARISONS or bool(TRACES[name][1]))
        note(folder, made, study_notes.read(folder).get("missing"))
    return reason
