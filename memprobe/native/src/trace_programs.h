/* The programs of probes/handles.bpf.c and probes/watch.bpf.c, run by a tracer instead of the kernel: the same C, the same
 * records. */
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

/* A word is watched from now on; it is as it is now. Its process is the one that trace_enter named. */
void trace_watch_word(const struct trace_word *word, uint32_t index, uint32_t limit);

/* The thread that trace_enter named has written to it. */
void trace_word_changed(const struct trace_word *word);

/* The next difference is nobody's. */
void trace_forget_word(const struct trace_word *word);

uint64_t trace_word_hits(const struct trace_word *word);

/* Tells what was seen of all words. */
void trace_tell_words(const struct trace_order *order, struct trace_burst *burst);

#endif
