/* Which threads are traced, and how one comes to be: seized, and interrupted only where that shows in nothing. */
#ifndef MEMPROBE_TRACE_THREADS_H
#define MEMPROBE_TRACE_THREADS_H

#include "trace_shared.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define TRACE_NO_CALL UINT64_MAX

struct trace_thread {
    uint32_t process; /* 0: not known */
    bool is_traced;
    bool is_interrupted; /* and has not stood yet: what it was in may have been broken off */
    bool is_waiting; /* for a moment at which it may be interrupted; then the rest tells of the last look at it */
    bool was_running;
    uint64_t looked_ns;
    uint64_t runs;      /* how often it was given a CPU */
    uint64_t voluntary; /* how often it gave it back by itself, when it was last seen running */
    uint64_t call;      /* that a traced one is in */
};

void trace_threads_begin(const struct trace_order *order, struct trace_shared *shared);

/* A thread by its number, known or not. */
struct trace_thread *trace_thread(pid_t number);
void trace_forget(pid_t number);

/* A thread that stands: which process it is of, and whether it was made by one that is followed (its parent's number). */
uint32_t trace_process_of(pid_t number);
uint32_t trace_parent_of(uint32_t process);

/* A number in a line of /proc/<number>/status; 0 if it is not there. */
uint64_t trace_status(uint32_t number, const char *name, int base);

/* Seizes the threads of a process that are not traced yet; true if there were any. */
bool trace_reach_process(uint32_t process);

/* Tries some of those that wait. */
void trace_reach_waiting(void);
size_t trace_waiting(void);

/* How many are interrupted. Until then a window should not end: nobody would have their calls go on. */
size_t trace_interrupted(void);

/* To be called at the first stop of a thread: a call that the stop has broken off goes on. */
void trace_restart_call(pid_t number);

/* Ends the tracer, and with it the window: the kernel lets every thread go. */
_Noreturn void trace_finish(enum trace_end end, int error, pid_t thread);

#endif
