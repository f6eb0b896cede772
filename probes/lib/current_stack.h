/*
 * current_stack.h - the stack of what runs now, for programs that have a birth or growth to credit.
 *
 * The one place where the handle and growth programs meet python_stack.h. Maps, losses, cost: see there.
 */
#ifndef MEMPROBE_CURRENT_STACK_H
#define MEMPROBE_CURRENT_STACK_H

#include "python_stack.h"
#include "targets.h"

/* 0 if the process is not followed. */
static __always_inline __u64 current_stack(void)
{
	struct target *target = current_target();

	return target ? take_stack(target) : 0;
}

#endif
