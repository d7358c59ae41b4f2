#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A first look: a small comparison and quick runs of the literature's figures, within a time limit.

Everything it makes is marked as quick. Runs that would begin too late are left out. The folder and the
report say what was left out and what failed. Results that a folder already holds are kept.
"""
import argparse
import os
import shutil
import sys
import time

import experiments
import making
from making import children, remarks
from readings import number_option

COMPARISON = "comparison"
ENGINES = "blocking,threads,poll,epoll,posix_aio,libaio,io_uring"
PLAN = ("--engines", ENGINES, "--workloads", "file,echo", "--depths", "1,16", "--conns", "50")
LATEST = os.path.join("results", "latest")  # where compare points when nobody names a folder
LATE = remarks.Remark("time_was_over", "left out: there was no time left for it")


def compare(folder):
    """Makes the folder's own comparison. Returns the folder; None when it failed."""
    if folder and os.path.exists(os.path.join(folder, "summary.json")):
        print(f"  {COMPARISON}: is there")
        return folder
    new = folder is None
    if new:
        folder = os.path.join("results", time.strftime("%Y-%m-%dT%H%M%SZ", time.gmtime()))
    # Marked before anything is there: what an interruption leaves is quick as well.
    making.note(folder, {**making.was_quick(folder), COMPARISON: True})
    command = [experiments.IOLAB, "compare", *PLAN, *experiments.QUICK, "--out", folder, "--", *experiments.DISK]
    if making.run(COMPARISON, command, folder):
        return None
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


def make_studies(folder, ends):
    """Name and reason of what could not be made, and the names of what would have begun too late."""
    missing, late = {}, []
    for name in [*experiments.TRACES, *experiments.COMPARISONS]:
        if making.is_made(folder, name, quick=True):
            continue
        if time.monotonic() > ends:
            if not (name.startswith(experiments.HARDWARE) and making.no_hardware_counters()):
                missing[name] = LATE
                late.append(name)
            continue
        reason = making.make(folder, name, quick=True)
        if reason:
            missing[name] = reason
            # What holds nothing but errors is not to be taken for a comparison.
            shutil.rmtree(os.path.join(folder, "study", name), ignore_errors=True)
    return missing, late


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", metavar="FOLDER", nargs="?",
                        help="results folder (default: a new one, results/<UTC time>)")
    parser.add_argument("--time-limit", metavar="SECONDS", type=number_option.real(0, 86400), default=85,
                        help="begin nothing after this time (default: %(default)g)")
    options = parser.parse_args()
    ends = time.monotonic() + options.time_limit
    folder = compare(options.folder)
    if not folder:
        sys.exit(1)
    try:
        missing, late = make_studies(folder, ends)
    except KeyboardInterrupt:
        print(f"Interrupted: what is whole is kept in {folder}.", flush=True)
        raise
    making.note(folder, making.was_quick(folder), missing)
    if late:
        print(f"  {len(late)} left out: {options.time_limit:g} s were over; the report says which")
    print(f"Quick results: {folder}")


if __name__ == "__main__":
    children.main("quick.py", main)
