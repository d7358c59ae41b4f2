# SPDX-License-Identifier: MIT
"""The figures, in the order in which they are read. To add one: describe it in a file of its own, and
name it here."""
from figures import (batching, block_size, connections, cpu_per_op, cpu_shares, depth_curve,
                     depth_one, depth_syscalls, durability, each_option, hardware_counters, idle_descriptors,
                     latency_distribution, latency_throughput, loop_lateness, matrix, offered_load,
                     operator, operator_timeline, overlap, responsiveness, staircase, steps, styles,
                     syscalls, threads_cores, throughput, timeline, upcall)

# Of the folder's comparison.
PANELS = tuple(module.FIGURE for module in (
    throughput, cpu_per_op, latency_throughput, latency_distribution, syscalls))
# Traces and tables.
TRACES = tuple(module.FIGURE for module in (timeline, steps, overlap, matrix, responsiveness, loop_lateness,
                                                 operator, operator_timeline, upcall, styles))
# Of the literature: each has comparisons of its own.
LITERATURE = tuple(module.FIGURE for module in (
    depth_one, depth_curve, depth_syscalls, batching, staircase, each_option, block_size, threads_cores, cpu_shares,
    durability, connections, idle_descriptors, offered_load, hardware_counters))
BESIDE = TRACES + LITERATURE  # the comparison
ALL = PANELS + BESIDE


def judged(figures):
    """Those that have a claim."""
    return tuple(figure for figure in figures if figure.claim)
