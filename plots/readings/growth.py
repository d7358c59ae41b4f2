# SPDX-License-Identifier: MIT
"""What an operation costs against how many there are: a fixed part and one for each, cost = a + b n."""
from dataclasses import dataclass

import numpy

POINTS = 3  # two always lie on a line
BENDS = 0.25  # of its value: a point that lies farther from the best line than this lies on none


@dataclass(frozen=True)
class Line:
    fixed: float  # a
    each: float  # b
    each_low: float  # by the intervals of the first and the last point
    each_high: float
    off: float  # of the farthest point, of its own value

    @property
    def is_straight(self):
        return self.off <= BENDS and self.fixed > 0

    def at(self, x):
        return self.fixed + self.each * x


def line(points):
    """Of (x, Estimate) pairs, by least squares of relative distances: a cost of 5 counts as much as one of 500.
    None where the intervals do not show that the last costs more than the first."""
    (x_first, first), (x_last, last) = points[0], points[-1]
    if last.low <= first.high:
        return None
    xs = numpy.array([x for x, _ in points], float)
    costs = numpy.array([estimate.median for _, estimate in points])
    each, fixed = numpy.polyfit(xs, costs, 1, w=1 / costs)
    off = float(max(abs(fixed + each * xs - costs) / costs))
    length = x_last - x_first
    return Line(float(fixed), float(each), (last.low - first.high) / length, (last.high - first.low) / length, off)


def lines(points_of):
    """{label: Line or None} of the labels that have points enough; empty where nothing grows."""
    known = {label: sorted(((x, e) for x, e in points if e and e.median > 0), key=lambda point: point[0])
             for label, points in points_of.items()}
    found = {label: line(points) for label, points in known.items() if len(points) >= POINTS}
    return found if any(found.values()) else {}
