#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The comparisons and traces that the figures of the literature need, into one results folder.

Each comparison is an `iolab compare` of its own and lies in FOLDER/study/<name>. What is there
already is kept, unless it was quick and this is not.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def shown(*parts):
    """A path as a person would type it: commands are recorded."""
    relative = os.path.relpath(os.path.join(ROOT, *parts))
    return os.path.join(ROOT, *parts) if relative.startswith("..") else relative


IOLAB = os.environ.get("IOLAB") or shown("build", "iolab")
SIX_STEPS = shown("harness", "six_steps.py")

FULL = ("--rounds", "5", "--runtime", "0.2", "--warmup", "0.05")
QUICK = ("--rounds", "5", "--runtime", "0.04", "--warmup", "0.01")
DISK = ("--direct", "1", "--size", "64M")
TUNED = ("libaio,io_uring,io_uring:fixed_buffers+fixed_files,"
         "io_uring:fixed_buffers+fixed_files+defer_taskrun,"
         "io_uring:fixed_buffers+fixed_files+sqpoll")
BLOCK_SIZES = ("4k", "16k", "64k", "256k", "1M")

# name: options of compare, options of its runs
COMPARISONS = {
    "depth_one": (("--engines", "blocking,threads,posix_aio,libaio,io_uring,io_uring:defer_taskrun",
                   "--workloads", "file", "--depths", "1"), DISK),
    "batching": (("--engines", "io_uring,io_uring:defer_taskrun", "--baseline", "io_uring",
                  "--workloads", "nop", "--depths", "1,2,8,32,128,512,4096"), ()),
    "staircase_one_by_one": (("--engines", "io_uring", "--baseline", "io_uring", "--workloads",
                              "file", "--depths", "64"),
                             DISK + ("--batch-submit", "1", "--batch-complete", "1")),
    "staircase_batched": (("--engines", TUNED, "--baseline", "io_uring", "--workloads", "file",
                           "--depths", "64"), DISK),
    "cpu_shares": (("--engines", "blocking,threads,posix_aio,libaio,io_uring,io_uring:sqpoll",
                    "--workloads", "file", "--depths", "16"), DISK),
    **{f"block_size_{size}": (("--engines", "blocking,libaio,io_uring", "--workloads", "file",
                               "--depths", "4"), DISK + ("--bs", size)) for size in BLOCK_SIZES},
    "durability_none": (("--engines", "blocking,libaio,io_uring", "--workloads", "file", "--depths",
                         "1"), DISK + ("--rw", "randwrite")),
    "durability_fdatasync": (("--engines", "blocking,libaio,io_uring", "--workloads", "file",
                              "--depths", "1"), DISK + ("--rw", "randwrite", "--fdatasync", "1")),
    "durability_fsync": (("--engines", "blocking,libaio,io_uring", "--workloads", "file",
                          "--depths", "1"), DISK + ("--rw", "randwrite", "--fsync", "1")),
    "idle_descriptors": (("--engines", "poll,epoll,io_uring", "--baseline", "epoll", "--workloads",
                          "idle", "--conns", "10,100,1000,4000"), ()),
}

# file that it makes: command, without the folder; then for --quick
TRACES = {
    "timeline.json": ((IOLAB, "timeline"), ()),
    "overlap.json": ((IOLAB, "overlap"), ("--rounds", "3", "--ratios", "0.5,1,2")),
    "matrix.json": ((IOLAB, "matrix"), ()),
    "responsiveness.json": ((IOLAB, "responsiveness"), ("--rounds", "2")),
    "steps.json": ((sys.executable, SIX_STEPS), ()),
}


def was_quick(folder):
    try:
        with open(os.path.join(folder, "study", "study.json"), encoding="utf-8") as file:
            return json.load(file)["quick"]
    except (OSError, ValueError, KeyError):
        return {}


def note(folder, quick):
    path = os.path.join(folder, "study", "study.json")
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump({"schema": "iolab.study.v1", "quick": quick}, file, indent=1)
        file.write("\n")
    os.replace(path + ".new", path)


def run(name, command):
    """True when it ended well; else the reason is on the screen already."""
    begun = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    took = f"{time.monotonic() - begun:.0f} s"
    if done.returncode:
        words = (done.stderr or done.stdout).strip().splitlines()
        print(f"  {name}: failed after {took}: {words[-1] if words else done.returncode}")
        return False
    print(f"  {name}: {took}", flush=True)
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", metavar="FOLDER", help="results folder; made if it is not there")
    parser.add_argument("--quick", action="store_true",
                        help="short runs, under two minutes: for a first look")
    parser.add_argument("--only", metavar="NAME", action="append",
                        help="a comparison or file; may be given more than once. There are: "
                        + ", ".join([*COMPARISONS, *TRACES]))
    parser.add_argument("--file", help="test file (default: that of iolab run)")
    options = parser.parse_args()
    wanted = options.only or [*COMPARISONS, *TRACES]
    for name in wanted:
        if name not in COMPARISONS and name not in TRACES:
            sys.exit(f"study.py: --only {name}: there are {', '.join([*COMPARISONS, *TRACES])}")
    os.makedirs(os.path.join(options.folder, "study"), exist_ok=True)
    quick = was_quick(options.folder)
    file = ("--file", options.file) if options.file else ()
    failed = 0
    for name in wanted:
        if name in TRACES:
            path = os.path.join(options.folder, name)
            command, fewer = TRACES[name]
            command = [*command, *(fewer if options.quick else ())]
            command += [options.folder] if name == "steps.json" else ["--out", options.folder]
        else:
            path = os.path.join(options.folder, "study", name)
            words, run_words = COMPARISONS[name]
            on_file = file if words[words.index("--workloads") + 1] == "file" else ()
            command = [IOLAB, "compare", *words, *(QUICK if options.quick else FULL),
                       "--no-count-syscalls", "--out", path, "--", *run_words, *on_file]
            if command[-1] == "--":
                command.pop()
        if os.path.exists(path) and (options.quick or not quick.get(name, True)):
            print(f"  {name}: is there")
            continue
        if os.path.isdir(path):
            shutil.rmtree(path)
        if run(name, command) and (name != "cpu_shares" or run(name, [IOLAB, "cpu", path])):
            quick[name] = options.quick
            note(options.folder, quick)
        else:
            failed += 1
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
