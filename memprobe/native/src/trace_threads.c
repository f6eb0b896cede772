#define _GNU_SOURCE

#include "trace_threads.h"

#include "scope.h"
#include "trace_loop.h"

#include <asm/unistd.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <unistd.h>

/* include/linux/threads.h: PID_MAX_LIMIT. Of the table only the pages are there that are used. */
#define THREADS (1u << 22)

#define MAX_WAITING 1024
#define TRIED_AT_ONCE 4

#define JUST_NS 10000000
#define WAIT_FOR_ALL 0x100 /* MSG_WAITALL */
#define PF_EXITING 0x4
#define ERESTARTNOHAND 514 /* include/linux/errno.h: again, unless a handler runs; never seen by a program */

static struct trace_thread *threads;
static struct trace_shared *shared;
static long options;
static pid_t waiting[MAX_WAITING];
static size_t waiting_count, next_tried, interrupted;

static void scope_close(int *file)
{
    if (*file >= 0)
        close(*file);
}

static void scope_closedir(DIR **folder)
{
    if (*folder != NULL)
        closedir(*folder);
}

void trace_threads_begin(const struct trace_order *order, struct trace_shared *with)
{
    shared = with;
    threads = mmap(NULL, THREADS * sizeof(*threads), PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (threads == MAP_FAILED)
        trace_finish(TRACE_REFUSED, errno, 0);
    /* Without TRACESYSGOOD a thread at a stop would take the end of the tracer for a SIGTRAP. Never EXITKILL. */
    options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC;
    if (order->follows_children)
        options |= PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK;
}

struct trace_thread *trace_thread(pid_t number)
{
    return &threads[(uint32_t)number % THREADS];
}

size_t trace_interrupted(void)
{
    return interrupted;
}

static void stands(struct trace_thread *thread)
{
    interrupted -= thread->is_interrupted;
    thread->is_interrupted = false;
}

void trace_forget(pid_t number)
{
    stands(trace_thread(number));
    *trace_thread(number) = (struct trace_thread){0};
}

size_t trace_waiting(void)
{
    return waiting_count;
}

_Noreturn void trace_finish(enum trace_end end, int error, pid_t thread)
{
    shared->error = error;
    shared->thread = thread;
    __atomic_store_n(&shared->end, end, __ATOMIC_RELEASE);
    _exit(0);
}

/* /proc ------------------------------------------------------------------------------------------------- */

/* The beginning of a file of a thread or process; false if it cannot be read. */
static bool read_file(const char *path, char *text, size_t size)
{
    scope(scope_close) int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = file < 0 ? -1 : read(file, text, size - 1);

    text[length > 0 ? length : 0] = 0;
    return length > 0;
}

uint64_t trace_status(uint32_t number, const char *name, int base)
{
    char path[32], text[4096];

    snprintf(path, sizeof(path), "/proc/%u/status", number);
    const char *line = read_file(path, text, sizeof(text)) ? strstr(text, name) : NULL;
    return line == NULL ? 0 : strtoull(line + strlen(name), NULL, base);
}

uint32_t trace_process_of(pid_t number)
{
    struct trace_thread *thread = trace_thread(number);

    if (thread->process == 0) {
        thread->process = (uint32_t)trace_status((uint32_t)number, "\nTgid:", 10);
        thread->call = TRACE_NO_CALL;
    }
    return thread->process;
}

uint32_t trace_parent_of(uint32_t process)
{
    return (uint32_t)trace_status(process, "\nPPid:", 10);
}

static bool has_ended(uint32_t process, pid_t number)
{
    char path[64], text[1024], state;
    unsigned flags;

    snprintf(path, sizeof(path), "/proc/%u/task/%d/stat", process, number);
    const char *rest = read_file(path, text, sizeof(text)) ? strrchr(text, ')') : NULL;
    if (rest == NULL || sscanf(rest, ") %c %*d %*d %*d %*d %*d %u", &state, &flags) != 2)
        return true;
    return state == 'Z' || state == 'X' || flags & PF_EXITING;
}

/* The right moment -------------------------------------------------------------------------------------- */

/* Calls that come back with a part of what they are to transfer, or with EINTR, if they are interrupted. */
static bool is_delicate(uint64_t number, const uint64_t arguments[6])
{
    switch (number) {
    case __NR_recvfrom: return arguments[3] & WAIT_FOR_ALL;
    case __NR_recvmsg: return arguments[2] & WAIT_FOR_ALL;
    case __NR_recvmmsg:
    case __NR_write:
    case __NR_writev:
    case __NR_sendto:
    case __NR_sendmsg:
    case __NR_sendmmsg:
    case __NR_sendfile:
    case __NR_splice:
    case __NR_vmsplice:
    case __NR_tee:
    case __NR_copy_file_range:
    case __NR_getrandom:
    case __NR_connect:
    case __NR_io_uring_enter: return true;
    default: return false;
    }
}

/* Calls that have their time limit anew if they are interrupted and made to go on (trace_restart_call). */
static bool has_limit(uint64_t number, const uint64_t arguments[6])
{
    switch (number) {
    case __NR_epoll_wait:
    case __NR_epoll_pwait: return (int32_t)arguments[3] > 0;
    case __NR_epoll_pwait2:
    case __NR_semtimedop: return arguments[3] != 0;
    case __NR_rt_sigtimedwait: return arguments[2] != 0;
    case __NR_io_getevents:
    case __NR_io_pgetevents: return arguments[4] != 0;
    default: return false;
    }
}

/* The call that a thread waits in; false if it runs, whether in a call or not. */
static bool waits_in(uint32_t process, pid_t number, uint64_t *ret_call, uint64_t ret_arguments[6])
{
    char path[64], text[256];
    uint64_t *to = ret_arguments;

    snprintf(path, sizeof(path), "/proc/%u/task/%d/syscall", process, number);
    return read_file(path, text, sizeof(text))
           && sscanf(text, "%" SCNu64 " %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64,
                     ret_call, &to[0], &to[1], &to[2], &to[3], &to[4], &to[5])
                  == 7;
}

static uint64_t runs_of(uint32_t process, pid_t number)
{
    char path[64], text[128];
    uint64_t runs = 0;

    snprintf(path, sizeof(path), "/proc/%u/task/%d/schedstat", process, number);
    if (read_file(path, text, sizeof(text)))
        sscanf(text, "%*u %*u %" SCNu64, &runs);
    return runs;
}

/* A thread that runs may be in the middle of a write that will have to wait. One that has not waited since the last look
 * is busy with something else: it would have filled any pipe by now. */
static bool runs_on(pid_t number, struct trace_thread *thread)
{
    uint64_t before = thread->voluntary;

    thread->voluntary = trace_status((uint32_t)number, "\nvoluntary_ctxt_switches:", 10);
    return thread->is_waiting && thread->voluntary == before;
}

/* Whether a thread may be interrupted now. A time limit that begins anew must just have begun. */
static bool is_good_moment(uint32_t process, pid_t number)
{
    struct trace_thread *thread = trace_thread(number);
    uint64_t call, arguments[6], now_ns = trace_now_ns(), runs = runs_of(process, number);
    bool is_recent = thread->is_waiting && now_ns - thread->looked_ns < JUST_NS;
    bool has_moved = thread->was_running || thread->runs != runs;
    bool waits = waits_in(process, number, &call, arguments);

    thread->looked_ns = now_ns;
    thread->runs = runs;
    thread->was_running = !waits;
    if (!waits)
        return runs_on(number, thread);
    if (has_limit(call, arguments))
        return is_recent && has_moved;
    return !is_delicate(call, arguments);
}

/* Seizing ----------------------------------------------------------------------------------------------- */

static void refused(uint32_t process, pid_t number, int error)
{
    if (error == ESRCH || has_ended(process, number)) {
        trace_forget(number);
        return;
    }
    if (trace_status((uint32_t)number, "\nTracerPid:", 10) == (uint64_t)getpid())
        return; /* born to a thread that is traced, a moment ago */
    trace_finish(TRACE_REFUSED, error, number);
}

static void seize(uint32_t process, pid_t number)
{
    struct trace_thread *thread = trace_thread(number);

    stands(thread);
    *thread = (struct trace_thread){.process = process, .is_traced = true, .call = TRACE_NO_CALL};
    if (ptrace(PTRACE_SEIZE, number, NULL, (void *)options) != 0) {
        refused(process, number, errno);
        return;
    }
    shared->reached++;
    thread->is_interrupted = ptrace(PTRACE_INTERRUPT, number, NULL, NULL) == 0;
    interrupted += thread->is_interrupted;
}

/* False: it has to wait. */
static bool reach(uint32_t process, pid_t number)
{
    shared->busy_since_ns = trace_now_ns();
    if (!is_good_moment(process, number))
        return false;
    seize(process, number);
    return true;
}

static void keep_waiting(uint32_t process, pid_t number)
{
    if (waiting_count == MAX_WAITING)
        return; /* tried again when the threads are listed next */
    trace_thread(number)->process = process;
    trace_thread(number)->is_waiting = true;
    waiting[waiting_count++] = number;
}

bool trace_reach_process(uint32_t process)
{
    char path[32];
    bool found = false;

    snprintf(path, sizeof(path), "/proc/%u/task", process);
    scope(scope_closedir) DIR *folder = opendir(path);
    for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        pid_t number = atoi(entry->d_name);
        const struct trace_thread *thread = trace_thread(number);

        if (number == 0 || (thread->process == process && (thread->is_traced || thread->is_waiting)))
            continue;
        found = true;
        if (!reach(process, number))
            keep_waiting(process, number);
        trace_serve(WNOHANG); /* those that stand already should not wait for the others */
    }
    return found;
}

static bool is_there(uint32_t process, pid_t number)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%u/task/%d", process, number);
    return access(path, F_OK) == 0;
}

void trace_reach_waiting(void)
{
    for (int tried = 0; tried < TRIED_AT_ONCE && waiting_count > 0; tried++) {
        next_tried = (next_tried + 1) % waiting_count;
        pid_t number = waiting[next_tried];
        struct trace_thread *thread = trace_thread(number);
        uint32_t process = thread->process;

        if (thread->is_waiting && is_there(process, number) && !reach(process, number))
            continue;
        thread->is_waiting = false;
        waiting[next_tried] = waiting[--waiting_count];
    }
}

/* Broken off ---------------------------------------------------------------------------------------------- */

/* Calls that end with EINTR after a stop, and then have done nothing: those that wait for events, and sockets with a limit. */
static bool may_begin_again(uint64_t number)
{
    switch (number) {
    case __NR_epoll_wait:
    case __NR_epoll_pwait:
    case __NR_epoll_pwait2:
    case __NR_semop:
    case __NR_semtimedop:
    case __NR_rt_sigtimedwait:
    case __NR_io_getevents:
    case __NR_io_pgetevents:
    case __NR_read:
    case __NR_readv:
    case __NR_recvfrom:
    case __NR_recvmsg:
    case __NR_accept:
    case __NR_accept4: return true;
    default: return false;
    }
}

/* The thread has not seen the result yet: the kernel is told what it tells itself of most other calls. A signal
 * whose handler is about to run still breaks it off. Nothing else is ever written to a target. */
void trace_restart_call(pid_t number)
{
    struct user_regs_struct registers;

    stands(trace_thread(number));
    if (ptrace(PTRACE_GETREGS, number, NULL, &registers) != 0)
        return;
    if ((int64_t)registers.rax != -EINTR || !may_begin_again(registers.orig_rax))
        return;
    registers.rax = (unsigned long long)-ERESTARTNOHAND;
    if (ptrace(PTRACE_SETREGS, number, NULL, &registers) == 0)
        shared->counts.restarted++;
}
