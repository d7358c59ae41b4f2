# SPDX-License-Identifier: MIT
"""HTML that cannot be forgotten to be escaped: every string is, unless it is Markup already."""
from html import escape

VOID = ("meta", "br")


class Markup(str):
    """Text that is HTML."""


def tag(name, /, *children, **attributes):
    """tag("a", "here", href="#x"). An underscore in a name stands for a hyphen; class_ for class;
    an attribute that is None is left out."""
    words = [name]
    for key, value in attributes.items():
        if value is not None:
            words.append(f'{key.rstrip("_").replace("_", "-")}="{escape(str(value))}"')
    opening = f"<{' '.join(words)}>"
    return Markup(opening if name in VOID else f"{opening}{joined(*children)}</{name}>")


def joined(*children):
    """Children may be None (nothing), Markup, text, numbers, or lists of these."""
    out = []
    for child in children:
        if isinstance(child, Markup):
            out.append(child)
        elif isinstance(child, (list, tuple)):
            out.append(joined(*child))
        elif child is not None:
            out.append(escape(str(child), quote=False))
    return Markup("".join(out))
