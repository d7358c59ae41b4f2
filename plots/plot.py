#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Draws every figure of a results folder, as PNG for a page and as SVG for paper."""
import argparse
import os
import sys

import figures
import results


def write_figures(summary, out):
    os.makedirs(out, exist_ok=True)
    for module in figures.FIGURES:
        drawn = module.draw(summary)
        path = os.path.join(out, module.NAME)
        with open(path + ".png", "wb") as file:
            file.write(figures.png(drawn))
        with open(path + ".svg", "w", encoding="utf-8") as file:
            file.write(figures.svg(drawn))
        print(path + ".png", path + ".svg")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", metavar="RESULTS_DIR",
                        help="a folder that `build/iolab compare` made, results/latest for one")
    parser.add_argument("--out", metavar="DIR", help="default: RESULTS_DIR/figures")
    options = parser.parse_args()
    out = options.out or os.path.join(options.results, "figures")
    try:
        write_figures(results.load(options.results), out)
    except results.ResultsError as error:
        sys.exit(f"plot.py: {error}")
    except OSError as error:
        sys.exit(f"plot.py: {error.filename or out}: {error.strerror}")


if __name__ == "__main__":
    main()
