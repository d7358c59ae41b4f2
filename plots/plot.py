#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Draws every figure of a results folder: PNG for a page, SVG and PDF for paper."""
import argparse
import os
import sys

from drawing import sheet
from figures import registry
from readings import results, verdicts


def write_figure(drawn, path):
    with open(path + ".png", "wb") as file:
        file.write(registry.png(drawn))
    with open(path + ".svg", "w", encoding="utf-8") as file:
        file.write(registry.svg(drawn))
    with open(path + ".pdf", "wb") as file:
        file.write(registry.pdf(drawn))
    print(path + ".png", path + ".svg", path + ".pdf")


def drawings(folder, only):
    """Name and function (of a width) of each figure that can be had from the folder."""
    documents = [(module, module.load(folder)) for module in registry.DOCUMENTS]
    found = [(module.NAME, lambda width_in, module=module, document=document: module.draw(
        document, width_in))
             for module, document in documents if document]
    has_summary = os.path.exists(os.path.join(folder, "summary.json"))
    if not found or has_summary:
        summary = results.load(folder)
        found = [(module.NAME, lambda width_in, module=module: module.draw(summary, width_in))
                 for module in registry.FIGURES] + found
    if only:
        found = [pair for pair in found if pair[0] == only]
        if not found:
            raise results.ResultsError(f"{folder} has nothing for the figure {only}")
    return found


def judged(folder, drawn):
    """Title and verdict of each figure that has a claim."""
    about_summary = [module for module in registry.JUDGED_FIGURES if module.NAME in drawn]
    summary = results.load(folder) if about_summary else None
    pairs = [(module, summary) for module in about_summary]
    pairs += [(module, document) for module in registry.JUDGED if module.NAME in drawn
              if (document := module.load(folder))]
    return [(module.TITLE, verdicts.judge(module.CLAIM, document)) for module, document in pairs]


def main():
    names = [module.NAME for module in registry.FIGURES + registry.DOCUMENTS]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", metavar="RESULTS_DIR",
                        help="a folder that `build/iolab compare` made, results/latest for one")
    parser.add_argument("--out", metavar="DIR", help="default: RESULTS_DIR/figures")
    parser.add_argument("--only", metavar="FIGURE", choices=names,
                        help=f"one of {', '.join(names)}")
    parser.add_argument("--width", metavar="INCHES", type=float, default=sheet.WIDE_IN,
                        help="3.4 for a column of a paper; letters stay as large (default: %(default)g)")
    options = parser.parse_args()
    if not 3 <= options.width <= 20:
        sys.exit(f"plot.py: --width {options.width:g}: must lie between 3 and 20 inches")
    out = options.out or os.path.join(options.results, "figures")
    try:
        found = drawings(options.results, options.only)
        os.makedirs(out, exist_ok=True)
        for name, draw in found:
            write_figure(draw(options.width), os.path.join(out, name))
        for title, verdict in judged(options.results, {name for name, _ in found}):
            print(f"{title}: {verdict}")
    except results.ResultsError as error:
        sys.exit(f"plot.py: {error}")
    except OSError as error:
        sys.exit(f"plot.py: {error.filename or out}: {error.strerror}")


if __name__ == "__main__":
    main()
