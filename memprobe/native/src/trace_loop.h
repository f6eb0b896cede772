/* The tracer of one window: waits for threads to stop, has the programs look, lets them go on. */
#ifndef MEMPROBE_TRACE_LOOP_H
#define MEMPROBE_TRACE_LOOP_H

#include "trace_shared.h"

#include <sys/wait.h>

/* Never returns; the process ends with the window. */
_Noreturn void trace_run(const struct trace_order *order, struct trace_shared *shared);

/* Serves the threads that stand; waits for the first unless flags have WNOHANG. 0 or a negative errno. */
int trace_serve(int flags);

#endif
