# SPDX-License-Identifier: MIT
"""What other programs used of the CPUs before a measurement, and probably during it."""
from dataclasses import dataclass

from readings import shape

BUSY_PCT = 10  # of one CPU: from here on each figure says so
BUSY_SHARE_PCT = 10  # of all CPUs: from here on no finding is judged

IDLE_SHAPE = shape.maybe(shape.record({
    "busy_pct": shape.number, "error_pct": shape.number,
    "per_cpu_pct": shape.maybe(shape.list_of(shape.maybe(shape.number)))}))


@dataclass(frozen=True)
class ForeignLoad:
    busy_pct: float  # 100 is one CPU
    error_pct: float
    cpus: object  # None where nobody knows

    @property
    def least_pct(self):
        """What others used at the least. Both limits are compared with it."""
        return self.busy_pct - self.error_pct

    @property
    def noted(self):
        return self.least_pct >= BUSY_PCT

    @property
    def share_pct(self):
        """Of all CPUs."""
        return self.busy_pct / (self.cpus or 1)

    @property
    def too_much(self):
        """Is it so much that no verdict can be trusted?"""
        return self.least_pct / (self.cpus or 1) >= BUSY_SHARE_PCT


def foreign_load(idle_baseline, env):
    """None where it was not measured."""
    return idle_baseline and ForeignLoad(idle_baseline["busy_pct"], idle_baseline["error_pct"],
                                         (env or {}).get("cpus_online"))
