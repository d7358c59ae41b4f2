#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares iolab with fio, with bare loops and with other people's echo servers.

Does iolab report the cost of the interface or its own? Every case runs iolab and its peers on
the same file, with the same distribution of offsets, the same batches, on the same CPU, in
interleaved rounds in random order. docs/measurement.md says how to read the result.
"""
import argparse
import contextlib
import ctypes
import json
import math
import mmap
import os
import random
import shlex
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field

import numpy

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "harness", "processes"), os.path.join(ROOT, "plots")]
import children  # noqa: E402
import progress_line  # noqa: E402
from readings import whole_file  # noqa: E402

IOLAB = os.path.join(ROOT, "build", "iolab")
BARE_LOOP = os.path.join(ROOT, "build", "peers", "bare_loop")
ECHO_LOAD = os.path.join(ROOT, "build", "peers", "echo_load")

BLOCK_BYTES = 4096


def batch_of(depth):
    """Operations handed over and taken at a time, at most: half of those in flight, or 16."""
    return max(1, min(depth // 2, 16))


def direct_batch_of(depth):
    """The same with O_DIRECT: a quarter of those in flight, or 8.

    A device that tells of many completions by one interrupt stands still until the first batch
    after it is handed over. With large batches program and device take turns, and both programs
    measure that. (fio hands over fewer at a time than it may, iolab as many; so large limits would
    be alike in name only.)
    """
    return max(1, min(depth // 4, 8))


WARM_UP_S = 0.5
WINDOW_S = 1.5
# From when to when the whole system's CPU time is read, after a process began: by then all have
# warmed up, and none has ended (run_json makes sure of that). Only where nobody reads a file into
# the page cache first, which takes a part of that time.
HOST_FROM_S = 1.0
HOST_TO_S = 1.8
ATTEMPTS = 5  # to have the file in the page cache
RESIDENT = 0.999  # of it must be there
LEVEL = 0.95  # the least that an interval's lower end may be, for two to be called level
# A case that is open after the first rounds is looked at once more, after all: two chances to err,
# so each interval may err half as often.
CONFIDENCE, CONFIDENCE_OF_TWO = 0.95, 0.975


class BenchError(Exception):
    """Cannot go on; the text says why."""


# what is compared


@dataclass
class Contender:
    name: str
    measure: callable  # () -> {"ops_per_s", "cpu_us_per_op" or None, "host_us_per_op" or None}
    values: list = field(default_factory=list)  # one a round; empty where the run failed
    failures: list = field(default_factory=list)  # what was said then

    def column(self, metric):
        return [v.get(metric) for v in self.values]

    def run(self):
        try:
            value = self.measure()
            self.failures += value.pop("failures", [])
            self.values.append(value)
        except BenchError as error:
            self.values.append({})
            self.failures.append(str(error))


@dataclass
class Goal:
    """`ours` over the peer (or, for CPU, the other way round): is it at least that much?"""

    peer: str
    metric: str
    least: float
    level: bool = False  # judged by the interval's lower end, not by the median


@dataclass
class Case:
    title: str
    ours: Contender
    peers: list
    goals: list
    prepare: callable = None  # before every run
    confidence: float = CONFIDENCE

    @property
    def contenders(self):
        return [self.ours, *self.peers]


# how it is run


def host_busy_s():
    """CPU time of the whole system so far: from idle and iowait, which the kernel keeps exactly."""
    with open("/proc/stat", encoding="ascii") as file:
        ticks = [int(word) for word in file.readline().split()[1:]]
    idle = (ticks[3] + ticks[4]) / os.sysconf("SC_CLK_TCK")
    return os.sysconf("SC_NPROCESSORS_ONLN") * time.monotonic() - idle


def run_json(command, cpu, watch_host=True):
    """The JSON that the command prints, and the system's busy CPU share while it ran."""
    began = time.monotonic()
    busy_share = None
    with children.child(["taskset", "-c", str(cpu), *command], stdout=subprocess.PIPE,
                        stderr=subprocess.PIPE, text=True) as process:
        if watch_host:
            time.sleep(max(0, began + HOST_FROM_S - time.monotonic()))
            busy, at = host_busy_s(), time.monotonic()
            time.sleep(max(0, began + HOST_TO_S - time.monotonic()))
            busy_share = (host_busy_s() - busy) / (time.monotonic() - at)
            if process.poll() is not None and process.returncode == 0:
                raise BenchError(f"{shlex.join(command)}: was over before its CPU time was read")
        out, err = process.communicate()
    if process.returncode != 0:
        raise BenchError(f"{shlex.join(command)}: {err.strip() or out.strip()[-300:]}")
    return json.loads(out[out.index("{"):]), busy_share


def host_us_per_op(busy_share, ops_per_s):
    return None if busy_share is None else busy_share / ops_per_s * 1e6


def iolab(cpu, options, watch_host=True):
    command = [IOLAB, "run", "--json", "--warmup", str(WARM_UP_S), "--runtime", str(WINDOW_S),
               *map(str, options)]
    for _ in range(ATTEMPTS):
        result, busy_share = run_json(command, cpu, watch_host)
        if result["workload"].get("cache") != "warm":
            break
        if result["workload"]["cache_resident_pct"] >= 100 * RESIDENT:
            break
    else:
        raise BenchError("the file does not stay in the page cache")
    metrics = result["metrics"]
    return {"ops_per_s": metrics["ops_per_s"], "cpu_us_per_op": metrics["cpu"]["us_per_op"],
            "host_us_per_op": host_us_per_op(busy_share, metrics["ops_per_s"])}


def fio(cpu, options, watch_host=True):
    command = ["fio", "--name=peer", "--time_based", f"--runtime={int(WINDOW_S * 1000)}ms",
               f"--ramp_time={int(WARM_UP_S * 1000)}ms", "--rw=randread", f"--bs={BLOCK_BYTES}",
               "--invalidate=0", "--output-format=json", *options]
    result, busy_share = run_json(command, cpu, watch_host)
    job = result["jobs"][0]
    iops = job["read"]["iops"]
    # usr_cpu and sys_cpu are of the job's own thread only.
    return {"ops_per_s": iops, "cpu_us_per_op": (job["usr_cpu"] + job["sys_cpu"]) / 100 / iops * 1e6,
            "host_us_per_op": host_us_per_op(busy_share, iops)}


def fio_batches(depth, batch):
    return [f"--iodepth={depth}", f"--iodepth_batch_submit={batch}",
            "--iodepth_batch_complete_min=1", f"--iodepth_batch_complete_max={batch}"]


LEAN = ["--gtod_reduce=1", "--norandommap=1"]
# fio can take libaio's completions from the ring in memory, as iolab does, but only so (fio(1)).
RING_REAP = ["--userspace_reap", "--iodepth_batch_complete_min=0"]


def iolab_batches(depth, batch):
    return ["--depth", depth, "--batch-submit", batch, "--batch-complete", batch]


def warm(path, size_bytes):
    """The file into the page cache, dropped and read in order: how it got there matters."""
    buffer = bytearray(1 << 20)
    for _ in range(ATTEMPTS):
        with open(path, "rb", buffering=0) as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            while file.readinto(buffer):
                pass
            share = resident_share(file.fileno(), size_bytes)
        if share >= RESIDENT:
            return
    raise BenchError(f"only {100 * share:.1f} % of {path} stay in the page cache")


def resident_share(fd, size_bytes):
    """mincore(2): which share of the file is in the page cache."""
    pages = (size_bytes + mmap.PAGESIZE - 1) // mmap.PAGESIZE
    resident = numpy.zeros(pages, dtype=numpy.uint8)
    libc = ctypes.CDLL(None, use_errno=True)
    with mmap.mmap(fd, size_bytes, prot=mmap.PROT_READ) as mapping:
        mapped = numpy.frombuffer(mapping, dtype=numpy.uint8)
        failed = libc.mincore(ctypes.c_void_p(mapped.ctypes.data), ctypes.c_size_t(size_bytes),
                              ctypes.c_void_p(resident.ctypes.data))
        del mapped  # or the mapping cannot be closed
    if failed:
        raise BenchError(f"mincore: {os.strerror(ctypes.get_errno())}")
    return float((resident & 1).mean())


# the cases


# iolab's engine, fio's, the bare loop's. fio opens its ring with SINGLE_ISSUER and DEFER_TASKRUN
# wherever the kernel has them, and has no option to leave that: this variant does the same.
RING = "io_uring:defer_taskrun"
PLAIN = "iolab, a ring without flags"
BARE = "bare loop"
ENGINES = (("blocking", "psync", "pread"), ("libaio",) * 3, (RING, "io_uring", "io_uring"))


DIRECT = ("--direct", 1)


def file_run(o, engine, path, depth, more=()):
    direct = "--direct" in more
    batch = direct_batch_of(depth) if direct else batch_of(depth)
    return iolab(o.cpu, ["-e", engine, "--file", path, "--size", o.size, "--bs", BLOCK_BYTES, *more,
                         *iolab_batches(depth, batch)], watch_host=direct)


def plain_ring(o, engine, path, depth, more=()):
    """Beside the variant that is fio's equal: what a ring without flags does. It has no goal."""
    return [Contender(PLAIN,
                      lambda: file_run(o, "io_uring", path, depth, more))] if engine == RING else []


def bare_loop(o, call, path, depth, direct=False):
    batch = direct_batch_of(depth) if direct else batch_of(depth)
    numbers = map(str, (o.size, BLOCK_BYTES, depth, batch, WARM_UP_S, WINDOW_S))
    result, busy_share = run_json([BARE_LOOP, call, path, *numbers, *(["direct"] if direct else [])],
                                  o.cpu, watch_host=direct)
    return {**result, "host_us_per_op": host_us_per_op(busy_share, result["ops_per_s"])}


def page_cache_cases(o, path):
    for engine, fio_engine, call in ENGINES:
        for depth in [1] if engine == "blocking" else [1, 16, 64]:
            target = [f"--filename={path}", f"--size={o.size}", f"--ioengine={fio_engine}",
                      *fio_batches(depth, batch_of(depth))]

            def ours(engine=engine, depth=depth):
                return file_run(o, engine, path, depth)

            def loop(call=call, depth=depth):
                return bare_loop(o, call, path, depth)

            by_ring = [Contender("fio, userspace_reap",
                                 lambda t=target: fio(o.cpu, t + RING_REAP, watch_host=False))]
            yield Case(
                f"page cache, {engine}, depth {depth}", Contender("iolab", ours),
                [Contender("fio", lambda t=target: fio(o.cpu, t, watch_host=False)),
                 Contender("fio lean", lambda t=target: fio(o.cpu, t + LEAN, watch_host=False)),
                 Contender(BARE, loop), *plain_ring(o, engine, path, depth),
                 *(by_ring if engine == "libaio" else [])],
                [Goal("fio", "ops_per_s", 1.2), Goal("fio lean", "ops_per_s", LEVEL, True),
                 Goal(BARE, "ops_per_s", 0.88)],
                prepare=lambda: warm(path, o.size))


# What both programs can register with the ring beforehand: files, and buffers. With O_DIRECT the
# kernel then need not pin a buffer's page for each read.
REGISTERED = RING + "+fixed_files+fixed_buffers"
FIO_REGISTERED = ["--fixedbufs=1", "--registerfiles=1"]


def direct_cases(o, path, what):
    for engine, fio_engine, call in ENGINES:
        for depth in [1] if engine == "blocking" else [1, 4, 16, 64]:
            target = [f"--filename={path}", f"--size={o.size}", f"--ioengine={fio_engine}",
                      "--direct=1", "--readonly", *fio_batches(depth, direct_batch_of(depth))]
            cpu_goal = Goal("fio", "host_us_per_op", 1 if depth < 16 else 1 / 0.9)

            def ours(engine=engine, depth=depth):
                return file_run(o, engine, path, depth, DIRECT)

            def loop(call=call, depth=depth):
                return bare_loop(o, call, path, depth, direct=True)

            peers = [Contender("fio", lambda t=target: fio(o.cpu, t)), Contender(BARE, loop)]
            yield Case(f"{what}, {engine}, depth {depth}", Contender("iolab", ours),
                       [*peers, *plain_ring(o, engine, path, depth, DIRECT)],
                       [Goal("fio", "ops_per_s", LEVEL, True), cpu_goal])
            if engine == RING and depth >= 16:
                registered = Contender("fio, registered",
                                       lambda t=target: fio(o.cpu, t + FIO_REGISTERED))
                yield Case(f"{what}, registered files and buffers, depth {depth}",
                           Contender("iolab", lambda d=depth: ours(REGISTERED, d)),
                           [Contender("fio", lambda t=target: fio(o.cpu, t)), registered],
                           [Goal("fio", "ops_per_s", LEVEL, True), cpu_goal,
                            Goal("fio, registered", "ops_per_s", LEVEL, True)])


def posix_aio_cases(o, path, links):
    for depth in (16, 64):
        names = ":".join(links[:depth])
        target = [f"--filename={names}", f"--filesize={o.size}", f"--size={depth * o.size}",
                  "--ioengine=posixaio", "--direct=1", "--readonly",
                  *fio_batches(depth, direct_batch_of(depth))]

        def ours(depth=depth, more=("--fd-per-op",)):
            return file_run(o, "posix_aio", path, depth, (*DIRECT, *more))

        yield Case(f"disk, posix_aio, depth {depth}, a descriptor each", Contender("iolab", ours),
                   [Contender("fio", lambda t=target: fio(o.cpu, t)),
                    Contender("one descriptor", lambda d=depth: ours(d, ()))],
                   [Goal("fio", "ops_per_s", LEVEL, True)])


def null_cases(o, path):
    target = ["--ioengine=null", "--size=1G", "--iodepth=32"]
    lean = [*target, *LEAN, *fio_batches(32, batch_of(32))[1:]]
    yield Case("null, depth 32", Contender("iolab", lambda: iolab(
        o.cpu, ["-e", "null", "-w", "file", "--file", path, "--size", o.size, "--cache", "warm",
                *iolab_batches(32, batch_of(32))], watch_host=False)),
        [Contender("fio", lambda: fio(o.cpu, target, watch_host=False)),
         Contender("fio lean", lambda: fio(o.cpu, lean, watch_host=False))],
        [Goal("fio", "ops_per_s", 3), Goal("fio lean", "ops_per_s", LEVEL, True)])


@contextlib.contextmanager
def server(command, cpu):
    """Somebody else's echo server, listening on a port of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = [word.replace("{port}", str(port)) for word in shlex.split(command)]
    with children.child(["taskset", "-c", str(cpu), *words], stdout=subprocess.DEVNULL,
                        stderr=subprocess.DEVNULL) as process:
        try:
            until = time.monotonic() + 5
            while True:
                with contextlib.suppress(ConnectionRefusedError), socket.socket() as probe:
                    probe.connect(("127.0.0.1", port))
                    break
                if process.poll() is not None or time.monotonic() > until:
                    raise BenchError(f"{command}: does not listen on port {port}")
                time.sleep(0.01)
            yield port, process.pid
        finally:
            process.kill()
            process.wait()


def echo_cases(o):
    server_cpu, client_cpu = o.cpus[0], o.cpus[-1]

    def theirs(command, conns):
        with server(command, server_cpu) as (port, pid):
            load = [str(word) for word in (ECHO_LOAD, port, pid, conns, 128, WARM_UP_S, WINDOW_S,
                                           client_cpu)]
            try:
                return run_json(load, client_cpu, watch_host=False)[0]
            except BenchError as error:
                if "differs" not in str(error):
                    raise
                wrong = str(error)
        # A server that returns wrong bytes still shows what its system calls cost; but it is said.
        with server(command, server_cpu) as (port, pid):
            load[1:3] = [str(port), str(pid)]
            value = run_json([*load, "unchecked"], client_cpu, watch_host=False)[0]
            return {**value, "failures": [wrong]}

    def ours(engine, conns):
        process = [IOLAB, "run", "--json", "-e", engine, "-w", "echo", "--conns", str(conns),
                   "--msg-size", "128", "--warmup", str(WARM_UP_S), "--runtime", str(WINDOW_S)]
        metrics = run_json(process, f"{server_cpu},{client_cpu}", watch_host=False)[0]["metrics"]
        return {"ops_per_s": metrics["ops_per_s"], "cpu_us_per_op": metrics["cpu"]["us_per_op"],
                "peer_util_pct": metrics["cpu"]["peer_util_pct"]}

    for title, engine, servers in (("epoll", "epoll", o.epoll_server),
                                   ("io_uring", RING, o.io_uring_server)):
        for conns in (1, 50, 500, 1000) if servers else ():
            peers = [Contender(name, lambda c=command, n=conns: theirs(c, n))
                     for name, command in servers]
            plain = [Contender(PLAIN, lambda n=conns: ours("io_uring", n))] if engine == RING else []
            yield Case(f"echo 128 B, {title}, {conns} connections",
                       Contender("iolab", lambda e=engine, n=conns: ours(e, n)), peers + plain,
                       [Goal(name, "cpu_us_per_op", LEVEL, True) for name, _ in servers])


# the verdict


def order_interval(values, confidence=CONFIDENCE):
    """Median and an interval from order statistics; nothing assumed but independent rounds."""
    values = sorted(values)
    n = len(values)
    rank = 0
    while rank + 1 < n / 2:
        outside = 2 * sum(math.comb(n, i) for i in range(rank + 2)) / 2**n
        if outside > 1 - confidence:
            break
        rank += 1
    return statistics.median(values), values[rank], values[n - 1 - rank]


def ratios(case, peer, metric):
    """Round by round, such that above 1 is in our favour."""
    pairs = zip(case.ours.column(metric), peer.column(metric))
    return [o / p if metric == "ops_per_s" else p / o for o, p in pairs if o and p]


METRICS = {"ops_per_s": "throughput", "host_us_per_op": "CPU of the system",
           "cpu_us_per_op": "CPU of the server"}


def judge(case, goal):
    peer = next(p for p in case.peers if p.name == goal.peer)
    values = ratios(case, peer, goal.metric)
    if not values:
        return {"case": case.title, "peer": goal.peer, "metric": METRICS[goal.metric],
                "median": math.nan, "low": math.nan, "high": math.nan, "rounds": 0,
                "goal": str(goal.least), "reached": False, "verdict": "no round has both"}
    median, low, high = order_interval(values, case.confidence)
    reached = (low if goal.level else median) >= goal.least
    want = "level (low end 0.95)" if goal.level else f"at least {goal.least:.2f}"
    said = "reached" if reached else "cannot tell" if undecided(case, goal) else "NOT REACHED"
    if reached and low < goal.least:
        said += ", but the interval spans it"
    # Where the call alone, with nothing around it, does not get there either, iolab is not to blame.
    bare = next((p for p in case.peers if p.name == BARE), None)
    if not reached and bare and goal.peer != BARE:
        of_bare = ratios(Case("", bare, [peer], []), peer, goal.metric)
        beside = ratios(case, bare, goal.metric)
        if of_bare and beside and statistics.median(beside) >= LEVEL:
            if (least := statistics.median(of_bare)) < goal.least:
                said = f"out of reach here: the bare loop has {least:.2f}"
    return {"case": case.title, "peer": goal.peer, "metric": METRICS[goal.metric], "median": median,
            "low": low, "high": high, "rounds": len(values), "goal": want, "reached": reached,
            "verdict": said}


def undecided(case, goal):
    """More rounds could tell: the interval spans the goal."""
    peer = next(p for p in case.peers if p.name == goal.peer)
    values = ratios(case, peer, goal.metric)
    if not goal.level or not values:
        return False
    _, low, high = order_interval(values, CONFIDENCE_OF_TWO)
    return low < goal.least <= high


def report(cases, rounds):
    print(f"\nMedians of {rounds} or more interleaved rounds in random order.\n")
    print(f"{'':44}{'ops/s':>10}{'spread':>14}{'CPU us/op':>11}{'system':>9}\n"
          f"{'(echo: the CPU of the client instead of the system)':78}")
    for case in cases:
        print(case.title)
        for contender in case.contenders:
            rates = [rate for rate in contender.column("ops_per_s") if rate]
            if not rates:
                print(f"  {contender.name:42}{'failed: ' + contender.failures[0] if contender.failures else 'not run'}")
                continue
            median, low, high = order_interval(rates)
            columns = [[value for value in contender.column(metric) if value is not None]
                       for metric in ("cpu_us_per_op", "host_us_per_op")]
            cells = [f"{statistics.median(column):.2f}" if column else "-" for column in columns]
            clients = [value for value in contender.column("peer_util_pct") if value is not None]
            if clients:
                cells[1] = f"{statistics.median(clients):.0f} %"
            spread = f"{100 * low / median - 100:+.0f} {100 * high / median - 100:+.0f} %"
            print(f"  {contender.name:42}{median:10.0f}{spread:>14}{cells[0]:>11}{cells[1]:>9}")
            if contender.failures:
                print(f"    {len(contender.failures)} of {len(contender.values)} runs went wrong, first: "
                      f"{contender.failures[0].rpartition(': ')[2]}")
    print(f"\nRatios, above 1 in iolab's favour: the median over the rounds, and its interval "
          f"({100 * cases[0].confidence:g} %)\n"
          f"{'':46}{'peer':18}{'of':20}{'ratio':>7}   {'interval':23}goal")
    verdicts = [judge(case, goal) for case in cases for goal in case.goals]
    for v in verdicts:
        print(f"{v['case']:46}{v['peer']:18}{v['metric']:20}{v['median']:7.2f}   "
              f"{v['low']:.2f}-{v['high']:<7.2f}{v['rounds']:3} rounds   {v['goal']}: {v['verdict']}")
    return verdicts


# set-up


@contextlib.contextmanager
def loop_over_tmpfs(size_bytes):
    """A loop device over a file in memory: fast, and truly asynchronous with O_DIRECT. It is gone
    with this process, whatever ends that: only an open descriptor keeps it."""
    def run(*words):
        return subprocess.run(words, check=True, capture_output=True, text=True).stdout

    folder = tempfile.mkdtemp(prefix="iolab-loop-")
    mounted, held = False, -1
    try:
        run("mount", "-t", "tmpfs", "-o", f"size={size_bytes + (8 << 20)}", "tmpfs", folder)
        mounted = True
        path = os.path.join(folder, "disk")
        with open(path, "wb") as file:
            for _ in range(size_bytes >> 20):
                file.write(os.urandom(1 << 20))
        device = run("losetup", "--find", "--show", path).strip()
        held = os.open(device, os.O_RDONLY | os.O_CLOEXEC)
        run("losetup", "-d", device)  # once nobody has it open
    finally:
        if mounted:
            run("umount", "--lazy", folder)
        os.rmdir(folder)
    try:
        yield device
    finally:
        os.close(held)


def named(text):
    name, found, command = text.partition("=")
    if not found:
        raise argparse.ArgumentTypeError(f"{text}: NAME=COMMAND is wanted, with {{port}} in COMMAND")
    return name, command


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10, help="rounds of each case, at least (default: 10)")
    parser.add_argument("--most-rounds", type=int, default=30,
                        help="a case without an answer goes on up to this many rounds (default: 30)")
    parser.add_argument("--only", action="append", default=[], metavar="TEXT",
                        help="only cases with TEXT in their titles; may be repeated")
    parser.add_argument("--file", default=os.path.join(ROOT, "build", "peers", "test-file"),
                        help="test file, on the disk to measure")
    parser.add_argument("--size", type=int, default=1 << 30, help="size of that file, in bytes")
    parser.add_argument("--epoll-server", type=named, action="append", default=[],
                        metavar="NAME=COMMAND", help="an echo server on epoll; {port} is replaced")
    parser.add_argument("--io-uring-server", type=named, action="append", default=[],
                        metavar="NAME=COMMAND", help="one on io_uring with one-shot operations")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1000000,
                        help="seed of the order of runs (default: from the clock; recorded)")
    parser.add_argument("--out", help="file for the raw values, JSON (default: results/peers-TIME.json)")
    options = parser.parse_args()
    options.cpus = sorted(os.sched_getaffinity(0))
    options.cpu = options.cpus[-1]
    return options


def choose(o, stack):
    """The cases that are wanted and possible here, and a word about those that are not."""
    wanted = lambda case: not o.only or any(text in case.title for text in o.only)
    children.run([IOLAB, "run", "-e", "blocking", "--file", o.file, "--size", str(o.size),
                  "--runtime", "0.01"]).check_returncode()
    cases = [*page_cache_cases(o, o.file), *direct_cases(o, o.file, "disk")]
    try:
        loop = stack.enter_context(loop_over_tmpfs(o.size))
        cases += direct_cases(o, loop, "loop over tmpfs")
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"skipped: loop over tmpfs: {getattr(error, 'stderr', None) or error}")
    folder = stack.enter_context(tempfile.TemporaryDirectory(dir=os.path.dirname(o.file)))
    links = [os.path.join(folder, str(i)) for i in range(64)]
    for link in links:
        os.link(o.file, link)
    cases += [*posix_aio_cases(o, o.file, links), *null_cases(o, o.file)]
    if len(o.cpus) < 2:
        print("skipped: echo: server and client need a CPU each")
    elif not o.epoll_server and not o.io_uring_server:
        print("skipped: echo against other servers: name them with --epoll-server and "
              "--io-uring-server (docs/measurement.md has the commands)")
    else:
        cases += echo_cases(o)
    return [case for case in cases if wanted(case)]


def run_rounds(cases, rounds, most_rounds, dice, keep):
    """Calls `keep` after each round, so that a run that dies loses one round at most."""
    if most_rounds > rounds:
        for case in cases:
            case.confidence = CONFIDENCE_OF_TWO
    for number in range(max(rounds, most_rounds)):
        if number == rounds:
            cases = [case for case in cases if any(undecided(case, goal) for goal in case.goals)]
        for case in dice.sample(cases, len(cases)):
            progress_line.show(f"round {number + 1} of {rounds if number < rounds else most_rounds}: {case.title}")
            for contender in dice.sample(case.contenders, len(case.contenders)):
                if case.prepare:
                    case.prepare()
                contender.run()
        keep()
    progress_line.show("")


def environment():
    """Where this was measured, as iolab tells it, and fio's version."""
    done = children.run([IOLAB, "run", "-e", "null", "-w", "nop", "--runtime", "0.01", "--json"])
    done.check_returncode()
    version = children.run(["fio", "--version"])
    return {**json.loads(done.stdout)["env"], "fio": version.stdout.strip()}


def write(out, cases, o, verdicts=None):
    """The raw values, whole or not at all."""
    raw = [{"case": case.title, "contender": contender.name, "values": contender.values,
            "failures": contender.failures} for case in cases for contender in case.contenders]
    whole_file.write(out, json.dumps({"command": sys.argv, "seed": o.seed, "rounds": o.rounds,
                                      "most_rounds": o.most_rounds, "env": o.env,
                                      "verdicts": verdicts, "raw": raw}, indent=1))


def measure(o, out):
    """Returns the cases, and whether a signal ended the rounds early."""
    with contextlib.ExitStack() as stack:
        cases = choose(o, stack)
        if not cases:
            sys.exit(f"bench-peers: no case has {' or '.join(o.only)} in its title")
        try:
            run_rounds(cases, o.rounds, o.most_rounds, random.Random(o.seed),
                       lambda: write(out, cases, o))
        except KeyboardInterrupt:
            return cases, True
    return cases, False


def main():
    o = parse()
    if not shutil.which("fio"):
        sys.exit("bench-peers: fio is missing; harness/setup.sh peers installs it")
    os.makedirs(os.path.dirname(o.file), exist_ok=True)
    out = o.out or os.path.join(ROOT, "results", time.strftime("peers-%Y%m%dT%H%M%SZ.json", time.gmtime()))
    os.makedirs(os.path.dirname(os.path.abspath(out)), exist_ok=True)
    try:
        o.env = environment()
        cases, stopped = measure(o, out)
    except (BenchError, subprocess.CalledProcessError) as error:
        sys.exit(f"bench-peers: {error}")
    if stopped:
        print("bench-peers: stopped early; this is what was measured until then")
    write(out, cases, o, report(cases, o.rounds))
    print(f"\nRaw values: {os.path.relpath(out)}")
    if stopped:
        sys.exit(children.INTERRUPTED)


if __name__ == "__main__":
    children.main("bench-peers", main)
