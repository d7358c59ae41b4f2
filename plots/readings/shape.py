# SPDX-License-Identifier: MIT
"""What a JSON file must hold. It is checked once, where it is read, and never again.

A shape is a function: shape(value, place) raises Misshapen, with the place and what belongs there,
when the value does not fit.
"""
import json
import sys

LARGEST = 9e18  # of what is measured or counted, as in docs/result.schema.json; beyond it is damage


class Misshapen(Exception):
    pass


def _refuse(value, place, expected):
    found = json.dumps(value, default=str)  # TOML has dates as well
    found = found if len(found) <= 40 else f"{found[:37]}..."
    raise Misshapen(f"{place or 'the document'} is {found}, expected {expected}")


def anything(value, place):
    pass


def text(value, place):
    if not isinstance(value, str):
        _refuse(value, place, "text")


def text_of_at_most(most):
    """A title: who draws a megabyte of it takes minutes."""
    def check(value, place):
        text(value, place)
        if len(value) > most:
            _refuse(value, place, f"text of at most {most} characters")
    return check


def file_name(value, place):
    """Of a file that lies in a folder known to the reader."""
    if not isinstance(value, str) or value in ("", ".", "..") or "/" in value or not value.isprintable():
        _refuse(value, place, "the name of a file")


def flag(value, place):
    if not isinstance(value, bool):
        _refuse(value, place, "true or false")


def finite(value, place):
    """The end of an interval has no limit: over 2 rounds a ratio's can lie far beyond all that is measured."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        _refuse(value, place, "a number")
    if not -sys.float_info.max <= value <= sys.float_info.max:
        _refuse(value, place, "a finite number")


def number(value, place):
    finite(value, place)
    if not -LARGEST <= value <= LARGEST:
        _refuse(value, place, f"a number between -{LARGEST:g} and {LARGEST:g}")


def above_zero(value, place):
    number(value, place)
    if value <= 0:
        _refuse(value, place, "a number above 0")


def count(value, place):
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LARGEST:
        _refuse(value, place, "a whole number, 0 or more")


def nullable(shape):
    def check(value, place):
        if value is not None:
            shape(value, place)
    return check


def maybe(shape):
    """As nullable(), and it may be missing from a record."""
    check = nullable(shape)
    check.optional = True
    return check


def either(*shapes, expected):
    """One of several shapes; `expected` names them together."""
    def check(value, place):
        for shape in shapes:
            try:
                return shape(value, place)
            except Misshapen:
                pass
        return _refuse(value, place, expected)
    return check


def one_of(*words):
    def check(value, place):
        if value not in words:
            _refuse(value, place, " or ".join(map(str, words)))
    return check


def list_of(shape, fewest=0):
    def check(value, place):
        if not isinstance(value, list) or len(value) < fewest:
            _refuse(value, place, f"a list of {fewest} or more" if fewest else "a list")
        for i, item in enumerate(value):
            shape(item, f"{place}.{i}" if place else str(i))
    return check


def row_of(*shapes):
    """A list with a fixed number of items, each with a shape of its own."""
    def check(value, place):
        if not isinstance(value, list) or len(value) != len(shapes):
            _refuse(value, place, f"a list of {len(shapes)}")
        for i, (shape, item) in enumerate(zip(shapes, value)):
            shape(item, f"{place}.{i}")
    return check


def map_of(shape):
    def check(value, place):
        if not isinstance(value, dict):
            _refuse(value, place, "an object")
        for key, item in value.items():
            shape(item, f"{place}.{key}" if place else key)
    return check


def record(fields):
    """An object with these fields; others may be there."""
    def check(value, place):
        if not isinstance(value, dict):
            _refuse(value, place, "an object")
        for name, shape in fields.items():
            inner = f"{place}.{name}" if place else name
            if name in value:
                shape(value[name], inner)
            elif not getattr(shape, "optional", False):
                raise Misshapen(f"{inner} is missing")
    return check
