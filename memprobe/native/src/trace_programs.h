/* The programs of probes/handles.bpf.c, run by a tracer instead of the kernel: the same C, the same records. */
#ifndef MEMPROBE_TRACE_PROGRAMS_H
#define MEMPROBE_TRACE_PROGRAMS_H

#include "trace_shared.h"

#include <stdbool.h>
#include <stdint.h>

/* What Python has to give: the bytes of a layout, and of the knobs. */
extern const size_t trace_layout_bytes, trace_knobs_bytes;

/* Fills the maps that user space writes. */
void trace_programs_begin(const struct trace_order *order, struct trace_shared *shared);

bool trace_is_followed(uint32_t process);

/* Tells of the fork; false if there is no room for the child. */
bool trace_follow_child(uint32_t parent, uint32_t child);

/* Tells of the exec. No stacks of this process until memprobe has found its new Python. */
void trace_new_program(uint32_t process);

/* Whether the end of this call has to be looked at. */
bool trace_wants(uint64_t number);

/* Of the thread that trace_enter named. Arguments at the end are those of its registers. */
void trace_call_begins(uint64_t number, const uint64_t arguments[6]);
void trace_call_ends(uint64_t number, int64_t result);

#endif
