# SPDX-License-Identifier: MIT
"""What a comparison sweeps, in the words of the workload whose option it is."""
from dataclasses import dataclass

from readings import shape

FIELDS = {"x_name": shape.text, "x": shape.nullable(shape.above_zero), "x_label": shape.maybe(shape.text),
          "x_unit": shape.maybe(shape.text), "x_about": shape.maybe(shape.text)}


@dataclass(frozen=True)
class Axis:
    name: str
    label: str  # beside an axis
    unit: object  # "connection"; None: the name stands before the number, "depth 4"
    about: object  # a sentence, or None

    @property
    def plural(self):
        return f"{self.unit}s" if self.unit else self.name


def read(config):
    """Of checked JSON."""
    name = config["x_name"]
    return Axis(name, config.get("x_label") or name, config.get("x_unit"), config.get("x_about"))
