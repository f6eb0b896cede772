/* The programs are compiled as they are, against the helpers of trace_helpers.c: what a call means is written down once. */
#define MEMPROBE_USER 1

/* Written for another compiler: parameters that a hook gives and nobody uses, numbers of mixed width. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wattributes"
#include "../../../probes/handles.bpf.c"
#define LICENSE LICENSE_OF_WATCH
#include "../../../probes/watch.bpf.c"
#pragma GCC diagnostic pop

#include "trace_programs.h"

_Static_assert(LOSS_COUNT <= TRACE_LOSSES, "every loss has its room");

const size_t trace_layout_bytes = sizeof(struct python_layout), trace_knobs_bytes = sizeof(struct knobs);

static void write_targets(const struct trace_order *order)
{
    for (size_t index = 0; index < order->target_count; index++) {
        const struct trace_target *from = &order->targets[index];
        struct target target = {.runtime = from->runtime, .layout = from->layout, .epoch = from->epoch};

        bpf_map_update_elem(&targets, &from->process, &target, BPF_ANY);
    }
}

void trace_programs_begin(const struct trace_order *order, struct trace_shared *shared)
{
    __u32 zero = 0;

    losses.slots = (__u8 *)shared->losses; /* so that memprobe reads them, whatever becomes of the tracer */
    bpf_map_update_elem(&knobs, &zero, order->knobs, BPF_ANY);
    for (__u32 index = 0; index < order->layout_count; index++)
        bpf_map_update_elem(&layouts, &index, (const struct python_layout *)order->layouts + index, BPF_ANY);
    write_targets(order);
}

bool trace_is_followed(uint32_t process)
{
    return bpf_map_lookup_elem(&targets, &process) != NULL;
}

/* From the view of the process that this is about. */
static void tell(__u32 how, uint32_t files, uint32_t from_files, uint32_t other)
{
    struct process_record *record = reserve(RECORD_PROCESS, sizeof(*record), LOSS_PROCESS_RING_FULL);

    if (!record)
        return;
    record->files = files;
    record->from_files = from_files;
    record->how = how;
    record->other = record->other_local = other;
    record->reserved = 0;
    submit_urgent(record);
}

bool trace_follow_child(uint32_t parent, uint32_t child)
{
    struct target *target = bpf_map_lookup_elem(&targets, &parent), copy;

    if (!target)
        return false;
    copy = *target;
    if (bpf_map_update_elem(&targets, &child, &copy, BPF_ANY)) {
        count_loss(LOSS_TARGETS_FULL);
        return false;
    }
    tell(PROCESS_FORK, child, parent, child);
    return true;
}

void trace_new_program(uint32_t process)
{
    struct target *target = bpf_map_lookup_elem(&targets, &process);

    if (!target)
        return;
    target->runtime = 0;
    target->epoch++;
    tell(PROCESS_EXEC, process, 0, 0);
}

bool trace_wants(uint64_t number)
{
    switch (number) {
    case __NR_recvmsg:
    case __NR_recvmmsg:
    case __NR_clone:
    case __NR_clone3: return true;
    default: return number < MAX_CALLS && meanings[number].how;
    }
}

/* Whether the number was open does not matter: the ledger passes over the death of what it does not know. */
void trace_call_begins(uint64_t number, const uint64_t arguments[6])
{
    __u32 first = (__u32)arguments[0], last = (__u32)arguments[1];

    if (number == __NR_close && (__s32)first >= 0 && handles_wanted())
        died(current_files(), (__s32)first, (__s32)first, DEATH_CLOSE);
    else if (number == __NR_close_range && first <= last && handles_wanted() &&
             !(arguments[2] & (CLOSE_RANGE_CLOEXEC | CLOSE_RANGE_UNSHARE)))
        died(current_files(), clamped(first), clamped(last), DEATH_CLOSE_RANGE);
}

void trace_call_ends(uint64_t number, int64_t result)
{
    struct syscall_exit_context context = {.number = (__s64)number, .result = result};

    switch (number) {
    case __NR_recvmsg: born_by_recvmsg(&context); break;
    case __NR_recvmmsg: born_by_recvmmsg(&context); break;
    case __NR_clone: born_by_clone(&context); break;
    case __NR_clone3: born_by_clone3(&context); break;
    default: born(&context);
    }
}

/* Words that are watched -------------------------------------------------------------------------------- */

static struct watch *watch_of(const struct trace_word *word)
{
    struct watch_key key = {.address = word->address, .pid = word->process};

    return bpf_map_lookup_elem(&watches, &key);
}

void trace_watch_word(const struct trace_word *word, uint32_t index, uint32_t limit)
{
    struct watch_key key = {.address = word->address, .pid = word->process};
    struct watch watch = {.last = WATCH_UNKNOWN, .number = index, .width = word->width, .limit = limit};

    watch.last = watched_word(&watch, word->address);
    bpf_map_update_elem(&watches, &key, &watch, BPF_ANY);
}

void trace_word_changed(const struct trace_word *word)
{
    struct watchpoint_context context = {.address = word->address};

    word_changed(&context);
}

void trace_forget_word(const struct trace_word *word)
{
    struct watch *watch = watch_of(word);

    if (watch)
        watch->last = WATCH_UNKNOWN;
}

uint64_t trace_word_hits(const struct trace_word *word)
{
    const struct watch *watch = watch_of(word);

    return watch ? watch->hits : 0;
}

static void tell_changes(struct trace_burst *burst)
{
    const void *found, *value;

    burst->change_count = 0;
    for (__u32 index = 0; stub_next(&changes, &index, &found, &value) && burst->change_count < TRACE_CHANGES;) {
        const struct change_key *key = found;
        const struct change_total *total = value;

        burst->changes[burst->change_count++] =
            (struct trace_change){key->stack_id, total->added, total->removed, total->hits, key->number};
    }
}

void trace_tell_words(const struct trace_order *order, struct trace_burst *burst)
{
    for (size_t index = 0; index < order->word_count; index++) {
        const struct watch *watch = watch_of(&order->words[index]);

        burst->hits[index] = watch ? watch->hits : 0;
        burst->last[index] = watch ? watch->last : WATCH_UNKNOWN;
    }
    tell_changes(burst);
}
