# SPDX-License-Identifier: MIT
"""Files of the first version of each format, which had sentences where identifiers and values are now.

They become files of today before anything else looks at them. All that the plots know of that version
is here; harness/summary/first_run.c does the same for runs.jsonl.
"""
SCHEMAS = {  # today's: the one before
    "iolab.summary.v2": "iolab.summary.v1", "iolab.timeline.v3": "iolab.timeline.v2",
    "iolab.overlap.v2": "iolab.overlap.v1", "iolab.responsiveness.v2": "iolab.responsiveness.v1",
    "iolab.steps.v2": "iolab.steps.v1", "iolab.matrix.v2": "iolab.matrix.v1",
    "iolab.doctor.v2": "iolab.doctor.v1", "iolab.study.v2": "iolab.study.v1"}

ID = "v1"  # of a sentence as a remark, as the C program has it
KNOWN = {"hardware counters: ": "hardware_not_counted"}  # how sentences begin that something looks for
REASONS = ("reason", "threads_reason", "syscalls_reason", "stand_in_reason", "ratio_reason", "cause", "cure")
METHODS = {"order statistics of the rounds (sign test)": "order_statistics",
           "geometric mean of the rounds' ratios, Student's t on their logarithms": "paired_t_of_logarithms"}
VERDICTS = {"no difference shown": "none"}
AXES = {
    "conns": {"x_label": "connections", "x_unit": "connection"},
    "depth": {"x_label": "depth (operations offered)",
              "x_about": "“Depth” is how many operations are offered at a time."},
    "rate": {"x_about": "“Rate” is how many operations are due in a second, whether the earlier ones are "
                        "finished or not."}}


def readable(schema):
    """The schemas of files that can be read as this one."""
    return [found for found in (SCHEMAS.get(schema), schema) if found]


def upgraded(content, schema):
    """`content`, an object whose "schema" is one of readable(schema), as that schema has it. Nothing has
    been checked: what is damaged stays as it is."""
    return {**_upgraded(content), "schema": schema} if content["schema"] == SCHEMAS.get(schema) else content


def remark(sentence):
    """As JSON has it; anything but a sentence stays as it is."""
    if not isinstance(sentence, str):
        return sentence
    for beginning, id_ in KNOWN.items():
        if sentence.startswith(beginning):
            return {"id": id_, "values": {}, "text": "{cause}", "cause": remark(sentence.removeprefix(beginning))}
    return {"id": ID, "values": {"sentence": sentence}, "text": "{sentence}"}


def _panel(title):
    """The title is all that is known; it begins with the name of the workload."""
    name = title.split()[0].rstrip(",") if title.strip() else ""
    return {"id": name, "values": {"title": title}, "text": title}


def _topic(words):
    return {"id": words.replace(" ", "_"), "values": {}, "text": words}


def _value(key, value):
    if isinstance(value, str):
        if key in REASONS:
            return remark(value)
        if key == "panel":
            return _panel(value)
        if key == "topic":
            return _topic(value)
        if key == "verdict":
            return VERDICTS.get(value, value)
        if key in ("method", "ratio_method"):
            return METHODS.get(value, value)
    if key == "engine" and value == {"label": "no I/O"}:
        return None
    if key == "warnings" and isinstance(value, list):
        return [remark(warning) for warning in value]
    if key == "missing" and isinstance(value, dict):  # of study.json: by name, why it was not made
        return {name: remark(why) for name, why in value.items()}
    return _upgraded(value)


def _upgraded(content):
    if isinstance(content, list):
        return [_upgraded(item) for item in content]
    if not isinstance(content, dict):
        return content
    found = {key: _value(key, value) for key, value in content.items()}
    if isinstance(found.get("x_name"), str):
        found = {**AXES.get(found["x_name"], {}), **found}
    if "syscalls_per_op" in found and isinstance(found.get("metrics"), dict):
        _move_calls(found)
    return found


def _move_calls(configuration):
    """System calls stood beside the metrics: the median, and {min, max, count} of the runs."""
    median, spread = configuration.pop("syscalls_per_op"), configuration.pop("syscalls_spread", None)
    if median is not None:
        configuration["metrics"]["syscalls_per_op"] = {
            "median": median, **(spread if isinstance(spread, dict) else {})}
