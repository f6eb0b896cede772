/* What the programs ask the kernel for, where a tracer runs them: the helper functions that probes/lib/stubs.h declares. */
#ifndef MEMPROBE_TRACE_HELPERS_H
#define MEMPROBE_TRACE_HELPERS_H

#include "trace_shared.h"

#include <stdint.h>
#include <sys/user.h>

void trace_helpers_begin(const struct trace_order *order, struct trace_shared *shared);

/* The programs run for this thread now, which stands; `registers` may be NULL where a call begins. */
void trace_enter(uint32_t process, uint32_t thread, const struct user_regs_struct *registers);

/* The memory of a process is another one from now on. */
void trace_forget_memory(uint32_t process);

#endif
