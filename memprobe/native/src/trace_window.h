/* One window: a watchdog and its child, the tracer. Whatever becomes of them, the kernel lets the target go. */
#ifndef MEMPROBE_TRACE_WINDOW_H
#define MEMPROBE_TRACE_WINDOW_H

#include "trace_shared.h"

#include <sys/types.h>

struct trace_window {
    pid_t watchdog; /* 0: there is none */
    int lifeline;
};

/* Forks; 0 or a negative errno. */
int trace_window_begin(const struct trace_order *order, struct trace_shared *shared, struct trace_window *ret);

/* Whether it is not over yet. What is left of one that is over is collected. */
bool trace_window_goes_on(struct trace_window *window);

/* Ends it and waits until the target has been let go. May be called twice. */
void trace_window_end(struct trace_window *window);

#endif
