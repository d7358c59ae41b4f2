# SPDX-License-Identifier: MIT
"""What a sanitizer reports about an engine."""
import os
import re

from proctor.findings import Finding

ADDRESS = "address,undefined"
THREAD = "thread"

# A sanitizer's report, which is another program's text.
SUMMARY = re.compile(r"(?:==\d+==)?(?:ERROR|WARNING): (\w+Sanitizer): (.*)")
UNDEFINED = re.compile(r"(\S+\.c):(\d+)(?::\d+)?: runtime error: (.*)")
FRAME = re.compile(r"#\d+ (?:0x[0-9a-f]+ in )?(\w+) (\S+\.c):(\d+)")


def read_report(files, lines):
    """What matters in a sanitizer's long report, with the place in one of the engine's `files`; or None."""
    for number, line in enumerate(lines):
        undefined, summary = UNDEFINED.search(line), SUMMARY.search(line)
        if undefined:
            return Finding("sanitizer", {"tool": "UBSan", "what": undefined[3], "function": "",
                                         "file": undefined[1], "line": undefined[2]})
        if summary:
            values = {"tool": summary[1], "function": "",
                      "what": re.sub(r" on (unknown )?address.*| \(p(c|id=).*|: 0x.*", "", summary[2])}
            for frame in map(FRAME.search, lines[number:]):
                if frame and os.path.basename(frame[2]) in files:
                    values |= {"function": frame[1], "file": frame[2], "line": frame[3]}
                    break
            return Finding("sanitizer", values)
    return None
