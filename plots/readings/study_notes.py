# SPDX-License-Identifier: MIT
"""study.json: what harness/studies/ noted of the things that it makes in a results folder."""
import os

from readings import json_file, remarks
from readings.shape import anything, map_of, maybe, record

FOLDER = "study"
FILE = "study.json"
SCHEMA = "iolab.study.v2"
OWN_COMPARISON = "comparison"  # its name for the comparison of the folder itself

SHAPE = record({"quick": maybe(map_of(anything)), "missing": maybe(map_of(maybe(remarks.SHAPE)))})


def read(folder):
    """All notes; {} where nothing was noted, or they cannot be read: nothing depends on them."""
    try:
        return json_file.read(os.path.join(folder, FOLDER, FILE), SCHEMA, SHAPE, "make figures")
    except json_file.ResultsError:
        return {}


def _noted(folder, key, name):
    return (read(folder).get(key) or {}).get(name)


def was_quick(folder, name):
    """Was it made with --quick?"""
    return bool(_noted(folder, "quick", name))


def why_missing(folder, name):
    """Why it could not be made, a Remark; None where that was not tried."""
    return remarks.read(_noted(folder, "missing", name))
