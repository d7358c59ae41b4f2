# SPDX-License-Identifier: MIT
"""CPU time for a byte against the block size."""
from drawing import sheet, study
from readings import verdicts
from readings.quantities import count, duration, size, span

NAME = "block_size"
TITLE = "Block size: CPU time for a byte"
READING = ("Random reads, O_DIRECT, four in flight; CPU of the process. Marks between two light bands are "
           "of one size")
CAPTION = ("CPU time of the process for 4 KiB of data, against the size of a block. What a call costs "
           "is shared by more bytes in a larger block. Marks between two of the light bands are of one "
           "size, the one below them, and stand side by side only to be seen. Context switches tell where "
           "threads take over: io_uring hands what it cannot issue at once to a worker, io-wq.")
SIZES = ("4k", "16k", "64k", "256k", "1M")
COMPARISONS = tuple(f"block_size_{size}" for size in SIZES)
BYTES = (4096, 16384, 65536, 262144, 1048576)
KEY = "cpu.us_per_op"
SWITCHES = "context_switches_per_op"
SMALL, LARGE, LARGEST = SIZES[0], SIZES[3], SIZES[-1]
DEARER = 2  # a byte in small blocks over one in large ones, a limit of ours
TAKEN_OVER = 1  # switches of threads more: a worker costs at least one, to it


def words(block):
    return size(BYTES[SIZES.index(block)])


def per_4k(found, size, label):
    """ns of CPU for 4 KiB"""
    blocks = BYTES[SIZES.index(size)] / 4096
    return study.scaled(found.metric(f"block_size_{size}", label, KEY), 1e3 / blocks)


def statements(found):
    return [verdicts.above(f"io_uring's CPU time for a byte in blocks of {words(SMALL)} over that in "
                           f"{words(LARGE)}",
                           verdicts.ratio(per_4k(found, SMALL, "io_uring"),
                                          per_4k(found, LARGE, "io_uring")), DEARER),
            taken_over(found)]


def by_workers(found, size):
    """Does io_uring switch threads so much more than libaio for an operation? None while the intervals
    leave that open, or without them."""
    ring, other = (found.metric(f"block_size_{size}", label, SWITCHES)
                   for label in ("io_uring", "libaio"))
    if not ring or not other:
        return None
    return (True if ring.low > other.high + TAKEN_OVER else
            False if ring.high < other.low + TAKEN_OVER else None)


def taken_over(found):
    holds = by_workers(found, LARGEST)
    said = {True: "workers take over", False: "no worker takes over"}.get(
        holds, "whether workers take over stays open")
    ring, other = (found.metric(f"block_size_{LARGEST}", label, SWITCHES)
                   for label in ("io_uring", "libaio"))
    nothing = (verdicts.unknown(f"io_uring's context switches at {words(LARGEST)}", ring) or
               verdicts.unknown(f"libaio's context switches at {words(LARGEST)}", other))
    return nothing or verdicts.Statement(
        f"at {words(LARGEST)} {said}: io_uring switches threads {span(ring.low, ring.high, count)} times "
        f"an operation, libaio {span(other.low, other.high, count)} times", holds)


CLAIM = verdicts.Claim(
    "Jasny et al., PVLDB 19, 2026, block size against cycles for a byte",
    "the cost of a call is spread over the bytes of a block, until at 1 MiB io-wq workers take over",
    f"reproduced when a byte costs more than {DEARER} × as much CPU in blocks of {words(SMALL)} as in blocks "
    f"of {words(LARGE)} (a limit of ours, as we have no number of the source’s), and at {words(LARGEST)} "
    "io_uring switches threads at least once more for an operation than libaio",
    statements)


def load(folder):
    return study.load(folder, COMPARISONS)


def draw(found, width_in=sheet.WIDE_IN, bare=False):
    labels = found.panel(COMPARISONS[0]).labels

    def place(page):
        series = {label: [(n, per_4k(found, size, label)) for size, n in zip(SIZES, BYTES)]
                  for label in labels}
        names = dict(zip(BYTES, SIZES))
        study.lines(page, series, "block size", "CPU time for 4 KiB", duration,
                    lambda value, _: names.get(round(value), ""))
        taken = [size for size in SIZES if by_workers(found, size)]
        page.note("", f"io-wq takes over at {', '.join(taken)}." if taken else
                  "io-wq takes over at none of these sizes here.")

    return study.compose(TITLE, READING, CLAIM, found, place, width_in, bare)


def alt_text(found):
    return study.alt_text(TITLE, CLAIM, found)
