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
import mmap
import os
import shutil
import subprocess
import sys
import tempfile

import numpy

from contenders import (ATTEMPTS, IOLAB, MESSAGE_BYTES, RESIDENT, ROOT, WARM_UP_S, WINDOW_S, BenchError, children,
                        host_us_per_op, iolab, load_of_server, run_json)
from contest import BARE, LEVEL, Case, Contender, Goal, measure_and_report, options_of_rounds, parsed

BARE_LOOP = os.path.join(ROOT, "build", "peers", "bare_loop")

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


def raw_cases(o, path):
    """The ring without a library beside the one with it: level is what is to be shown."""
    def reads(engine, *more):
        return lambda: file_run(o, engine, path, RAW_DEPTH, more)

    def no_ops(engine):
        return lambda: iolab(o.cpu, ["-e", engine, "-w", "nop", "--depth", RAW_DEPTH], watch_host=False)

    cases = [("nop", no_ops), ("page cache", reads), ("disk", lambda engine: reads(engine, *DIRECT))]
    if len(o.cpus) > 1:
        cases.append(("echo 128 B", lambda engine: lambda: served(o, engine, "echo", "--conns", 50)))
    for title, run in cases:
        cpu = "host_us_per_op" if title == "disk" else "cpu_us_per_op"
        yield Case(f"{title}, uring_raw beside io_uring", Contender("uring_raw", run("uring_raw")),
                   [Contender("io_uring", run("io_uring"))],
                   [Goal("io_uring", metric, LEVEL, True) for metric in ("ops_per_s", cpu)],
                   prepare=(lambda: warm(path, o.size)) if title == "page cache" else None)


RAW_DEPTH = 16


def served(o, engine, workload, option, clients):
    """What an engine does as a server on its CPU, its client on the other."""
    process = [IOLAB, "run", "--json", "-e", engine, "-w", workload, option, str(clients),
               "--msg-size", str(MESSAGE_BYTES), "--warmup", str(WARM_UP_S), "--runtime", str(WINDOW_S)]
    metrics = run_json(process, f"{o.cpus[0]},{o.cpus[-1]}", watch_host=False)[0]["metrics"]
    return {"ops_per_s": metrics["ops_per_s"], "cpu_us_per_op": metrics["cpu"]["us_per_op"],
            "peer_util_pct": metrics["cpu"]["peer_util_pct"]}


# An engine in its best settings, for connections that stay and for those that come and go; and beside it in others.
TUNED = "uring_tuned"
TUNED_OTHERS = (("iolab, multishot", "uring_tuned:multishot"),)
TUNED_ACCEPT = "uring_tuned:multishot+multishot_accept"
TUNED_ACCEPT_OTHERS = (("iolab, single shot", "uring_tuned"),)
EPOLL_ACCEPT_OTHERS = (("iolab, by edge", "epoll:edge"),)


def server_case(o, title, what, engine, servers, run, metric, more=()):
    """`run(engine, clients)` beside the servers that are named."""
    clients = {"echo": (1, 50, 500, 1000), "accept": (1, 10, 100)}[what]
    load = {"echo": "stay", "accept": "visit"}[what]
    for count in clients if servers else ():
        peers = [Contender(name, lambda c=command, n=count: load_of_server(o, load, c, n))
                 for name, command in servers]
        own = [Contender(name, lambda e=other, n=count: run(e, n)) for name, other in more]
        yield Case(f"{what} 128 B, {title}, {count} {'connections' if what == 'echo' else 'clients'}",
                   Contender("iolab", lambda n=count: run(engine, n)), peers + own,
                   [Goal(name, metric, LEVEL, True) for name, _ in servers])


def echo_cases(o):
    def run(engine, conns):
        return served(o, engine, "echo", "--conns", conns)

    for title, engine, servers, more in (
            ("epoll", "epoll", o.epoll_server, ()),
            ("io_uring", RING, o.io_uring_server, ((PLAIN, "io_uring"),)),
            ("uring_tuned", TUNED, o.io_uring_server, TUNED_OTHERS)):
        yield from server_case(o, title, "echo", engine, servers, run, "cpu_us_per_op", more)


def accept_cases(o):
    def run(engine, clients):
        return served(o, engine, "accept", "--clients", clients)

    for title, engine, servers, more in (
            ("epoll", "epoll", o.epoll_server, EPOLL_ACCEPT_OTHERS),
            ("uring_tuned", TUNED_ACCEPT, o.io_uring_server, TUNED_ACCEPT_OTHERS)):
        yield from server_case(o, title, "accept", engine, servers, run, "ops_per_s", more)


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
    parser = options_of_rounds(__doc__)
    parser.add_argument("--file", default=os.path.join(ROOT, "build", "peers", "test-file"),
                        help="test file, on the disk to measure")
    parser.add_argument("--size", type=int, default=1 << 30, help="size of that file, in bytes")
    parser.add_argument("--epoll-server", type=named, action="append", default=[],
                        metavar="NAME=COMMAND", help="an echo server on epoll; {port} is replaced")
    parser.add_argument("--io-uring-server", type=named, action="append", default=[],
                        metavar="NAME=COMMAND", help="one on io_uring")
    return parsed(parser)


def choose(o, stack):
    """The cases that are possible here, and a word about those that are not."""
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
    cases += [*posix_aio_cases(o, o.file, links), *null_cases(o, o.file), *raw_cases(o, o.file)]
    if len(o.cpus) < 2:
        print("skipped: echo and accept: server and client need a CPU each")
    elif not o.epoll_server and not o.io_uring_server:
        print("skipped: echo and accept against other servers: name them with --epoll-server and "
              "--io-uring-server (docs/measurement.md has the commands)")
    else:
        cases += [*echo_cases(o), *accept_cases(o)]
    return cases


def fio_version():
    return children.run(["fio", "--version"]).stdout.strip()


def main():
    o = parse()
    if not shutil.which("fio"):
        sys.exit("bench-peers: fio is missing; harness/setup.sh peers installs it")
    os.makedirs(os.path.dirname(o.file), exist_ok=True)
    measure_and_report("bench-peers", "peers", o, choose, lambda: {"fio": fio_version()})


if __name__ == "__main__":
    children.main("bench-peers", main)
