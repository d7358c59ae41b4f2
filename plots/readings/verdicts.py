# SPDX-License-Identifier: MIT
"""Does this machine show what the literature found? Answered from intervals, by a written rule.

A claim is one or more statements about ratios. A statement holds when the whole interval of its ratio
lies on the right side of a limit, fails when the whole interval lies on the other, and is open when
the limit is within. All hold: reproduced. One fails: contradicted. Otherwise: cannot tell.
"""
from dataclasses import dataclass
from typing import Callable

from readings.quantities import DASH, NO_BREAK, count, listed, rounds, span
from readings.results import BUSY_SHARE_PCT, LESS_ERROR

REPRODUCED = "reproduced here"
CONTRADICTED = "contradicted here"
CANNOT_TELL = "cannot tell here, because"
FEWEST_ROUNDS = 5  # as in the summary: with fewer, no verdict
CLOSE = 1.25  # a factor: what counts as close, where the source has no number for it


@dataclass(frozen=True)
class Statement:
    """What was looked at, in words with its numbers; `holds` is None when it stays open."""

    words: str
    holds: object


@dataclass(frozen=True)
class Claim:
    """What somebody found, and how it is judged here."""

    source: str
    found: str
    rule: str
    statements: Callable  # of a study; a list of Statement


@dataclass(frozen=True)
class Verdict:
    name: str
    because: str

    def __str__(self):
        joint = " " if self.name == CANNOT_TELL else ": "
        return f"{self.name}{joint}{self.because}"


@dataclass(frozen=True)
class Ratio:
    median: float
    low: float
    high: float
    count: object = None  # the rounds it is from, the fewer of two; None where that is not told

    def words(self, number):
        return f"{number:g}"

    def __str__(self):
        words = f"{count(self.median)}{NO_BREAK}×"
        return words if self.low == self.high else (
            f"{words} ({count(self.low)}{DASH}{count(self.high)})")


@dataclass(frozen=True)
class Measured:
    """An estimate that is judged by itself, not against another; None where there is none."""

    median: float
    low: float
    high: float
    words: Callable  # a number of its kind as text
    count: object = None

    def __str__(self):
        return f"{self.words(self.median)} ({span(self.low, self.high, self.words)})"


def measured(entry, as_text):
    """Of an estimate in a document: an object with median, low and high, or None."""
    return entry and Measured(entry["median"], entry["low"], entry["high"], as_text,
                             entry.get("count"))


def ratio(a, b):
    """Of two estimates from different rounds: from the least to the greatest that their intervals
    allow, so wider than a ratio of paired rounds. None when one of them is missing."""
    if not a or not b or b.low <= 0:
        return None
    counts = [e.count for e in (a, b) if e.count is not None]
    return Ratio(a.median / b.median, a.low / b.high, a.high / b.low, min(counts, default=None))


def inverse(value):
    """The ratio the other way round: of times, where that of rates is known."""
    if value is None or value.low <= 0:
        return None
    return Ratio(1 / value.median, 1 / value.high, 1 / value.low, value.count)


def open_statement(words):
    return Statement(words, None)


def unknown(what, value):
    """The statement on a value from which nothing can be told; None where something can."""
    if value is None:
        return open_statement(f"{what} was not measured")
    if value.count is not None and value.count < FEWEST_ROUNDS:
        return open_statement(f"{what} is {value}, from {rounds(value.count)} only")
    return None


def at_least(what, value, limit, absent):
    """An effect that a source puts a number to: it holds above `limit`, which is that number with its
    tolerance, and fails at `absent` or below, where there is none. Between them it is there, and weaker
    than that."""
    if nothing := unknown(what, value):
        return nothing
    if value.low > limit or value.high <= absent:
        return above(what, value, limit)
    over = [end for end in (absent, limit) if value.low <= end < value.high]
    words = reaches_over(value, over) if over else (
        f"above {value.words(absent)}, and weaker than the {value.words(limit)} that count as found")
    return open_statement(f"{what} is {value}, {words}")


def at_most(what, value, limit, absent):
    """As at_least(), of something that is small where the effect is there."""
    if nothing := unknown(what, value):
        return nothing
    if value.high < limit or value.low >= absent:
        return below(what, value, limit)
    over = [end for end in (limit, absent) if value.low < end <= value.high]
    words = reaches_over(value, over) if over else (
        f"below {value.words(absent)}, and not the {value.words(limit)} that count as found")
    return open_statement(f"{what} is {value}, {words}")


def reaches_over(value, ends):
    return f"and its interval reaches over {listed(map(value.words, ends))}"


def growth(more, less):
    """What one estimate has more than another, from the least to the greatest that their intervals
    allow; None when one of them is missing."""
    if not more or not less:
        return None
    counts = [e.count for e in (more, less) if e.count is not None]
    return Ratio(more.median - less.median, more.low - less.high, more.high - less.low,
                 min(counts, default=None))


def above(what, value, limit):
    if nothing := unknown(what, value):
        return nothing
    holds = True if value.low > limit else False if value.high <= limit else None
    words = value.words(limit)
    return Statement(f"{what} is {value}, {said(holds, f'above {words}', f'not above {words}')}",
                     holds)


def below(what, value, limit):
    if nothing := unknown(what, value):
        return nothing
    holds = True if value.high < limit else False if value.low >= limit else None
    words = value.words(limit)
    return Statement(f"{what} is {value}, {said(holds, f'below {words}', f'not below {words}')}",
                     holds)


def within(what, value, factor, around=1):
    """Between around / factor and around × factor."""
    if nothing := unknown(what, value):
        return nothing
    least, most = around / factor, around * factor
    holds = (True if value.low > least and value.high < most else
             False if value.low >= most or value.high <= least else None)
    span = f"{least:.2g}{DASH}{most:.3g}"
    return Statement(f"{what} is {value}, {said(holds, f'within {span}', f'outside {span}')}", holds)


def said(holds, yes, no):
    limit = yes.split(" ", 1)[1]
    return yes if holds else no if holds is False else f"and its interval reaches over {limit}"


def judge(claim, study):
    """`study`: whatever the claim's statements are taken from. Its rounds are None where there are
    none to count. Beside too much that others did on the machine nothing is concluded."""
    load = getattr(study, "load", None)
    if load and load.too_much:
        return Verdict(CANNOT_TELL, f"other programs used {load.share_pct:.0f} % of the CPUs before it, "
                       f"and from {BUSY_SHARE_PCT} % on, {LESS_ERROR}, nothing is concluded")
    if study.rounds is not None and study.rounds < FEWEST_ROUNDS:
        there = f"{'was' if study.rounds == 1 else 'were'} {rounds(study.rounds)}"
        return Verdict(CANNOT_TELL, f"there {there} only, and an interval over fewer than "
                       f"{FEWEST_ROUNDS} is worth too little")
    statements = claim.statements(study)
    failed = [s.words for s in statements if s.holds is False]
    left_open = [s.words for s in statements if s.holds is None]
    if failed:
        return Verdict(CONTRADICTED, "; ".join(failed))
    if left_open or not statements:
        return Verdict(CANNOT_TELL, "; ".join(left_open) or "nothing was measured")
    return Verdict(REPRODUCED, "; ".join(s.words for s in statements))
