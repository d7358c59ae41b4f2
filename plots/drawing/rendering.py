# SPDX-License-Identifier: MIT
"""How a drawn figure becomes bytes: the same bytes for the same figure, on any day."""
import io
import re

import matplotlib

from drawing import style

# Where a viewer lacks the font: Verdana is as wide, and all others are narrower.
SVG_FONTS = "'DejaVu Sans', Verdana, sans-serif"

# A path's numbers to a hundredth of a point: half the bytes, and nothing that an eye could see.
PATH = re.compile(r' d="[^"]*"')
LONG_NUMBER = re.compile(r"(\.\d\d)\d+")


def png(figure):
    with matplotlib.rc_context(style.SETTINGS):
        file = io.BytesIO()
        figure.savefig(file, format="png", metadata={"Software": None})
        return file.getvalue()


def pdf(figure):
    """Text stays text."""
    with matplotlib.rc_context(style.SETTINGS):
        file = io.BytesIO()
        figure.savefig(file, format="pdf", metadata={
            "CreationDate": None, "Creator": None, "Producer": None})
        return file.getvalue()


def svg(figure):
    """No date, and identifiers that depend on nothing else."""
    with matplotlib.rc_context(style.SETTINGS):
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={
            "Date": None, "Creator": None, "Format": None, "Type": None})
    return PATH.sub(lambda path: LONG_NUMBER.sub(r"\1", path.group()),
                    file.getvalue().replace("'DejaVu Sans'", SVG_FONTS))


FORMATS = {"png": png, "svg": svg, "pdf": pdf}
