# SPDX-License-Identifier: MIT
"""The programs that are held against each other, each pinned to a CPU: how one is run, and what it says."""
import contextlib
import json
import os
import shlex
import socket
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "harness", "processes"), os.path.join(ROOT, "plots")]
import children  # noqa: E402

IOLAB = os.path.join(ROOT, "build", "iolab")
SERVER_LOAD = os.path.join(ROOT, "build", "peers", "server_load")

WARM_UP_S = 0.5
WINDOW_S = 1.5
PORTS_TRIED = 3
MESSAGE_BYTES = 128  # of the servers' loads
# From when to when the whole system's CPU time is read, after a process began: by then all have
# warmed up, and none has ended (run_json makes sure of that). Only where nobody reads a file into
# the page cache first, which takes a part of that time.
HOST_FROM_S = 1.0
HOST_TO_S = 1.8
ATTEMPTS = 5  # to have the file in the page cache
RESIDENT = 0.999  # of it must be there


class BenchError(Exception):
    """Cannot go on; the text says why."""


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


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listens(process, port):
    until = time.monotonic() + 5
    while process.poll() is None and time.monotonic() < until:
        with contextlib.suppress(ConnectionRefusedError), socket.socket() as probe:
            probe.connect(("127.0.0.1", port))
            return True
        time.sleep(0.01)
    return False


@contextlib.contextmanager
def server(command, cpu):
    """Somebody else's echo server, listening on a port of its own. A connection of another program may take
    the port before the server does: then it gets another."""
    for _ in range(PORTS_TRIED):
        port = free_port()
        words = [word.replace("{port}", str(port)) for word in shlex.split(command)]
        with children.child(["taskset", "-c", str(cpu), *words], stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL) as process:
            try:
                if listens(process, port):
                    yield port, process.pid
                    return
            finally:
                process.kill()
                process.wait()
    raise BenchError(f"{command}: does not listen on port {port}")


def load_of_server(o, what, command, clients):
    """What somebody else's server does with the load that iolab's engines meet: with clients that stay, or
    that visit it for one message."""
    server_cpu, client_cpu = o.cpus[0], o.cpus[-1]

    def measure(load):
        with server(command, server_cpu) as (port, pid):
            words = (SERVER_LOAD, load, port, pid, clients, MESSAGE_BYTES, WARM_UP_S, WINDOW_S, client_cpu)
            return run_json([*map(str, words)], client_cpu, watch_host=False)[0]

    try:
        return measure(what)
    except BenchError as error:
        if what != "stay" or "differs" not in str(error):
            raise
        wrong = str(error)
    # A server that returns wrong bytes still shows what its system calls cost; but it is said.
    return {**measure("stay-unchecked"), "failures": [wrong]}


def environment():
    """Where this was measured, as iolab tells it."""
    done = children.run([IOLAB, "run", "-e", "null", "-w", "nop", "--runtime", "0.01", "--json"])
    done.check_returncode()
    return json.loads(done.stdout)["env"]
