#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Draws every figure of a results folder: PNG for a page, SVG and PDF for paper."""
import argparse
import os

import command
from drawing import rendering, sheet, verdict_words
from figures import one_metric, registry
from readings import results, whole_file
from readings.json_file import ResultsError
from readings.quantities import listed


def write_figure(drawn, path, formats):
    """`path`: without the ending. Prints the names of the files."""
    print(*(whole_file.write(f"{path}.{name}", rendering.FORMATS[name](drawn)) for name in formats))


def found_figures(folder, only):
    """(figure, what it is drawn from) of each figure that the folder has something for. `only`: names, or
    None for all."""
    beside = [(figure, there) for figure in registry.BESIDE if not only or figure.name in only
              if (there := figure.load(folder))]
    panels = [figure for figure in registry.PANELS if not only or figure.name in only]
    # A folder may hold traces and no comparison. If it holds neither, results.load() says what is missing.
    has_summary = os.path.exists(os.path.join(folder, results.FILE))
    if has_summary or not any(figure.load(folder) for figure in registry.BESIDE):
        summary = results.load(folder)
        return [(figure, summary) for figure in panels] + beside
    return beside


def options():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", metavar="RESULTS_DIR",
                        help="a folder made by `build/iolab compare`; results/latest is the newest")
    parser.add_argument("--out", metavar="DIR", help="where the files go (default: RESULTS_DIR/figures)")
    parser.add_argument("--only", metavar="FIGURE", action="append",
                        choices=[figure.name for figure in registry.ALL],
                        help="draw this figure only; may be given again for more: %(choices)s")
    parser.add_argument("--metric", metavar="NAME",
                        help="draw one metric of summary.json only, such as cpu.util_pct")
    parser.add_argument("--width", metavar="INCHES", type=float, default=sheet.WIDE_IN,
                        help="3.4 suits a column of a paper; the letters keep their size "
                        "(default: %(default)g)")
    parser.add_argument("--formats", metavar="LIST", default=",".join(rendering.FORMATS),
                        help="which files to write (default: %(default)s)")
    chosen = parser.parse_args()
    if not 3 <= chosen.width <= 20:
        parser.exit(1, f"plot.py: --width {chosen.width:g}: must lie between 3 and 20 inches\n")
    chosen.formats = chosen.formats.split(",")
    for name in chosen.formats:
        if name not in rendering.FORMATS:
            parser.exit(1, f"plot.py: --formats {name}: must be one of {', '.join(rendering.FORMATS)}\n")
    return chosen


def main():
    chosen = options()
    out = chosen.out or os.path.join(chosen.results, "figures")
    if chosen.metric:
        summary = results.load(chosen.results)
        found = [(one_metric.figure(summary, chosen.metric), summary)]
    else:
        found = found_figures(chosen.results, chosen.only)
        if not found:
            raise ResultsError(f"{chosen.results} has nothing for the figure {listed(chosen.only)}")
    os.makedirs(out, exist_ok=True)
    for figure, there in found:
        write_figure(figure.draw(there, chosen.width), os.path.join(out, figure.name), chosen.formats)
    for figure, there in found:
        if figure.claim:
            print(f"{figure.title}: {verdict_words.words(figure.judge(there))}")


if __name__ == "__main__":
    command.run("plot.py", main)
