# SPDX-License-Identifier: MIT
"""Verdicts and statements (readings/verdicts.py) as sentences: the only place that makes them."""
from readings import remarks, verdicts
from readings.quantities import DASH, NO_BREAK, count, listed, rounds, span

LESS_ERROR = "less the error of that figure"  # both limits are compared with the least that others used

NAMES = {verdicts.REPRODUCED: "reproduced here", verdicts.CONTRADICTED: "contradicted here",
         verdicts.CANNOT_TELL: "cannot tell here"}
JOINTS = {verdicts.CANNOT_TELL: ", because "}

TEXTS = {
    "not_measured": "{what} was not measured",
    "few_rounds": "{what} is {value}, from {rounds} only",
    "above": "{what} is {value}, above {limit}",
    "not_above": "{what} is {value}, not above {limit}",
    "below": "{what} is {value}, below {limit}",
    "not_below": "{what} is {value}, not below {limit}",
    "reaches_over": "{what} is {value}, and its interval reaches over {limits}",
    "weaker_above": "{what} is {value}, above {absent}, and weaker than the {limit} that count as found",
    "weaker_below": "{what} is {value}, below {absent}, and not the {limit} that count as found",
    "within": "{what} is {value}, within {range}",
    "outside": "{what} is {value}, outside {range}",
    "reaches_out": "{what} is {value}, and its interval reaches over {range}",
    "foreign_load": "other programs used {share_pct} % of the CPUs before it, and from {limit_pct} % on, "
                    f"{LESS_ERROR}, nothing is concluded",
    "few_rounds_in_all": "there {rounds_were} only, and an interval over fewer than "
                         f"{verdicts.FEWEST_ROUNDS} is worth too little",
    "nothing_measured": "nothing was measured",
}


def value_words(value):
    """2.00 × (1.90–2.10)"""
    if isinstance(value, verdicts.Measured):
        return f"{value.as_text(value.median)} ({span(value.low, value.high, value.as_text)})"
    words = f"{count(value.median)}{NO_BREAK}×"
    return words if value.low == value.high else (
        f"{words} ({count(value.low)}{DASH}{count(value.high)})")


def _limit_words(number, value):
    """A limit, written as the value that is compared with it."""
    return value.as_text(number) if isinstance(value, verdicts.Measured) else f"{number:g}"


def sentence(statement):
    values = dict(statement.values)
    value = values.get("value")
    if value is not None:
        values["value"] = value_words(value)
    if "limits" in values:
        values["limits"] = listed(_limit_words(limit, value) for limit in values["limits"])
    for name in ("limit", "absent"):
        if name in values:
            values[name] = _limit_words(values[name], value)
    if "least" in values:
        values["range"] = f"{values['least']:.2g}{DASH}{values['most']:.3g}"
    if "rounds" in values:
        number = values["rounds"]
        values["rounds"] = rounds(number)
        values["rounds_were"] = f"{'was' if number == 1 else 'were'} {rounds(number)}"
    if "share_pct" in values:
        values["share_pct"] = f"{values['share_pct']:.0f}"
    return remarks.filled(statement.text or TEXTS[statement.id], values)


def name(verdict):
    return NAMES[verdict.id]


def because(verdict):
    return "; ".join(map(sentence, verdict.because))


def joint(verdict):
    """What stands between name and reason."""
    return JOINTS.get(verdict.id, ": ")


def words(verdict):
    return name(verdict) + joint(verdict) + because(verdict)
