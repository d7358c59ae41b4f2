# SPDX-License-Identifier: MIT
"""How an interface looks: the same in every figure, whatever else is drawn beside it.

Colour, marker and line belong to the label of an engine ("epoll", "io_uring:sqpoll") and never to
its position in a list, so dropping one engine from a comparison recolours nothing. The colours are
those of Okabe and Ito, which colour-blind readers can tell apart; markers and lines differ as well,
so that a black and white print can be read. A variant keeps the colour of its engine, lighter or
darker, and has a line and a marker of its own. A learner's own engines have one colour, and the
marker of the engine that each is a copy of. An engine that the table does not know draws its look
from a hash of its name.
"""
import colorsys
import hashlib
from dataclasses import dataclass, replace

SOLID = "-"
DASHED = (0, (4, 1.6))
DOTTED = (0, (1.2, 1.4))
DASH_DOT = (0, (5, 1.5, 1.2, 1.5))
LONG_DASHED = (0, (8, 2))
DASH_DOT_DOT = (0, (5, 1.4, 1.2, 1.4, 1.2, 1.4))

INK = "#1a1a1a"
GREY = "#6b6b6b"
FAINT = "#d9d9d9"
SHADE = "#f0f0f0"
BAND = "#e4e4e4"  # between groups of marks


@dataclass(frozen=True)
class Look:
    colour: str
    line: object
    marker: str
    filled: bool = True

    def marker_keywords(self, size_pt=4.6):
        """What matplotlib calls these, for a line's markers."""
        return {
            "marker": self.marker,
            "markersize": size_pt * MARKER_SCALE.get(self.marker, 1.0),
            "markerfacecolor": self.colour if self.filled else "white",
            "markeredgecolor": self.colour,
            "markeredgewidth": 0.9,
        }


# Markers of one nominal size do not look equally large.
MARKER_SCALE = {"*": 1.55, "D": 0.85, "s": 0.92, "d": 1.1, "P": 1.15, "X": 1.1, "p": 1.15,
                "h": 1.15, "H": 1.15, "^": 1.08, "v": 1.08, "<": 1.08, ">": 1.08}

ENGINES = {
    "null": Look("#8c8c8c", DOTTED, "x"),
    "blocking": Look("#000000", SOLID, "o"),
    "threads": Look("#e69f00", LONG_DASHED, "s"),
    "poll": Look("#8f7f00", DASH_DOT, "^"),  # Okabe and Ito's yellow, dark enough for white paper
    "epoll": Look("#0072b2", SOLID, "D"),
    "epoll_workers": Look("#56b4e9", DASHED, "d"),
    "signal": Look("#332288", DASH_DOT, "h"),
    "posix_aio": Look("#cc79a7", DASHED, "P"),
    "libaio": Look("#009e73", SOLID, "v"),
    "uring_raw": Look("#5a1846", LONG_DASHED, "p"),
    "io_uring": Look("#d55e00", SOLID, "*"),
    "uring_tuned": Look("#9a0000", DASHED, "*"),
    "fio": Look("#8b1a3a", DASH_DOT, "X"),  # imported; its variants are its engines
}


# An engine "my_epoll" is a learner's own copy of epoll: the copy has the other's marker, hollow.
MINE = "my_"
MINE_COLOUR = "#990066"


@dataclass(frozen=True)
class Twist:
    """What a variant changes in the look of its engine."""

    shade: float  # below 0 darker, above 0 lighter, of at most 1
    line: object
    marker: str
    filled: bool = False
    turn: int = 0  # of the hue, in degrees: shades alone can be told apart only where they are few


# Keyed by engine and the sorted options of the variant.
VARIANTS = {
    ("null", "narrow"): Twist(0.35, DASHED, "X"),
    ("epoll", "edge"): Twist(-0.5, DASH_DOT, "D", turn=-20),
    ("epoll", "oneshot"): Twist(0.35, DASHED, "8", turn=20),
    ("signal", "signalfd"): Twist(0.4, LONG_DASHED, "H"),
    ("signal", "handler"): Twist(0.2, DOTTED, "H", turn=35),
    ("libaio", "eventfd"): Twist(-0.4, DASHED, "v"),
    ("uring_raw", "sqpoll"): Twist(0.45, DASH_DOT, "H", turn=-20),
    ("uring_raw", "sqpoll_shared"): Twist(0.25, DASH_DOT_DOT, "H", filled=True, turn=20),
    ("io_uring", "fixed_files"): Twist(0.35, DOTTED, "<", turn=-20),
    ("io_uring", "fixed_buffers"): Twist(0.5, DASHED, ">", turn=-10),
    ("io_uring", "fixed_buffers+fixed_files"): Twist(-0.35, DASHED, ">", filled=True),
    ("io_uring", "sqpoll"): Twist(0, DASH_DOT, "p", turn=-30),
    ("io_uring", "sqpoll_shared"): Twist(-0.5, DASH_DOT_DOT, "p", filled=True, turn=-20),
    ("io_uring", "defer_taskrun"): Twist(-0.65, DOTTED, "h", filled=True, turn=-20),
    ("io_uring", "registered_ring"): Twist(-0.2, LONG_DASHED, "d"),
    ("io_uring", "poll_first"): Twist(0.5, DASH_DOT, "8", turn=-30),
    ("uring_tuned", "multishot"): Twist(0.3, SOLID, "P", filled=True, turn=10),
    # The marker of its counterpart here, hollow.
    ("fio", "psync"): Twist(-0.45, DASH_DOT, "o"),
    ("fio", "jobs+psync"): Twist(0.6, LONG_DASHED, "s"),
    ("fio", "posixaio"): Twist(0.2, DASHED, "P"),
    ("fio", "libaio"): Twist(0, DOTTED, "v"),
    ("fio", "io_uring"): Twist(0.4, DASH_DOT_DOT, "*"),
}

# For engines that are not in the table: hues that it does not use.
SPARE_COLOURS = ("#882255", "#44796f", "#7b5aa6", "#a0522d", "#5f6f1f")
SPARE_MARKERS = ("p", "h", "<", ">", "8", "d")
SPARE_LINES = (SOLID, DASHED, DOTTED, DASH_DOT, LONG_DASHED, DASH_DOT_DOT)


def _choices(name, *lists):
    """One item of each list, always the same ones for the same name, here and on any machine."""
    digest = hashlib.sha256(name.encode()).digest()
    return [items[digest[i] % len(items)] for i, items in enumerate(lists)]


def _shaded(colour, shade, turn):
    hue, light, strength = colorsys.rgb_to_hls(*(int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)))
    light = light * (1 + shade) if shade < 0 else light + (1 - light) * shade
    red, green, blue = colorsys.hls_to_rgb((hue + turn / 360) % 1, light, strength)
    return f"#{round(red * 255):02x}{round(green * 255):02x}{round(blue * 255):02x}"


def _varied(name, look, variant):
    variant = "+".join(sorted(variant.split("+")))
    twist = VARIANTS.get((name, variant))
    if twist is None:
        shade, line, marker = _choices(variant, (-0.5, -0.25, 0.15, 0.3), SPARE_LINES[1:],
                                       SPARE_MARKERS)
        twist = Twist(shade, line, marker)
    return replace(look, colour=_shaded(look.colour, twist.shade, twist.turn), line=twist.line,
                   marker=twist.marker, filled=twist.filled)


def look_of(label):
    """The look of an engine's label, "name" or "name:option+option"."""
    name, _, variant = label.partition(":")
    copied = name.removeprefix(MINE)
    is_copy = copied != name and copied in ENGINES
    look = ENGINES.get(copied if is_copy else name)
    if look is None:
        colour, line, marker = _choices(name, SPARE_COLOURS, SPARE_LINES, SPARE_MARKERS)
        look = Look(colour, line, marker)
    if is_copy:
        look = replace(look, colour=MINE_COLOUR, line=LONG_DASHED if look.line == SOLID else look.line)
    if variant:
        look = _varied(copied if is_copy else name, look, variant)
    return replace(look, filled=not look.filled) if is_copy else look


# Only the font that matplotlib itself carries, so that a figure is the same on every machine. SVG
# keeps text as text: it can be searched, selected and read aloud.
SETTINGS = {
    "font.family": ["DejaVu Sans"],
    "font.size": 7.5,
    "text.color": INK,
    "text.parse_math": False,  # a "$" in a path or a reason is a dollar
    "axes.edgecolor": GREY,
    "axes.linewidth": 0.6,
    "axes.labelcolor": INK,
    "axes.labelsize": 7.5,
    "axes.labelpad": 3,
    "axes.titlesize": 7.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.5,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.linewidth": 1.2,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "savefig.dpi": 200,
    "pdf.fonttype": 42,  # fonts that a journal's checks accept
    "svg.fonttype": "none",
    "svg.hashsalt": "iolab",  # else the identifiers in an SVG change from run to run
}
