#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Can the looks of all engines that may stand in one figure be told apart, by colour, and by marker or line
alone? The distance of two colours is that of CIELAB."""
import itertools
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from drawing import style  # noqa: E402

LEAST = 12  # side by side two shades differ visibly from 2 on; thin lines that lie apart need more
TO_XYZ = ((0.4339, 0.3762, 0.1899), (0.2126, 0.7152, 0.0722), (0.0177, 0.1095, 0.8728))  # of white: 1


def linear(colour):
    parts = [int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)]
    return [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]


def times(matrix, vector):
    return [sum(m * v for m, v in zip(row, vector)) for row in matrix]


def lab(colour):
    x, y, z = (t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in times(TO_XYZ, linear(colour)))
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def distance(a, b):
    return sum((p - q) ** 2 for p, q in zip(lab(a), lab(b))) ** 0.5


def main():
    engines = [name for name in style.ENGINES if name != "fio"]  # which has no runs without an engine of its own
    engines += [":".join(key) for key in style.VARIANTS]
    pairs = [*itertools.combinations(engines, 2), *((name, f"{style.MINE}{name}") for name in engines)]
    found = []
    for a, b in pairs:
        one, other = style.look_of(a), style.look_of(b)
        if distance(one.colour, other.colour) < LEAST:
            found.append(f"{a} {one.colour} and {b} {other.colour}: {distance(one.colour, other.colour):.0f}")
        if (one.marker, one.filled, one.line) == (other.marker, other.filled, other.line):
            found.append(f"{a} and {b}: the same marker and line")
    print("\n".join(found) or f"{len(pairs)} pairs can be told apart")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
