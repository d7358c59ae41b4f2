# SPDX-License-Identifier: MIT
"""What a comparison sweeps, in the words of the workload whose option it is."""
from dataclasses import dataclass

from readings import shape

# A folder of the first version has the name alone.
FIRST_VERSION = {
    "conns": {"x_label": "connections", "x_unit": "connection"},
    "depth": {"x_label": "depth (operations offered)",
              "x_about": "“Depth” is how many operations are offered at a time."},
    "rate": {"x_about": "“Rate” is how many operations are due in a second, whether the earlier ones are "
                        "finished or not."}}

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
    before = FIRST_VERSION.get(name, {})
    label, unit, about = (config.get(key) or before.get(key) for key in ("x_label", "x_unit", "x_about"))
    return Axis(name, label or name, unit, about)
