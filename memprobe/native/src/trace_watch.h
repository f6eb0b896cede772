/* Bursts: for a short time the threads of one process stand wherever they write to a word, and the program of
 * probes/watch.bpf.c looks who that was. */
#ifndef MEMPROBE_TRACE_WATCH_H
#define MEMPROBE_TRACE_WATCH_H

#include "trace_shared.h"

#include <stdbool.h>
#include <sys/types.h>

void trace_watch_begin(const struct trace_order *order, struct trace_shared *shared);

/* Arms the threads when all have been reached, and takes the breakpoints away when the time is up. */
void trace_watch_step(void);

/* Whether there is a burst that is not over yet. */
bool trace_watch_goes_on(void);

/* A thread that stands for the first time: it may be new. */
void trace_watch_thread(pid_t number);

/* Whether a thread stands because it has written to a word: then the signal is not for the target. */
bool trace_watch_is_hit(pid_t number, int signal);
void trace_watch_hit(pid_t number);

/* A process is another program from now on: its words are not there any more. */
void trace_watch_exec(uint32_t process);

/* Ends the burst; with an error (an errno) nothing counts of what was seen. */
void trace_watch_end(int error);

#endif
