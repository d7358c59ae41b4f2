# SPDX-License-Identifier: MIT
"""Reads a JSON file of a results folder: whole and of the right shape, or refused in one line."""
import json

from readings import contradictions, first_version, plain_file
from readings.shape import Misshapen


class ResultsError(Exception):
    """The folder cannot be used; the text says why in one line, and what helps."""


class NothingRan(ResultsError):
    """The folder is whole, but no run in it ended ok."""


def printable(value):
    """A path or a reason may hold any byte; SVG and HTML do not take control characters."""
    if isinstance(value, str):
        return "".join(c if c.isprintable() else " " for c in value)
    if isinstance(value, list):
        return [printable(item) for item in value]
    if isinstance(value, dict):
        return {key: printable(item) for key, item in value.items()}
    return value


def _whole_number(digits):
    """As jansson, which wrote the file: none is larger than 64 bits hold, wherever it stands."""
    number = int(digits)
    if not -2 ** 63 <= number < 2 ** 63:
        raise ValueError(f"a whole number of {len(digits)} digits is too large")
    return number


def _no_number(word):
    """JSON has neither NaN nor Infinity, and Python reads them."""
    raise ValueError(f"{word} is no number")


def parse(path):
    """Any JSON; raises OSError, or ValueError with a reason of one line."""
    with plain_file.opened(path, encoding="utf-8") as file:
        try:
            return json.load(file, parse_int=_whole_number, parse_constant=_no_number)
        except UnicodeDecodeError as error:
            raise ValueError(f"it is not UTF-8: {error.reason} at byte {error.start}") from None
        except RecursionError:
            raise ValueError("it is nested too deeply") from None


def read(path, schema, shape, made_by):
    """The content, as `schema` has it; raises ResultsError. `made_by` is a command."""
    cure = f"`{made_by}` makes it again"
    try:
        content = parse(path)
    except FileNotFoundError:
        raise ResultsError(f"{path} is missing; `{made_by}` makes it") from None
    except OSError as error:
        raise ResultsError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise ResultsError(f"{path} is not JSON ({error}); {cure}") from None
    found = content.get("schema") if isinstance(content, dict) else None
    if found not in first_version.readable(schema):
        raise ResultsError(f"{path} has schema {printable(found)!r}, and this program reads "
                           f"{' and '.join(first_version.readable(schema))}; {cure}")
    content = first_version.upgraded(content, schema)
    try:
        shape(content, "")
        contradictions.check(content)
    except Misshapen as error:
        raise ResultsError(printable(f"{path}: {error}; {cure}")) from None
    return printable(content)
