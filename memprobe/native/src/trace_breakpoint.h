/* A breakpoint of the CPU on writes to a word, at which a traced thread stands at once; gone with the one who has set it. */
#ifndef MEMPROBE_TRACE_BREAKPOINT_H
#define MEMPROBE_TRACE_BREAKPOINT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* For at most so many hits; a signal of 0: they are counted, and nobody stands. A descriptor or a negative errno. */
int trace_breakpoint(pid_t thread, uint64_t address, uint32_t width, int signal, uint32_t hits);

/* How many there were. */
uint64_t trace_breakpoint_hits(int file);

/* Whether the signal that a thread stands at is that of a breakpoint, and of which: a descriptor, or -1. */
int trace_breakpoint_of(pid_t thread);

/* A signal that a process passes over; 0 if it has a handler for each. */
int trace_ignored_signal(uint32_t process);

/* Whether a thread would never stand at it. */
bool trace_is_blocked(pid_t thread, int signal);

#endif
