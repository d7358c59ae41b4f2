# SPDX-License-Identifier: MIT
"""Numbers on a script's command line, as types for argparse: in their range, or refused."""
import argparse
import re


def whole(least, most):
    """Digits alone: int() takes blanks, underscores, + and the digits of every script."""
    def read(text):
        if not re.fullmatch("-?[0-9]{1,18}", text) or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"'{text}' must be a whole number from {least} to {most}")
        return int(text)
    return read


def real(least, most):
    def read(text):
        if not re.fullmatch(r"[0-9]*\.?[0-9]+", text) or not least <= float(text) <= most:
            raise argparse.ArgumentTypeError(f"'{text}' must be a number from {least} to {most}")
        return float(text)
    return read
