# SPDX-License-Identifier: MIT
"""Numbers as a reader wants them: three significant digits, a prefix, the unit."""
import math

DASH = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
NO_BREAK = "\N{NO-BREAK SPACE}"


def _rounded(value, scales):
    """`scales`: (factor, unit), the largest first."""
    value = float(f"{value:.3g}")
    if value == 0:
        return "0" + scales[-1][1]
    factor, unit = next((scale for scale in scales if abs(value) >= scale[0]), scales[-1])
    scaled = value / factor
    digits = max(0, 2 - math.floor(math.log10(abs(scaled))))
    return f"{scaled:.{digits}f}{unit}"


def count(value):
    """131k, 12.9k, 1.22M; 0.016 for what is below one."""
    return _rounded(value, ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1, "")))


def duration(value_ns):
    """70.2 µs"""
    return _rounded(value_ns, tuple((factor, NO_BREAK + unit) for factor, unit in (
        (1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1, "ns"))))


def cpu_time(value_us):
    """Microseconds as `duration`, for cpu.us_per_op."""
    return duration(value_us * 1e3)


def size(value_bytes):
    """4 KiB, 64 MiB, 23.54 GiB"""
    for factor, unit in ((2 ** 30, "GiB"), (2 ** 20, "MiB"), (2 ** 10, "KiB")):
        if value_bytes >= factor:
            return f"{value_bytes / factor:.4g}{NO_BREAK}{unit}"
    return f"{value_bytes}{NO_BREAK}byte{'' if value_bytes == 1 else 's'}"


def of_unit(unit):
    """How a value with this unit is written; a name of a unit stands behind the number."""
    scaled = {"ns": duration, "us": cpu_time, "bytes": size, "%": percent, "": count}
    return scaled.get(unit) or (lambda value: f"{count(value)}{NO_BREAK}{unit}")


def percent(value):
    """-3 %, and 0 % for what rounds to it from either side"""
    return f"{round(value)} %".replace("-", MINUS)


def rounds(number):
    """1 round, 5 rounds"""
    return f"{number} round{'' if number == 1 else 's'}"


def ratio(value):
    """2.31 ×, never torn apart at the end of a line"""
    return _rounded(value, ((1, ""),)) + f"{NO_BREAK}×"


def bound(value):
    """An end of a ratio's interval. One that lies beside 1 must not read as if it reached it."""
    text = count(value)
    return f"{value:.4f}" if text == "1.00" and value != 1 else text


def span(low, high, as_text):
    """From low to high, with the unit said once where both have the same."""
    low, high = as_text(low), as_text(high)
    number, unit = _split(low)
    if unit and unit == _split(high)[1]:
        low = number
    return f"{low}{DASH}{high}"


def _split(text):
    digits = len(text) - len(text.lstrip("-0123456789." + MINUS))
    return text[:digits], text[digits:]


def tick(value, as_text=count):
    """As `as_text`, without the zeros that a tick does not need: "1 µs" and not "1.00 µs"."""
    if value == 0:
        return "0"
    number, unit = _split(as_text(value))
    if "." in number:
        number = number.rstrip("0").rstrip(".")
    return number + unit


def listed(words):
    """a, b and c"""
    words = [str(word) for word in words]
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]
