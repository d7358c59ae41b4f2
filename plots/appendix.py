# SPDX-License-Identifier: MIT
"""The report's appendix: what `make check-trust` found out about the harness itself."""
import json
import os

from markup import tag

SCHEMA = "iolab.trust.v1"
VERDICTS = {True: "kept", False: "not kept", None: "not tried"}


def read(folder):
    """trust.json of the results folder, or of the one it lies in (where make check-trust puts it)."""
    for place in (folder, os.path.join(os.path.abspath(folder), "..")):
        try:
            with open(os.path.join(place, "trust.json"), encoding="utf-8") as file:
                document = json.load(file)
        except (OSError, ValueError):
            continue
        if isinstance(document, dict) and document.get("schema") == SCHEMA:
            return document
    return None


def row(check):
    return tag("tr", tag("th", check["name"], scope="row"), tag("td", check["promise"]),
               tag("td", check["finding"]), tag("td", VERDICTS[check["passed"]]))


def section(summary):
    document = read(summary.folder)
    title = tag("h2", "Appendix: can the harness be believed?")
    if document is None:
        return tag("section", title, tag("p", "Not tried on this machine: make check-trust does."))
    env, idle = document.get("env") or {}, document.get("idle_baseline") or {}
    where = f"Tried {document['time_utc']} with iolab {env.get('commit', '')} on Linux {env.get('kernel', '')}"
    if env.get("kernel") != summary.env.get("kernel") or (
            env.get("cpu_model") != summary.env.get("cpu_model")):
        where += ", which is another machine than that of this report"
    if idle.get("busy_pct") is not None:
        where += f"; before it others used {idle['busy_pct']:.0f} % of a CPU"
    head = tag("tr", [tag("th", words, scope="col")
                      for words in ("what", "promise", "what was found", "")])
    return tag("section", title, tag("p", where + "."),
               tag("div", tag("table", tag("thead", head),
                              tag("tbody", [row(check) for check in document["checks"]])),
                   class_="scroll"))
