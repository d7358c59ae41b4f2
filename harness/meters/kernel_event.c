/* SPDX-License-Identifier: MIT */
#include "meters/kernel_event.h"

#include <string.h>

const struct kernel_tracepoint kernel_tracepoints[KERNEL_EVENT_KINDS] = {
	[EVENT_SYSCALL_ENTER] = { "raw_syscalls", "sys_enter", { "id" } },
	[EVENT_SYSCALL_EXIT] = { "raw_syscalls", "sys_exit", { "id", "ret" } },
	[EVENT_SWITCH] = { "sched", "sched_switch", { "prev_pid", "next_pid", "prev_state" } },
	[EVENT_WAKING] = { "sched", "sched_waking", { "pid" } },
	[EVENT_IRQ_ENTER] = { "irq", "irq_handler_entry", { "irq" } },
	[EVENT_IRQ_EXIT] = { "irq", "irq_handler_exit", { "irq" } },
	[EVENT_SOFTIRQ_RAISE] = { "irq", "softirq_raise", { "vec" } },
	[EVENT_SOFTIRQ_ENTER] = { "irq", "softirq_entry", { "vec" } },
	[EVENT_SOFTIRQ_EXIT] = { "irq", "softirq_exit", { "vec" } },
	[EVENT_BLOCK_INSERT] = { "block", "block_rq_insert", { "dev", "sector" } },
	[EVENT_BLOCK_ISSUE] = { "block", "block_rq_issue", { "dev", "sector" } },
	[EVENT_BLOCK_COMPLETE] = { "block", "block_rq_complete", { "dev", "sector" } },
	[EVENT_PACKET_QUEUE] = { "net", "net_dev_queue", { "skbaddr" } },
	[EVENT_PACKET_RECEIVE] = { "net", "netif_receive_skb", { "skbaddr" } },
	[EVENT_SOCKET_READY] = { "sock", "sk_data_ready", { "skaddr" } },
	[EVENT_URING_SUBMIT] = { "io_uring", "io_uring_submit_req", { "ctx" } },
	[EVENT_URING_COMPLETE] = { "io_uring", "io_uring_complete", { "ctx" } },
};

enum kernel_event_kind kernel_event_kind_of(const char *name)
{
	unsigned kind = 0;
	while (kind < KERNEL_EVENT_KINDS && strcmp(kernel_tracepoints[kind].name, name) != 0)
		kind++;
	return (enum kernel_event_kind)kind;
}
