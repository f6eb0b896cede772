/*
 * A debug register that is set by ptrace itself (PTRACE_POKEUSER) stays set when the tracer is killed, and the next hit is a
 * SIGTRAP that nobody takes: the target would be killed by it. So it is an event of perf, which is gone as soon as its
 * descriptor is, and the kernel closes the descriptors of a process that ends before it lets go of those that it traces.
 * The event sends the thread a signal that the process passes over (SIGURG, SIGWINCH): a traced thread stands at it, and
 * the tracer takes it away; if there is no tracer any more, the kernel throws it away.
 */
#define _GNU_SOURCE

#include "trace_breakpoint.h"

#include "trace_threads.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool sends(int file, pid_t thread, int signal)
{
    struct f_owner_ex owner = {F_OWNER_TID, thread};

    return fcntl(file, F_SETOWN_EX, &owner) == 0 && fcntl(file, F_SETSIG, signal) == 0
           && fcntl(file, F_SETFL, O_NONBLOCK | O_ASYNC) == 0;
}

int trace_breakpoint(pid_t thread, uint64_t address, uint32_t width, int signal, uint32_t hits)
{
    struct perf_event_attr wanted = {
        .type = PERF_TYPE_BREAKPOINT,
        .size = sizeof(wanted),
        .bp_type = HW_BREAKPOINT_W,
        .bp_addr = address,
        .bp_len = width,
        .sample_period = 1,
        .wakeup_events = 1,
        .disabled = 1,
        .exclude_kernel = 1,
        .exclude_hv = 1,
    };
    int file = (int)syscall(SYS_perf_event_open, &wanted, thread, -1, -1, PERF_FLAG_FD_CLOEXEC);

    if (file < 0)
        return -errno;
    if ((signal == 0 || sends(file, thread, signal)) && ioctl(file, PERF_EVENT_IOC_REFRESH, hits) == 0)
        return file;
    int err = errno;
    close(file);
    return -err;
}

uint64_t trace_breakpoint_hits(int file)
{
    uint64_t count = 0;

    return read(file, &count, sizeof(count)) == sizeof(count) ? count : 0;
}

int trace_breakpoint_of(pid_t thread)
{
    siginfo_t info;

    if (ptrace(PTRACE_GETSIGINFO, thread, NULL, &info) != 0)
        return -1;
    return info.si_code == POLL_IN || info.si_code == POLL_HUP ? info.si_fd : -1;
}

static bool has(uint64_t set, int signal)
{
    return set >> (signal - 1) & 1;
}

int trace_ignored_signal(uint32_t process)
{
    uint64_t caught = trace_status(process, "\nSigCgt:", 16);

    if (!has(caught, SIGURG))
        return SIGURG;
    return has(caught, SIGWINCH) ? 0 : SIGWINCH;
}

bool trace_is_blocked(pid_t thread, int signal)
{
    return has(trace_status((uint32_t)thread, "\nSigBlk:", 16), signal);
}
