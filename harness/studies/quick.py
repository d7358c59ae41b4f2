#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A first look: a small comparison, and the quick runs of the literature's figures, within a time.

All that it makes is marked as quick. What would begin too late is left out, and the folder says so,
as it says what failed; the report repeats it. In a folder that is there already, what it holds is
kept.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import time

import study

COMPARISON = "comparison"
ENGINES = "blocking,threads,poll,epoll,posix_aio,libaio,io_uring"
PLAN = ("--engines", ENGINES, "--workloads", "file,echo", "--depths", "1,16", "--conns", "50")
LATEST = os.path.join("results", "latest")  # where compare points when nobody names a folder


def compare(folder):
    """Makes the folder's own comparison. Returns the folder; None when it failed."""
    if folder and os.path.exists(os.path.join(folder, "summary.json")):
        print(f"  {COMPARISON}: is there")
        return folder
    new = folder is None
    if new:
        folder = os.path.join("results", time.strftime("%Y-%m-%dT%H%M%SZ", time.gmtime()))
    # Marked before anything is there: what an interruption leaves is quick as well.
    os.makedirs(os.path.join(folder, "study"), exist_ok=True)
    study.note(folder, {**study.was_quick(folder), COMPARISON: True})
    begun = time.monotonic()
    done = subprocess.run([study.IOLAB, "compare", *PLAN, *study.QUICK, "--out", folder, "--",
                           *study.DISK],
                          capture_output=True, text=True, check=False)
    took = f"{time.monotonic() - begun:.0f} s"
    if done.returncode:
        words = (done.stderr or done.stdout).strip().splitlines()
        print(f"  {COMPARISON}: failed after {took}: {words[-1] if words else done.returncode}")
        return None
    print(f"  {COMPARISON}: {took}", flush=True)
    if new:
        point_latest_to(folder)
    return folder


def point_latest_to(folder):
    """As compare does with a folder that it has named itself."""
    fresh = os.path.join("results", ".latest")
    if os.path.islink(fresh):
        os.remove(fresh)
    os.symlink(os.path.basename(folder), fresh)
    os.replace(fresh, LATEST)


def run_studies(folder, ends):
    """Name and reason of what could not be made."""
    missing = {}
    for name in [*study.TRACES, *study.COMPARISONS]:
        if name.startswith(study.HARDWARE) and study.no_hardware_counters():
            continue  # the figure says so, in the doctor's words
        # --only takes along what begins with the same name, so it may have been made already.
        if name in study.was_quick(folder) and time.monotonic() > ends:
            continue
        if time.monotonic() > ends:
            missing[name] = "left out, the time for all of them was over"
            continue
        done = subprocess.run([sys.executable, study.shown("harness", "studies", "study.py"), "--quick", "--only",
                               name, folder], stdout=subprocess.PIPE, text=True, check=False)
        print(done.stdout, end="", flush=True)
        if done.returncode:
            lines = done.stdout.strip().splitlines() or [f"{name}: failed"]
            missing[name] = (study.first_reason(os.path.join(folder, "study", name)) or
                             lines[-1].strip().removeprefix(f"{name}: "))
            # What holds nothing but errors is not to be taken for a comparison.
            shutil.rmtree(os.path.join(folder, "study", name), ignore_errors=True)
    return missing


def note_missing(folder, missing):
    path = os.path.join(folder, "study", "study.json")
    with open(path, encoding="utf-8") as file:
        document = json.load(file)
    document["missing"] = missing
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump(document, file, indent=1)
        file.write("\n")
    os.replace(path + ".new", path)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", metavar="FOLDER", nargs="?",
                        help="results folder (default: a new one, results/<UTC time>)")
    parser.add_argument("--time-limit", metavar="SECONDS", type=float, default=85,
                        help="what would begin later is left out (default: %(default)g)")
    options = parser.parse_args()
    ends = time.monotonic() + options.time_limit
    folder = compare(options.folder)
    if not folder:
        sys.exit(1)
    os.makedirs(os.path.join(folder, "study"), exist_ok=True)
    if not os.path.exists(os.path.join(folder, "study", "study.json")):
        study.note(folder, study.was_quick(folder))
    missing = run_studies(folder, ends)
    note_missing(folder, missing)
    late = sum(reason.startswith("left out") for reason in missing.values())
    if late:
        print(f"  {late} left out: {options.time_limit:g} s were over; the report says which")
    print(f"Quick results: {folder}")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        sys.exit(f"quick.py: {error.filename}: {error.strerror}")
