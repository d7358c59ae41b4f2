# SPDX-License-Identifier: MIT
"""Numbers of a document that contradict each other. What measured them cannot disagree with itself; a damaged file
can, and a figure would divide by it, or take its logarithm.

check() knows what every document has in common, and check_summary() a comparison.
"""
import datetime

from readings.shape import Misshapen

# Least first. Of any object those that it has lie in this order.
ORDERED = (("p50", "p90", "p99", "p99_9"), ("p10", "median", "p90"), ("min", "median", "max"), ("min", "max"),
           ("low", "high"))
QUANTILES = ("p50", "p90", "p99", "p99_9")
VERDICT_ROUNDS = 5  # with fewer a verdict may be left out: harness/summary/summary.h
ROUNDED = 1e-6  # numbers are written with nine digits
# CPU time is brought up to date at each clock tick, so a short window shows more than there is.
CPU_SLACK = 2
PIECES = 0.05  # of what was moved: pieces that were under way at a window's edges
PIECES_MOST = 1000  # operations a second, where few were finished


def _number(entry, key):
    value = entry.get(key)
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _at(place, words):
    return Misshapen(f"{place or 'it'}: {words}")


def _check_order(entry, place):
    for keys in ORDERED:
        told = [(key, _number(entry, key)) for key in keys if _number(entry, key) is not None]
        for (lower, less), (upper, more) in zip(told, told[1:]):
            if less > more + ROUNDED * abs(more):
                raise _at(place, f"its {lower} {less:g} is more than its {upper} {more:g}")


def _check_interval(entry, place):
    """It is around the mean where there is one, else around the median; the median of skewed values may lie outside
    of their mean's interval."""
    low, median, high, mean = (_number(entry, key) for key in ("low", "median", "high", "mean"))
    name, centre = ("median", median) if mean is None else ("mean", mean)
    if None not in (low, centre, high) and not low <= centre <= high:
        raise _at(place, f"the {name} {centre:g} is not within its interval, {low:g} to {high:g}")
    if None not in (low, median) and median <= 0 < low:
        raise _at(place, f"all of the interval is above 0, and the median is {median:g}")


def _check_values(entry, place):
    """An estimate's rounds: as many as it says, between its extremes."""
    least, most, count, values = (entry.get(key) for key in ("min", "max", "count", "values"))
    if not isinstance(values, list) or None in (_number(entry, "min"), _number(entry, "max"), _number(entry, "count")):
        return
    known = [value for value in values if isinstance(value, (int, float))]
    if len(known) != count:
        raise _at(place, f"it has {len(known)} values, and its count is {count}")
    if known and (min(known) < least - ROUNDED * abs(least) or max(known) > most + ROUNDED * abs(most)):
        raise _at(place, f"its values reach from {min(known):g} to {max(known):g}, and its min is {least:g}, "
                         f"its max {most:g}")


def _check_verdict(entry, place):
    low, high, verdict = _number(entry, "low"), _number(entry, "high"), entry.get("verdict")
    if None in (low, high) or not isinstance(verdict, str):
        return
    shown = "higher" if low > 1 else "lower" if high < 1 else "none"
    counts = [_number(entry, key) for key in ("count", "a_count", "b_count")]
    rounds = min((count for count in counts if count is not None), default=0)
    if verdict != shown and (verdict != "none" or rounds >= VERDICT_ROUNDS):
        raise _at(place, f"its verdict is {verdict}, and its interval {low:g} to {high:g} over {rounds:g} rounds")


def _check_buckets(entry, place):
    end = None
    buckets = entry.get("buckets")
    for i, row in enumerate(buckets if isinstance(buckets, list) else []):
        if not isinstance(row, list) or len(row) != 3 or not all(isinstance(n, (int, float)) for n in row):
            return  # the shape says so
        if row[1] <= row[0] or end is not None and row[0] < end:
            raise _at(place, f"buckets.{i} is not behind the one before it, or ends where it begins")
        end = row[1]


def check_time(text, place):
    """Each digit may stand in its place and the time be none: the 31st of February."""
    try:
        datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        raise Misshapen(f"{place} is {text[:40]!r}, expected a time") from None


def check(value, place=""):
    """Raises Misshapen where numbers contradict each other, wherever that stands."""
    if isinstance(value, dict):
        _check_interval(value, place)
        for rule in (_check_order, _check_values, _check_verdict, _check_buckets):
            rule(value, place)
        if isinstance(value.get("time_utc"), str) and value["time_utc"]:
            check_time(value["time_utc"], f"{place}.time_utc" if place else "time_utc")
        for key, inner in value.items():
            check(inner, f"{place}.{key}" if place else key)
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            check(inner, f"{place}.{i}" if place else str(i))


def _median(metrics, name):
    return _number(metrics.get(name) or {}, "median")


def _check_metrics(entry, described, cpus, place):
    metrics = entry.get("metrics") or {}
    for name, estimate in metrics.items():
        told = described.get(name) or {}
        if estimate and told.get("better") in ("lower", "higher") and not told.get("error"):
            if (_number(estimate, "min") or 0) < 0:
                raise _at(f"{place}.metrics.{name}", f"its min is {estimate['min']:g}, and it is never below 0")
        most = 100 * cpus * CPU_SLACK if cpus and told.get("unit") == "%" and name.startswith("cpu.") else None
        if estimate and most and (_number(estimate, "median") or 0) > most:
            raise _at(f"{place}.metrics.{name}", f"{estimate['median']:g} %, and there are {cpus} CPUs")
    for family in sorted({name.rpartition(".")[0] for name in metrics if name.rpartition(".")[2] in QUANTILES}):
        _check_order({key: _median(metrics, f"{family}.{key}") for key in QUANTILES}, f"{place}.metrics.{family}")


def _check_bytes(entry, place):
    """An operation moves a block or a message of known size, if the panel has one."""
    values, metrics = entry["workload"]["panel"]["values"], entry.get("metrics") or {}
    size = _number(values, "bs_bytes") or _number(values, "msg_size_bytes")
    rate, byte_rate = _median(metrics, "ops_per_s"), _median(metrics, "bytes_per_s")
    if entry.get("imported") or "blocks" in values or None in (size, rate, byte_rate):
        return
    if abs(byte_rate - rate * size) > PIECES * rate * size + size * PIECES_MOST:
        raise _at(f"{place}.metrics.bytes_per_s", f"{byte_rate:g}, and {rate:g} operations of {size:g} bytes a second")


def check_summary(summary):
    """Of a comparison whose shape is right."""
    cpus = (summary.get("env") or {}).get("cpus_online")
    for i, entry in enumerate(summary["configurations"]):
        place, workload = f"configurations.{i}", entry["workload"]
        if isinstance(workload.get("name"), str) and workload["name"] != workload["panel"]["id"]:
            raise _at(f"{place}.workload", f"its panel is one of {workload['panel']['id']!r}, "
                                           f"and it is {workload['name']!r}")
        _check_metrics(entry, summary.get("metrics") or {}, cpus, place)
        _check_bytes(entry, place)
