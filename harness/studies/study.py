#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes the comparisons and traces that the figures of the literature need, in one results folder.

Each comparison is a separate `iolab compare` in FOLDER/study/<name>. Existing ones are kept, unless
they were quick and this run is not.
"""
import argparse
import functools
import json
import os
import shutil
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "harness", "processes"), os.path.join(ROOT, "plots")]
import children  # noqa: E402
from readings import remarks, study_notes, whole_file  # noqa: E402


def shown(*parts):
    """A path as a person would type it: commands are recorded."""
    relative = os.path.relpath(os.path.join(ROOT, *parts))
    return os.path.join(ROOT, *parts) if relative.startswith("..") else relative


IOLAB = os.environ.get("IOLAB") or shown("build", "iolab")
SIX_STEPS = shown("harness", "studies", "six_steps.py")

FULL = ("--rounds", "5", "--runtime", "0.2", "--warmup", "0.05")
QUICK = ("--rounds", "5", "--runtime", "0.04", "--warmup", "0.01", "--idle", "0.2")
DISK = ("--direct", "1", "--size", "64M")
CPUS = sorted(os.sched_getaffinity(0))
TUNED = ("libaio,io_uring,io_uring:fixed_buffers+fixed_files,"
         "io_uring:fixed_buffers+fixed_files+defer_taskrun,"
         "io_uring:fixed_buffers+fixed_files+sqpoll")
BLOCK_SIZES = ("4k", "16k", "64k", "256k", "1M")
MESSAGE_SIZES = ("64", "1k", "16k")


def cpu_counts():
    """1, 2, 4, ... and all."""
    powers = [1 << i for i in range(len(CPUS).bit_length())]
    return sorted({n for n in powers if n <= len(CPUS)} | {len(CPUS)})


def first_cpus(count):
    return ("--cpus", ",".join(str(cpu) for cpu in CPUS[:count]))


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
                    "--baseline", "io_uring", "--workloads", "file", "--depths", "16"), DISK),
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
    "depths": (("--engines", "blocking,libaio,io_uring,io_uring:defer_taskrun", "--baseline",
                "libaio", "--workloads", "file", "--depths", "1,2,4,8,16,32,64,128"),
               DISK + first_cpus(1)),
    **{f"cores_{count}": (("--engines", "threads,libaio,io_uring,io_uring:sqpoll_shared",
                           "--baseline", "io_uring", "--workloads", "file", "--depths",
                           "1,4,16,64"), DISK + first_cpus(count)) for count in cpu_counts()},
    **{f"connections_{size}": (("--engines", "blocking,threads,poll,epoll,io_uring", "--baseline",
                                "epoll", "--workloads", "echo", "--conns", "1,10,100,1000"),
                               ("--msg-size", size)) for size in MESSAGE_SIZES},
    "offered_load": (("--engines", "blocking,io_uring", "--workloads", "file", "--rates",
                      "1000,100000"), DISK + ("--depth", "64")),
    "offered_load_stalled": (("--engines", "blocking,io_uring", "--workloads", "file", "--rates",
                              "1000"), DISK + ("--depth", "64", "--stall-ms", "200")),
}

# Counting instructions makes each context switch dearer, so it has comparisons of its own; where the
# kernel gives no counters they are left out.
HARDWARE = "hardware_"
COMPARISONS[HARDWARE + "polling"] = (
    ("--engines", "blocking,libaio,io_uring,io_uring:sqpoll", "--baseline", "io_uring", "--workloads",
     "file", "--depths", "1"), DISK + ("--count-hardware",))
COMPARISONS |= {HARDWARE + name: (words, run_words + ("--count-hardware",))
                for name, (words, run_words) in COMPARISONS.items()
                if name == "batching" or name.startswith("block_size_")}

COUNTED = ("depths",)  # comparisons that count system calls, too
# Seconds in place of those above, in full and quick: a p99.9 wants many operations, and a stall is
# to be a fifth of its window.
RUNTIMES = {"offered_load": ("0.5", "0.1"), "offered_load_stalled": ("1", "1")}

# With --quick: other values for options of compare.
QUICK_VALUES = {
    "depths": {"--depths": "1,16,128"},
    "idle_descriptors": {"--conns": "10,1000,4000"},
    **{f"cores_{count}": {"--depths": "1,16"} for count in cpu_counts()},
    **{f"connections_{size}": {"--engines": "poll,epoll,io_uring", "--conns": "1,1000"}
       for size in MESSAGE_SIZES},
    "offered_load_stalled": {"--engines": "io_uring"},
}

# The offered load, in percent of what is reached when nobody waits: from idle to more than that.
LOADS_PCT = (1, 3, 10, 30, 60, 90, 120)
QUICK_LOADS_PCT = (3, 30, 90, 120)

# file that it makes: command, without the folder; then for --quick
TRACES = {
    "timeline.json": ((IOLAB, "timeline"), ("--", "--runtime", "0.08", "--warmup", "0.02")),
    "overlap.json": ((IOLAB, "overlap"), ("--ratios", "0.5,1", "--", "--runtime", "0.05",
                                              "--warmup", "0.01")),
    "matrix.json": ((IOLAB, "matrix"), ()),
    "responsiveness.json": ((IOLAB, "responsiveness"), ("--runtime", "0.05")),
    "steps.json": ((sys.executable, SIX_STEPS), ()),
    "doctor.json": ((IOLAB, "doctor", "--json"), ()),
}


def was_quick(folder):
    """Name of what was made, and whether it was quick."""
    return study_notes.read(folder).get("quick") or {}


def note(folder, quick, missing=None):
    """Writes study.json: what was made, and what was not: {name: Remark}, or as noted() has it."""
    content = {"schema": "iolab.study.v1", "quick": quick}
    if missing is not None:
        content["missing"] = {name: remarks.written(remarks.read(why)) for name, why in missing.items()}
    os.makedirs(os.path.join(folder, "study"), exist_ok=True)
    whole_file.write(os.path.join(folder, "study", "study.json"), json.dumps(content, indent=1) + "\n")


def with_value(words, option, value):
    """The words of a command with another value for an option that is there."""
    at = words.index(option) + 1
    return (*words[:at], value, *words[at + 1:])


def capacity(run_words):
    """Operations a second that nothing holds up, by the first engine that can; None without."""
    for engine in ("io_uring", "libaio", "threads", "blocking"):
        done = children.run([IOLAB, "run", "--engine", engine, *run_words, "--runtime", "0.3",
                             "--json"])
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


def rates(reached, shares_pct):
    """Whole numbers of two digits, each once."""
    return ",".join(dict.fromkeys(f"{float(f'{reached * pct / 100:.1e}'):.0f}"
                                  for pct in shares_pct if reached * pct >= 100))


def words_of(name, quick, rounds=None):
    """The options of compare for that comparison, without those for its runs."""
    words, _ = COMPARISONS[name]
    for option, value in QUICK_VALUES.get(name, {}).items() if quick else ():
        words = with_value(words, option, value)
    window = QUICK if quick else FULL
    if name in RUNTIMES:
        window = with_value(window, "--runtime", RUNTIMES[name][quick])
    if rounds:
        window = with_value(window, "--rounds", str(rounds))
    counting = () if name in COUNTED else ("--no-count-syscalls",)
    return (*words, *window, *counting)


def compare_command(name, quick, path, file, rounds=None):
    words, run_words = words_of(name, quick, rounds), COMPARISONS[name][1]
    if words[words.index("--workloads") + 1] == "file":
        run_words += file
    if name == "offered_load":
        reached = capacity(run_words)
        if reached:
            words = with_value(words, "--rates", rates(reached, QUICK_LOADS_PCT if quick else
                                                       LOADS_PCT))
    return [IOLAB, "compare", *words, "--out", path, *(("--", *run_words) if run_words else ())]


def trace_command(name, quick, folder, file):
    """`file`: None, or the test file; what needs only a folder for files of its own takes its."""
    command, fewer = TRACES[name]
    fewer = fewer if quick else ()
    where = {"steps.json": (folder,), "doctor.json": ()}.get(name, ("--out", folder))
    on_file = ()
    if file and name in ("timeline.json", "overlap.json"):
        on_file = ((() if "--" in fewer else ("--",)) + ("--file", file))
    elif file and name in ("matrix.json", "responsiveness.json"):
        where += ("--folder", os.path.dirname(file) or ".")
    elif file and name == "steps.json":
        where += ("--file", file)
    return [*command, *where, *fewer, *on_file]


def named(asked):
    """The comparisons and files of that name, or whose first words it is; all for the empty one."""
    everything = [*COMPARISONS, *TRACES]
    found = [name for name in everything if not asked or name == asked
             or name.startswith(asked + "_")]
    if not found:
        sys.exit(f"study.py: --only {asked}: there are {', '.join(everything)}")
    return found


def first_reason(path):
    """Why a comparison in which nothing ran came to that, a Remark; None where it does not say."""
    try:
        with open(os.path.join(path, "summary.json"), encoding="utf-8") as file:
            return next(remarks.read(c["reason"]) for c in json.load(file)["configurations"] if c["reason"])
    except (OSError, ValueError, LookupError, TypeError, StopIteration):
        return None


def run(name, command, path, keep=False):
    """Runs it and says so. Returns None when it ended well, else why not, a Remark. `keep`: `path` is to
    hold what it prints."""
    begun = time.monotonic()
    done = children.run(command)
    took = f"{time.monotonic() - begun:.0f} s"
    if done.returncode == 0:
        if keep:
            whole_file.write(path, done.stdout)
        print(f"  {name}: {took}", flush=True)
        return None
    words = (done.stderr or done.stdout).strip().splitlines() or [f"status {done.returncode}"]
    reason = first_reason(path) or remarks.Remark("command_failed", "{why}", {"why": words[-1]})
    print(f"  {name}: failed after {took}: {reason}", flush=True)
    return reason


def path_of(folder, name):
    return os.path.join(folder, *(() if name in TRACES else ("study",)), name)


def is_made(folder, name, quick):
    """Is it there, and good enough? What is quick is not when a full one is wanted."""
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


def parse():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", metavar="FOLDER", help="results folder; created if missing")
    parser.add_argument("--quick", action="store_true",
                        help="short runs, under two minutes: for a first look")
    parser.add_argument("--only", metavar="NAME", action="append",
                        help="only the comparisons and files whose names begin with NAME; may be "
                        "repeated. Names: " + ", ".join([*COMPARISONS, *TRACES]))
    parser.add_argument("--file", help="test file (default: iolab run's)")
    parser.add_argument("--rounds", metavar="N", type=int,
                        help="rounds of each comparison; a verdict needs 5 (default: 5). To repeat one "
                        "that could not tell, delete its folder and use --only")
    return parser.parse_args()


def main():
    options = parse()
    wanted = list(dict.fromkeys(name for asked in options.only or [""] for name in named(asked)))
    note(options.folder, was_quick(options.folder), study_notes.read(options.folder).get("missing"))
    try:
        reasons = [make(options.folder, name, options.quick, options.file, options.rounds)
                   for name in wanted]
    except KeyboardInterrupt:
        print(f"Interrupted: what is whole is kept in {options.folder}; the same command goes on "
              "from there.", flush=True)
        raise
    sys.exit(1 if any(reasons) else 0)


if __name__ == "__main__":
    children.main("study.py", main)
