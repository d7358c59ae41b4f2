# SPDX-License-Identifier: MIT
"""The comparisons and traces that the figures of the literature need: a table of commands.

Nothing here runs anything; making.py does.
"""
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


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
TUNED_FILE = "uring_tuned:fixed_files+fixed_buffers"
TUNED_ECHO = "uring_tuned:multishot+fixed_files"
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
    # The best set of each is chosen by what each option brings alone.
    "options_file": (("--engines", f"uring_tuned:each,{TUNED_FILE},io_uring", "--baseline", "uring_tuned",
                      "--workloads", "file", "--depths", "16"), DISK),
    "options_echo": (("--engines", f"uring_tuned:each,{TUNED_ECHO},io_uring", "--baseline", "uring_tuned",
                      "--workloads", "echo", "--conns", "50"), ()),
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

# Counting instructions slows each context switch, so it has comparisons of its own. They are left out
# where the kernel has no counters.
HARDWARE = "hardware_"
COMPARISONS[HARDWARE + "polling"] = (
    ("--engines", "blocking,libaio,io_uring,io_uring:sqpoll", "--baseline", "io_uring", "--workloads",
     "file", "--depths", "1"), DISK + ("--count-hardware",))
COMPARISONS |= {HARDWARE + name: (words, run_words + ("--count-hardware",))
                for name, (words, run_words) in COMPARISONS.items()
                if name == "batching" or name.startswith("block_size_")}

COUNTED = ("depths",)  # comparisons that count system calls, too
# Other runtimes in seconds, full and quick: a p99.9 needs many operations, and a stall should take a
# fifth of its window.
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

# The offered load, in percent of what a closed loop reaches: from nearly idle to overload.
LOADS_PCT = (1, 3, 10, 30, 60, 90, 120)
QUICK_LOADS_PCT = (3, 30, 90, 120)

# file: the command without its folder, and the words to add for --quick
TRACES = {
    "timeline.json": ((IOLAB, "timeline"), ("--", "--runtime", "0.08", "--warmup", "0.02")),
    "overlap.json": ((IOLAB, "overlap"), ("--ratios", "0.5,1", "--", "--runtime", "0.05",
                                              "--warmup", "0.01")),
    "matrix.json": ((IOLAB, "matrix"), ()),
    "responsiveness.json": ((IOLAB, "responsiveness"), ("--runtime", "0.05")),
    "loop_lateness.json": ((IOLAB, "responsiveness", "--loop"), ("--runtime", "0.1")),
    "styles.json": ((IOLAB, "styles"), ("--rounds", "3", "--runtime", "0.1")),
    "operator.json": ((IOLAB, "operator", "--capacities", "4,64"), ("--rounds", "3", "--runtime", "0.1")),
    "upcall.json": ((IOLAB, "upcall"), ("--ops", "10")),
    "steps.json": ((sys.executable, SIX_STEPS), ()),
    "doctor.json": ((IOLAB, "doctor", "--json"), ()),
}

# What not every machine can make, as it takes root: then the document says why, and the figure, too.
MAY_BE_UNSUPPORTED = ("upcall.json",)


def named(asked):
    """The comparisons and traces whose names are `asked` or begin with it; all for an empty one."""
    return [name for name in [*COMPARISONS, *TRACES]
            if not asked or name == asked or name.startswith(asked + "_")]


def with_value(words, option, value):
    """The words of a command with another value for an option that is there."""
    at = words.index(option) + 1
    return (*words[:at], value, *words[at + 1:])


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


def trace_command(name, quick, folder, file):
    """`file`: None, or the test file. Commands that make files of their own take its folder."""
    command, fewer = TRACES[name]
    fewer = fewer if quick else ()
    where = {"steps.json": (folder,), "doctor.json": ()}.get(name, ("--out", folder))
    on_file = ()
    if file and name in ("timeline.json", "overlap.json"):
        on_file = ((() if "--" in fewer else ("--",)) + ("--file", file))
    elif file and name in ("matrix.json", "responsiveness.json", "styles.json"):
        where += ("--folder", os.path.dirname(file) or ".")
    elif file and name == "steps.json":
        where += ("--file", file)
    return [*command, *where, *fewer, *on_file]
