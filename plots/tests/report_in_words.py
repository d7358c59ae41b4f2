#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""report_in_words.py: report.py, with its options, but nothing is drawn. For tests that read words."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

import command
import report
from drawing import rendering
from drawing.figure import DocumentFigure, PanelFigure, StudyFigure

for kind in (PanelFigure, StudyFigure, DocumentFigure):
    kind.draw = lambda *_, **__: None
rendering.svg = lambda _: '<svg viewBox="0 0 1 1"></svg>'
rendering.png = lambda _: b"not drawn"
command.run("report.py", report.main)
