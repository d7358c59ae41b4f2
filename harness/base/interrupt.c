/* SPDX-License-Identifier: MIT */
#include "base/interrupt.h"

volatile sig_atomic_t interrupt_flag;

void interrupt_request(void)
{
	interrupt_flag = 1;
}
