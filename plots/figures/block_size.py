# SPDX-License-Identifier: MIT
"""CPU time for a byte against the block size."""
from drawing import series
from drawing.figure import StudyFigure
from readings import studies, verdicts
from readings.quantities import count, duration, size, span

SIZES = ("4k", "16k", "64k", "256k", "1M")
BYTES = (4096, 16384, 65536, 262144, 1048576)
KEY = "cpu.us_per_op"
SWITCHES = "context_switches_per_op"
SMALL, LARGE, LARGEST = SIZES[0], SIZES[3], SIZES[-1]
DEARER = 2  # a byte in small blocks over one in large ones, a limit of ours
TAKEN_OVER = 1  # more switches of threads: a worker costs at least one, to it


def words(block):
    return size(BYTES[SIZES.index(block)])


def per_4k(found, block, label):
    """ns of CPU for 4 KiB"""
    blocks = BYTES[SIZES.index(block)] / 4096
    return studies.scaled(found.metric(f"block_size_{block}", label, KEY), 1e3 / blocks)


def statements(found):
    return [verdicts.above(f"io_uring's CPU time for a byte in blocks of {words(SMALL)} over that in "
                           f"{words(LARGE)}",
                           verdicts.ratio(per_4k(found, SMALL, "io_uring"),
                                          per_4k(found, LARGE, "io_uring")), DEARER),
            taken_over(found)]


def by_workers(found, block):
    """Does io_uring switch threads more often than libaio, by what a worker costs? None while the
    intervals leave that open, or without them."""
    ring, other = (found.metric(f"block_size_{block}", label, SWITCHES)
                   for label in ("io_uring", "libaio"))
    if not ring or not other:
        return None
    return (True if ring.low > other.high + TAKEN_OVER else
            False if ring.high < other.low + TAKEN_OVER else None)


TAKEN_OVER_WORDS = {True: ("taken_over", "workers take over"),
                    False: ("not_taken_over", "no worker takes over"),
                    None: ("taking_over_open", "whether workers take over stays open")}


def taken_over(found):
    holds = by_workers(found, LARGEST)
    id_, said = TAKEN_OVER_WORDS[holds]
    ring, other = (found.metric(f"block_size_{LARGEST}", label, SWITCHES)
                   for label in ("io_uring", "libaio"))
    nothing = (verdicts.unknown(f"io_uring's context switches at {words(LARGEST)}", ring) or
               verdicts.unknown(f"libaio's context switches at {words(LARGEST)}", other))
    return nothing or verdicts.Statement(
        id_, holds, {"ring": span(ring.low, ring.high, count), "other": span(other.low, other.high, count)},
        f"at {words(LARGEST)} {said}: io_uring switches threads {{ring}} times an operation, libaio "
        "{other} times")


def place(page, found):
    labels = found.panel(f"block_size_{SIZES[0]}").labels
    shown = {label: [(n, per_4k(found, block, label)) for block, n in zip(SIZES, BYTES)]
             for label in labels}
    names = dict(zip(BYTES, SIZES))
    series.lines(page, shown, "block size", "CPU time for 4 KiB", duration,
                 lambda value, _: names.get(round(value), ""))
    taken = [block for block in SIZES if by_workers(found, block)]
    page.note("", f"io-wq takes over at {', '.join(taken)}." if taken else
              "io-wq takes over at none of these sizes here.")


FIGURE = StudyFigure(
    name="block_size",
    title="Block size: CPU time for a byte",
    subtitle="Random reads, O_DIRECT, four in flight: CPU time of the process",
    caption="CPU time of the process for 4 KiB of data, and context switches for an operation, against the size "
            "of a block.",
    reading="In a larger block more bytes share the cost of a call. Context switches show where threads take "
            "over: io_uring hands what it cannot issue at once to a worker, io-wq. All marks between two of the "
            "light bands belong to the size below them. They stand side by side so that each can be seen.",
    comparisons=tuple(f"block_size_{block}" for block in SIZES),
    place=place,
    claim=verdicts.Claim(
        "Jasny et al., PVLDB 19, 2026, block size against cycles for a byte",
        "the cost of a call is spread over the bytes of a block, until at 1 MiB io-wq workers take over",
        f"reproduced when a byte costs more than {DEARER} × as much CPU in blocks of {words(SMALL)} as in "
        f"blocks of {words(LARGE)} (a limit of ours, as we have no number of the source’s), and at "
        f"{words(LARGEST)} io_uring switches threads at least once more for an operation than libaio",
        statements))
