# SPDX-License-Identifier: MIT
"""Where the CPU time of a comparison went: of the process, elsewhere, on each CPU. So that an engine
cannot hide its work in the kernel."""
from drawing import words
from pages.nodes import Cell, Group, Label, Paragraph, Part, Section, Soft, Strong, Table
from readings.quantities import percent, span

TITLE = "Where the CPU time went"
CPUS_SHOWN = 8  # columns; a machine with more has the busiest ones named
OTHER, ABOVE_IDLE, ERROR = "cpu.other_util_pct", "cpu.other_above_idle_pct", "cpu.host_error_pct"
PROCESS = (("user", "cpu.user_pct"), ("system", "cpu.system_pct"))
PEER = "cpu.peer_util_pct"

EXPLAINED = (
    "In percent of one CPU, medians over the rounds with their intervals. User and system time "
    "belong to the process with all its threads, io-wq’s and SQPOLL’s included. Their sum is exact to "
    "some µs, and the split between them to a timer tick of 1 to 10 ms. Elsewhere is the machine without "
    "the process{peer}: kworkers, softirq and other programs, which /proc/stat does not tell apart. "
    "{idle} Elsewhere and each CPU are good to the error beside them (two ticks of 10 ms a window, three where a hypervisor takes time). "
    "Within that error they can fall below 0.{loopback}")
LOOPBACK = (" What cannot be separated: on loopback the kernel does part of the receiver’s work in the "
            "sender’s context, so the server’s time holds some of its client’s, and the other way round.")


def cell(estimate, rounds):
    if estimate is None:
        return Cell(None)
    return Cell(Strong(percent(estimate.median)),
                (Soft(span(estimate.low, estimate.high, percent)),) if rounds > 1 else ())


def busiest_words(estimates):
    """CPU 3: 97 %, CPU 0: 12 %; the others are below."""
    known = sorted(((e.median, cpu) for cpu, e in enumerate(estimates) if e), reverse=True)
    return ", ".join(f"CPU {cpu}: {percent(busy)}" for busy, cpu in known[:CPUS_SHOWN // 2])


def row(configuration, has_peer, cpus):
    c = configuration
    error = c.metric(ERROR)
    cells = [cell(c.metric(key), c.rounds) for _, key in PROCESS]
    if has_peer:
        cells.append(cell(c.metric(PEER), c.rounds))
    cells += [cell(c.metric(OTHER), c.rounds), cell(c.metric(ABOVE_IDLE), c.rounds),
              Cell(f"±{percent(error.median)}" if error else None)]
    if cpus > CPUS_SHOWN:
        return [Label(c.label), *cells, Cell(busiest_words(c.per_cpu_pct) or None)]
    each = list(c.per_cpu_pct) + [None] * (cpus - len(c.per_cpu_pct))
    return [Label(c.label), *cells, *[cell(estimate, c.rounds) for estimate in each]]


def idle_row(idle, has_peer, cpus):
    """What the host did before, with nothing of ours running."""
    def plain(busy_pct):
        return Cell(None if busy_pct is None else percent(busy_pct))

    each = idle["per_cpu_pct"]
    cells = [Cell(None)] * (len(PROCESS) + has_peer) + [
        plain(idle["busy_pct"]), Cell(None), Cell(f"±{percent(idle['error_pct'])}")]
    if cpus > CPUS_SHOWN:
        return ["nothing of ours", *cells, Cell(None)]
    return ["nothing of ours", *cells, *[plain(busy_pct) for busy_pct in (each + [None] * cpus)[:cpus]]]


def section(summary, panel):
    """None where nobody counted: of imported runs, or without /proc/stat."""
    known = [c for c in panel.configurations if c.ok and (c.metric(OTHER) or c.metric(PROCESS[0][1]))]
    if not known:
        return None
    has_peer = any(c.metric(PEER) for c in known)
    cpus = max(len(c.per_cpu_pct) for c in known)
    each = [f"CPU {cpu}" for cpu in range(cpus)] if cpus <= CPUS_SHOWN else ["the busiest"]
    parts = [Part("This process", [words for words, _ in PROCESS]),
             *([Part("Its peer", ["all"])] if has_peer else []),
             Part("Elsewhere", ["all", "above idle", "error"]),
             *([Part("Each CPU", each)] if cpus else [])]
    groups = [Group(words.x_words(panel, [x]), [row(c, has_peer, cpus) for c in known if c.x == x])
              for x in panel.xs if any(c.x == x for c in known)]
    idle = summary.idle_baseline
    if idle:
        groups.insert(0, Group("the idle host, before", [idle_row(idle, has_peer, cpus)]))
    idle_words = (f"Above idle is what exceeds the {idle['busy_pct']:.3g} % "
                  f"(±{idle['error_pct']:.2g} %, which adds to the error) that the idle host used before." if idle else
                  "Above idle is not known: the idle host was not measured.")
    return Section(TITLE, [
        Paragraph(EXPLAINED.format(peer=" and its peer" if has_peer else "", idle=idle_words,
                                   loopback=LOOPBACK if has_peer else "")),
        Table(f"{TITLE}, in percent of one CPU: {panel.name}.", "engine", parts, groups, "numbers")])
