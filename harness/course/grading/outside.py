# SPDX-License-Identifier: MIT
"""What the proctor saw of a test from outside, held against the same test on the reference.

A test that passed says so by a word in memory that it shares with the submission, and a submission may
find that word. It may also know by heart what a test expects. So a pass counts only where the test went
its way (it called the engine, made its own system calls, and closed what it opened) and the engine moved
the bytes.
"""
from proctor.findings import Finding

# The test decides how often it calls these. How often it calls submit() and reap(), the engine decides.
BY_THE_TEST = ("open", "attach", "detach", "cancel", "close")
# The proctor leaves out the test's own calls whose number depends on the engine or on time. So do these, which
# supports() makes to try. Of all others, half of what the reference needs must be seen.
OF_SUPPORTS = ("epoll_", "io_", "eventfd", "timerfd", "signalfd", "userfaultfd", "prctl", "prlimit")


def needed(reference, is_layer):
    """{(whose, call): how often, at least} from the reference's outcome. A test that lets each call of the
    engine fail is as long as the engine has calls: then once is enough. So it is where the lab is a layer, which
    decides itself how it calls the engine below."""
    if reference.faults or is_layer:
        # The last call of every test: it removes the folder that it made.
        last = [("own", "rmdir")] if "rmdir" in (reference.own_calls or {}) else []
        return dict.fromkeys([*(("engine", name) for name in reference.engine_calls), *last], 1)
    found = {}
    for name, times in (reference.engine_calls or {}).items():
        found["engine", name] = times if name in BY_THE_TEST else 1
    for name, times in (reference.own_calls or {}).items():
        if not name.startswith(OF_SUPPORTS):
            found["own", name] = (times + 1) // 2
    # What is cancelled need not move, and how much fills a connection is up to the kernel.
    for direction, moved in (reference.engine_moved_bytes or {}).items():
        if moved and "cancel" not in reference.engine_calls:
            found["moved", direction] = (moved + 3) // 4
    return found


def seen_of(outcome, whose, what):
    counts = {"engine": outcome.engine_calls, "own": outcome.own_calls, "moved": outcome.engine_moved_bytes}
    return (counts[whose] or {}).get(what, 0)


def doubt_passes(outcomes, references, is_layer):
    """Tests that passed without going their way have failed. `references`: {name: the reference's
    outcome}."""
    waits = {call for reference in references.values() for call in reference.own_waits}
    has_rings = any(reference.rings for reference in references.values())
    for outcome in outcomes:
        reference = references.get(outcome.name)
        # What goes through a ring is in none of the counts.
        if outcome.status == "passed" and outcome.rings and not has_rings:
            outcome.status, outcome.findings = "failed", [Finding("uses_ring")]
        # What the engine may not call, it may make the test call. A layer is no engine, and waits itself.
        strange = [] if is_layer else [call for call in outcome.own_waits if call not in waits]
        if outcome.status == "passed" and strange:
            outcome.status, outcome.findings = "failed", [Finding("waits_outside", {"call": strange[0]})]
        if outcome.status != "passed" or not reference or reference.engine_calls is None:
            continue
        for (whose, call), times in needed(reference, is_layer).items():
            seen = seen_of(outcome, whose, call)
            if seen < times:
                outcome.status = "failed"
                outcome.findings = [Finding("does_less", {"whose": whose, "call": call, "seen": seen,
                                                          "needed": times})]
                break
