# SPDX-License-Identifier: MIT
"""Medians over the rounds and ratios to the baseline, as summary.json has them."""
from dataclasses import dataclass

from readings import shape

NONE, LOWER, HIGHER = "none", "lower", "higher"  # what a ratio shows

ESTIMATE = shape.maybe(shape.record({
    "median": shape.maybe(shape.number), "low": shape.maybe(shape.number),
    "high": shape.maybe(shape.number), "min": shape.maybe(shape.number),
    "max": shape.maybe(shape.number), "count": shape.maybe(shape.count)}))
WHOLE_ESTIMATE = shape.record({
    "median": shape.number, "low": shape.number, "high": shape.number,
    "count": shape.maybe(shape.count)})
RATIO = shape.maybe(shape.record({
    "mean": shape.finite, "low": shape.finite, "high": shape.finite, "verdict": shape.text,
    "verdict_together": shape.maybe(shape.text), "count": shape.maybe(shape.count)}))


@dataclass(frozen=True)
class Estimate:
    """A median over the rounds and its interval."""

    median: float
    low: float
    high: float
    count: object = None  # of the rounds that it comes from; None where that is not told
    error: float = 0  # how far each round's own value may be off, on both sides
    max: object = None  # the worst round; None where that is not told


@dataclass(frozen=True)
class Ratio:
    """A geometric mean of the rounds' ratios, its interval, and what follows from it."""

    mean: float
    low: float
    high: float
    verdict: str  # NONE, LOWER, HIGHER
    count: object = None
    together: object = None  # the verdict beside all other ratios of its metric; None where that is not told


def estimate(entry):
    """Of checked JSON; None where there is no median."""
    if not entry or entry.get("median") is None:
        return None
    median, low, high = entry["median"], entry.get("low"), entry.get("high")
    return Estimate(median, median if low is None else low, median if high is None else high,
                    entry.get("count"), max=entry.get("max"))


def ratio(entry):
    return entry and Ratio(entry["mean"], entry["low"], entry["high"], entry["verdict"], entry.get("count"),
                           entry.get("verdict_together"))
