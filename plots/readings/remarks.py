# SPDX-License-Identifier: MIT
"""Remarks, as harness/base/remark.h describes them: an identifier, values, and a text with {names}.

Programs compare identifiers, values and causes. The text is filled where it is shown: with a value,
or with a range where several remarks of one identifier are shown as one. {cause} stands for the text
of the remark that is its cause, {errno} for the name of an errno value and its message.
"""
import errno
import os
import re
from dataclasses import dataclass, field

from readings import shape
from readings.quantities import DASH

PLACEHOLDER = re.compile(r"\{([a-z0-9_]+)\}")


def SHAPE(value, place):
    """A remark; each cause is one too."""
    _SHAPE(value, place)


_SHAPE = shape.record({"id": shape.text, "text": shape.text, "cause": shape.maybe(SHAPE),
                       "values": shape.maybe(shape.map_of(
                           shape.either(shape.number, shape.text, expected="a number or text")))})


@dataclass(frozen=True, eq=False)
class Remark:
    """Two are equal when their identifiers, values and causes are. Their texts are not compared."""

    id: str
    text: str
    values: dict = field(default_factory=dict)
    cause: "Remark | None" = None

    def __str__(self):
        return filled(self.text, self.values if self.cause is None else {**self.values, "cause": self.cause})

    def __eq__(self, other):
        return isinstance(other, Remark) and self._what() == other._what()

    def __hash__(self):
        return hash(self._what())

    def _what(self):
        return self.id, tuple(sorted(self.values.items())), self.cause and self.cause._what()


@dataclass(frozen=True)
class Range:
    """What several remarks have for one name, from the least to the greatest."""

    low: float
    high: float

    def __str__(self):
        low, high = value_words(self.low), value_words(self.high)
        return low if low == high else f"{low}{DASH}{high}"


NO_REASON = Remark("no_reason", "no reason was given")


def read(entry):
    """Of checked JSON; None and a Remark stay as they are."""
    if entry is None or isinstance(entry, Remark):
        return entry
    return Remark(entry["id"], entry["text"], entry.get("values") or {}, read(entry.get("cause")))


def written(remark):
    """As JSON has it; what read() reads."""
    if remark is None:
        return None
    cause = {"cause": written(remark.cause)} if remark.cause else {}
    return {"id": remark.id, "values": remark.values, "text": remark.text, **cause}


def value_words(value, name=None):
    number = getattr(errno, value, None) if name == "errno" and isinstance(value, str) else None
    if isinstance(number, int):
        return f"{value}: {os.strerror(number)}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def filled(text, values):
    """A name without a value stays as it stands."""
    return PLACEHOLDER.sub(lambda name: value_words(values[name[1]], name[1]) if name[1] in values else name[0], text)


def _is_number(value):
    return isinstance(value, (int, float))


def family(remark):
    """Equal for remarks that differ in their numbers alone, and so can be shown as one."""
    words = tuple(sorted((name, "" if _is_number(value) else value)
                         for name, value in remark.values.items()))
    return remark.id, words, remark.cause and family(remark.cause)


def merged(remarks):
    """One remark for all of one family."""
    first = remarks[0]
    values = {}
    for name, value in first.values.items():
        found = [remark.values[name] for remark in remarks]
        values[name] = Range(min(found), max(found)) if _is_number(value) else value
    return Remark(first.id, first.text, values, first.cause and merged([r.cause for r in remarks]))
