# SPDX-License-Identifier: MIT
"""Does this machine show what the literature found? Answered from intervals, by a written rule.

A claim is one or more statements about measured values. A statement holds when the whole interval
lies on the right side of a limit, fails when the whole interval lies on the other side, and stays
open when the limit is within. All hold: reproduced. One fails: contradicted. Otherwise: cannot tell.

Verdicts and statements are identifiers with values; drawing/verdict_words.py makes sentences of them.
"""
from dataclasses import dataclass, field
from typing import Callable

from readings.foreign_load import BUSY_SHARE_PCT

REPRODUCED, CONTRADICTED, CANNOT_TELL = "reproduced", "contradicted", "cannot_tell"
FEWEST_ROUNDS = 5  # as in the summary: with fewer, no verdict
CLOSE = 1.25  # a factor: what counts as close, where the source has no number for it


@dataclass(frozen=True)
class Statement:
    """What was found of one value. `holds` is None when that stays open."""

    id: str
    holds: object
    values: dict = field(default_factory=dict)
    text: str = ""  # with {names} of the values; empty where verdict_words.py has it


@dataclass(frozen=True)
class Claim:
    """What somebody found, and how it is judged here."""

    source: str
    found: str
    rule: str
    statements: Callable  # of what the figure is drawn from; a list of Statement


@dataclass(frozen=True)
class Verdict:
    id: str
    because: list  # of Statement


@dataclass(frozen=True)
class Quotient:
    """One measured value divided by another."""

    median: float
    low: float
    high: float
    count: object = None  # of the rounds, the fewer of two; None where that is not told


@dataclass(frozen=True)
class Measured:
    """An estimate that is judged alone, not against another."""

    median: float
    low: float
    high: float
    as_text: Callable  # how a number of its kind is written
    count: object = None


def measured(entry, as_text):
    """Of an estimate in a document: an object with median, low and high, or None."""
    return entry and Measured(entry["median"], entry["low"], entry["high"], as_text,
                              entry.get("count"))


def _fewer(a, b):
    return min((e.count for e in (a, b) if e.count is not None), default=None)


def _is_above_0(value):
    """All of it. A file may have a median below the interval's lower end."""
    return min(value.median, value.low, value.high) > 0


def ratio(a, b):
    """Of two estimates from different rounds: from the least to the greatest that their intervals
    allow, so wider than a ratio of paired rounds. None when one of them is missing."""
    if not a or not b or not _is_above_0(b):
        return None
    return Quotient(a.median / b.median, a.low / b.high, a.high / b.low, _fewer(a, b))


def inverse(value):
    """The inverse ratio: of times, from the ratio of rates."""
    if value is None or not _is_above_0(value):
        return None
    return Quotient(1 / value.median, 1 / value.high, 1 / value.low, value.count)


def growth(more, less):
    """What one estimate has more than another, from the least to the greatest that their intervals
    allow; None when one of them is missing."""
    if not more or not less:
        return None
    return Quotient(more.median - less.median, more.low - less.high, more.high - less.low,
                    _fewer(more, less))


def left_open(id_, text, **values):
    return Statement(id_, None, values, text)


def unknown(what, value):
    """The statement on a value that shows nothing; None where it may show something."""
    if value is None:
        return Statement("not_measured", None, {"what": what})
    if value.count is not None and value.count < FEWEST_ROUNDS:
        return Statement("few_rounds", None, {"what": what, "value": value, "rounds": value.count})
    return None


def _stated(id_, holds, what, value, **limits):
    return Statement(id_, holds, {"what": what, "value": value, **limits})


def above(what, value, limit):
    if nothing := unknown(what, value):
        return nothing
    if value.low > limit:
        return _stated("above", True, what, value, limit=limit)
    if value.high <= limit:
        return _stated("not_above", False, what, value, limit=limit)
    return _stated("reaches_over", None, what, value, limits=(limit,))


def below(what, value, limit):
    if nothing := unknown(what, value):
        return nothing
    if value.high < limit:
        return _stated("below", True, what, value, limit=limit)
    if value.low >= limit:
        return _stated("not_below", False, what, value, limit=limit)
    return _stated("reaches_over", None, what, value, limits=(limit,))


def at_least(what, value, limit, absent):
    """An effect for which a source has a number: it holds above `limit`, which is that number with its
    tolerance, and fails at `absent` or below, where there is no effect. Between them it is weaker."""
    if nothing := unknown(what, value):
        return nothing
    if value.low > limit or value.high <= absent:
        return above(what, value, limit)
    over = tuple(end for end in (absent, limit) if value.low <= end < value.high)
    if over:
        return _stated("reaches_over", None, what, value, limits=over)
    return _stated("weaker_above", None, what, value, absent=absent, limit=limit)


def at_most(what, value, limit, absent):
    """As at_least(), of something that is small where the effect is there."""
    if nothing := unknown(what, value):
        return nothing
    if value.high < limit or value.low >= absent:
        return below(what, value, limit)
    over = tuple(end for end in (limit, absent) if value.low < end <= value.high)
    if over:
        return _stated("reaches_over", None, what, value, limits=over)
    return _stated("weaker_below", None, what, value, absent=absent, limit=limit)


def within(what, value, factor, around=1):
    """Between around / factor and around × factor."""
    if nothing := unknown(what, value):
        return nothing
    least, most = around / factor, around * factor
    if value.low > least and value.high < most:
        return _stated("within", True, what, value, least=least, most=most)
    if value.low >= most or value.high <= least:
        return _stated("outside", False, what, value, least=least, most=most)
    return _stated("reaches_out", None, what, value, least=least, most=most)


def judge(claim, found):
    """`found`: whatever the claim's statements are taken from. Its rounds are None where there are
    none to count. When other programs used too much of the machine, nothing is concluded."""
    load = getattr(found, "load", None)
    if load and load.too_much:
        return Verdict(CANNOT_TELL, [Statement("foreign_load", None, {
            "share_pct": load.share_pct, "limit_pct": BUSY_SHARE_PCT})])
    if found.rounds is not None and found.rounds < FEWEST_ROUNDS:
        return Verdict(CANNOT_TELL, [Statement("few_rounds_in_all", None, {"rounds": found.rounds})])
    statements = claim.statements(found)
    failed = [s for s in statements if s.holds is False]
    unsettled = [s for s in statements if s.holds is None]
    if failed:
        return Verdict(CONTRADICTED, failed)
    if unsettled or not statements:
        return Verdict(CANNOT_TELL, unsettled or [Statement("nothing_measured", None)])
    return Verdict(REPRODUCED, statements)
