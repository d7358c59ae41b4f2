#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares the event loop of lab 11 with libuv, libev and libevent, and with iolab's own driver.

Timers that are started and stopped, timers that expire, an echo server, memory of idle connections,
and what the loop adds to an operation; and the switch of coroutines beside others' switches. Interleaved rounds in random order; docs/measurement.md says
how to read the result.
"""
import os

from contenders import ROOT, children, iolab, load_of_server, run_json
from contest import LEVEL, Case, Contender, Goal, measure_and_report, options_of_rounds, order_interval, parsed

FOLDER = os.path.join(ROOT, "build", "peers", "loops")
OURS = "event_loop"
PEERS = ("libuv", "libev", "libevent")
ENGINES = ("epoll", "io_uring:defer_taskrun")
DRIVER = "iolab run"
SWITCH_COST = os.path.join(ROOT, "build", "peers", "switch_cost")
MINICORO = os.path.join(ROOT, "build", "peers", "minicoro.h")
SWITCH_TITLE = "a coroutine resumed and suspended"
LOOP_ADDS_NS = 30  # to an operation, at most


def program(name):
    return os.path.join(FOLDER, name)


def is_built(name):
    return os.path.exists(program(name))


def call(o, name, *words):
    return run_json([program(name), *map(str, words)], o.cpu, watch_host=False)[0]


def timer_cases(o, peers):
    for what, title in (("stop", "started and stopped"), ("expire", "that expire")):
        yield Case(f"{o.timers} timers {title}",
                   Contender("iolab's loop", lambda w=what: call(o, OURS, w, o.timers)),
                   [Contender(peer, lambda w=what, p=peer: call(o, p, w, o.timers)) for peer in peers],
                   [Goal(peer, "ops_per_s", LEVEL, True) for peer in peers])


def echo_cases(o, peers):
    def of(name, conns, *more):
        return load_of_server(o, "stay", " ".join([program(name), "echo", "{port}", str(conns + 1), "128", *more]),
                                    conns)

    for conns in (1, 50, 500, 1000):
        others = [Contender(f"iolab's loop, {engine}", lambda e=engine, n=conns: of(OURS, n, e))
                  for engine in ENGINES[1:]]
        yield Case(f"echo 128 B through a loop, {conns} connections",
                   Contender("iolab's loop, epoll", lambda n=conns: of(OURS, n, ENGINES[0])),
                   [*(Contender(peer, lambda p=peer, n=conns: of(p, n)) for peer in peers), *others],
                   [Goal(peer, "cpu_us_per_op", LEVEL, True) for peer in peers])


def no_op_case(o):
    """The loop calls back for each; the driver takes the time of each."""
    driver = Contender(DRIVER, lambda: iolab(o.cpu, ["-e", "null", "-w", "nop", "--depth", 32],
                                                   watch_host=False))
    return Case("no-ops over null, depth 32",
                Contender("iolab's loop", lambda: call(o, OURS, "no-ops", o.timers * 10, "null")), [driver], [])


def switch_case(o):
    """A coroutine is resumed and suspends itself: swapcontext(3) makes two system calls for that."""
    def of(mechanism, pairs):
        return run_json([SWITCH_COST, mechanism, str(pairs)], o.cpu, watch_host=False)[0]

    peers = [Contender("swapcontext", lambda: of("swapcontext", o.timers))]
    if os.path.exists(MINICORO):
        peers.append(Contender("minicoro", lambda: of("minicoro", o.timers * 10)))
    else:
        print("skipped: minicoro: make fetch-minicoro gets it")
    return Case(SWITCH_TITLE, Contender("iolab's switch", lambda: of("ours", o.timers * 10)),
                peers, [Goal(peer.name, "ops_per_s", LEVEL, True) for peer in peers])


def print_switches(cases):
    """A table in microseconds with two decimals does not show them."""
    for case in cases:
        if case.title != SWITCH_TITLE:
            continue
        print(f"\n{SWITCH_TITLE.capitalize()}, ns of CPU")
        for contender in case.contenders:
            values = [1e3 * value for value in contender.column("cpu_us_per_op") if value]
            if values:
                median, low, high = order_interval(values)
                print(f"  {contender.name:22}{median:9.1f}   {low:.1f} to {high:.1f}")


def choose(o, _):
    peers = [peer for peer in PEERS if is_built(peer)]
    for peer in PEERS:
        if peer not in peers:
            print(f"skipped: {peer}: its header or its library is missing; harness/setup.sh peers installs them")
    cases = [no_op_case(o), switch_case(o), *timer_cases(o, peers)]
    if len(o.cpus) < 2:
        print("skipped: echo: server and client need a CPU each")
        return cases
    return [*cases, *echo_cases(o, peers)]


def print_memory(o):
    """The same in every run, so once is enough."""
    print(f"\nMemory of an idle connection, of {o.conns}, in bytes\n"
          f"  {'':22}{'loop and program':>18}{'buffer':>9}")
    for name in (OURS, *filter(is_built, PEERS)):
        value = call(o, name, "idle", o.conns)
        print(f"  {name:22}{value['bytes_per_conn']:18.0f}{value['buffer_bytes_per_conn']:9}")


def print_added(cases):
    """What the loop adds to an operation, round by round."""
    for case in cases:
        driver = next((peer for peer in case.peers if peer.name == DRIVER), None)
        if not driver:
            continue
        added = [1e3 * (ours - bare) for ours, bare in zip(case.ours.column("cpu_us_per_op"),
                                                           driver.column("cpu_us_per_op")) if ours and bare]
        if added:
            median, low, high = order_interval(added)
            said = "reached" if median <= LOOP_ADDS_NS else "NOT REACHED"
            print(f"\nAn operation through the loop costs {median:+.1f} ns ({low:.1f} to {high:.1f}) beside the "
                  f"driver's. At most {LOOP_ADDS_NS}: {said}")


def main():
    parser = options_of_rounds(__doc__)
    parser.add_argument("--timers", type=int, default=10 ** 6, help="how many (default: 1000000)")
    parser.add_argument("--conns", type=int, default=1000, help="idle connections (default: 1000)")
    o = parsed(parser)

    def also(cases):
        print_added(cases)
        print_switches(cases)
        print_memory(o)

    measure_and_report("bench-loops", "loops", o, choose, dict, also)


if __name__ == "__main__":
    children.main("bench-loops", main)
