#define _GNU_SOURCE

#include "trace_watch.h"

#include "scope.h"
#include "trace_breakpoint.h"
#include "trace_helpers.h"
#include "trace_loop.h"
#include "trace_programs.h"
#include "trace_threads.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <unistd.h>

#define MAX_ARMED 1024
#define ROUNDS 4             /* of listing, while threads that are not armed yet start others */
#define PATIENCE_NS 50000000 /* for threads that cannot be interrupted at present */

/* A word in a thread. */
struct armed {
    pid_t thread;
    int file;
    unsigned word;
    bool is_blocked; /* it would not stand */
    uint64_t passed; /* hits at which it did not stand, as far as they were looked at */
};

static const struct trace_order *order;
static struct trace_shared *shared;
static struct armed armed[MAX_ARMED];
static size_t armed_count;
static uint64_t called_ns, last_hit_ns;
static int signal_number;
static bool some_block; /* the signal */
static enum { NOT_YET, ON, OVER } state;

void trace_watch_begin(const struct trace_order *wanted, struct trace_shared *with)
{
    order = wanted;
    shared = with;
    called_ns = trace_now_ns();
    if (order->word_count == 0)
        state = OVER;
}

bool trace_watch_goes_on(void)
{
    return state != OVER;
}

static uint32_t watched_process(void)
{
    return order->words[0].process;
}

/* The end --------------------------------------------------------------------------------------------- */

static bool is_full(void)
{
    uint64_t hits = 0;

    for (size_t word = 0; word < order->word_count; word++)
        hits += trace_word_hits(&order->words[word]);
    return hits >= order->burst_hits;
}

void trace_watch_end(int error)
{
    if (state == OVER)
        return;
    bool was_on = state == ON;
    uint64_t now_ns = trace_now_ns(), end_ns = was_on && is_full() ? last_hit_ns : now_ns;

    for (; armed_count > 0; armed_count--)
        close(armed[armed_count - 1].file);
    state = OVER;
    shared->burst.error = was_on || error != 0 ? error : EAGAIN;
    if (shared->burst.error == 0)
        trace_tell_words(order, &shared->burst);
    __atomic_store_n(&shared->burst.end_ns, end_ns, __ATOMIC_RELEASE);
}

void trace_watch_exec(uint32_t process)
{
    if (state != OVER && process == watched_process())
        trace_watch_end(ECANCELED);
}

/* Arming ---------------------------------------------------------------------------------------------- */

/* 0 or a negative errno. */
static int arm_word(pid_t thread, unsigned word, bool is_blocked)
{
    const struct trace_word *one = &order->words[word];

    if (armed_count == MAX_ARMED)
        return -EMFILE;
    int file = trace_breakpoint(thread, one->address, one->width, is_blocked ? 0 : signal_number, order->burst_hits);
    if (file < 0)
        return file;
    armed[armed_count++] = (struct armed){thread, file, word, is_blocked, 0};
    return 0;
}

static bool is_armed(pid_t thread)
{
    for (size_t index = 0; index < armed_count; index++)
        if (armed[index].thread == thread)
            return true;
    return false;
}

static void arm(pid_t thread, bool is_blocked)
{
    for (unsigned word = 0; state == ON && word < order->word_count; word++) {
        int failed = arm_word(thread, word, is_blocked);
        if (failed == -ESRCH)
            return; /* it has ended meanwhile */
        if (failed != 0)
            trace_watch_end(-failed);
    }
}

static void scope_closedir(DIR **folder)
{
    if (*folder != NULL)
        closedir(*folder);
}

/* Arms those that are not armed; true if there were any. */
static bool arm_listed(void)
{
    char path[32];
    bool found = false;

    snprintf(path, sizeof(path), "/proc/%u/task", watched_process());
    scope(scope_closedir) DIR *folder = opendir(path);
    for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        pid_t number = atoi(entry->d_name);

        if (number == 0 || is_armed(number))
            continue;
        found = true;
        bool is_blocked = trace_is_blocked(number, signal_number);
        some_block |= is_blocked;
        arm(number, is_blocked);
        trace_serve(WNOHANG); /* those that stand at a hit already should not wait for the others */
    }
    return found;
}

static void begin(void)
{
    signal_number = trace_ignored_signal(watched_process());
    if (signal_number == 0 || shared->prices.error != 0) {
        trace_watch_end(signal_number == 0 ? EBUSY : shared->prices.error);
        return;
    }
    state = ON;
    for (int round = 0; state == ON && round < ROUNDS && arm_listed(); round++)
        ;
    /* What they hit before was taken for nobody's. */
    shared->burst.begin_ns = trace_now_ns();
    trace_enter(watched_process(), 0, NULL);
    for (unsigned word = 0; word < order->word_count; word++)
        trace_watch_word(&order->words[word], word, order->burst_hits);
}

/* A thread begins its life with all signals blocked, and soon has the mask of the one that made it. */
void trace_watch_thread(pid_t number)
{
    if (state == ON && trace_process_of(number) == watched_process() && !is_armed(number))
        arm(number, some_block && trace_is_blocked(number, signal_number));
}

static bool has_reached_all(uint64_t now_ns)
{
    return (trace_waiting() == 0 && trace_interrupted() == 0) || now_ns > called_ns + PATIENCE_NS;
}

void trace_watch_step(void)
{
    uint64_t now_ns = trace_now_ns();

    if (state == NOT_YET && has_reached_all(now_ns))
        begin();
    else if (state == ON && (now_ns > shared->burst.begin_ns + order->burst_ns || is_full()))
        trace_watch_end(0);
}

/* Hits -------------------------------------------------------------------------------------------------- */

static const struct armed *hit_of(pid_t number)
{
    int file = trace_breakpoint_of(number);

    for (size_t index = 0; file >= 0 && index < armed_count; index++)
        if (armed[index].file == file && armed[index].thread == number)
            return &armed[index];
    return NULL;
}

static void forget_words(void)
{
    for (size_t word = 0; word < order->word_count; word++)
        trace_forget_word(&order->words[word]);
}

/* A signal like this of somebody else's may have swallowed one of ours: whose the next difference is, is not known. */
bool trace_watch_is_hit(pid_t number, int signal)
{
    if (state != ON || signal != signal_number)
        return false;
    if (hit_of(number) != NULL)
        return true;
    forget_words();
    return false;
}

/* Whether threads that do not stand at their hits have written to it: one that could not be interrupted yet, or that blocks
 * the signal. */
static bool others_have_written(unsigned word)
{
    bool found = false;

    for (size_t index = 0; index < armed_count; index++) {
        struct armed *one = &armed[index];

        if (one->word != word || (trace_thread(one->thread)->is_traced && !one->is_blocked))
            continue;
        uint64_t hits = trace_breakpoint_hits(one->file);
        found |= hits != one->passed;
        one->passed = hits;
    }
    return found;
}

void trace_watch_hit(pid_t number)
{
    const struct armed *one = hit_of(number);
    struct user_regs_struct registers;

    if (one == NULL || ptrace(PTRACE_GETREGS, number, NULL, &registers) != 0)
        return;
    const struct trace_word *word = &order->words[one->word];
    trace_enter(word->process, (uint32_t)number, &registers);
    if (others_have_written(one->word))
        trace_forget_word(word);
    trace_word_changed(word);
    last_hit_ns = trace_now_ns();
}
