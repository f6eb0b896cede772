#define _GNU_SOURCE

#include "trace_window.h"

#include "trace_loop.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define GETS_ON_NS 250000000
#define RUNS_NS 5000000000 /* on a machine with far too much to do it may wait for a CPU so long */
#define LOOK_MS 50
#define ASKED_AGAIN_NS 1000000
#define MOST_ASKED 1000

static volatile sig_atomic_t is_orphan;

static void orphaned(int signal)
{
    (void)signal;
    is_orphan = 1;
}

/* The kernel sends this process a signal when the thread that forked it ends. */
static void end_with(pid_t parent, int signal)
{
    prctl(PR_SET_PDEATHSIG, signal);
    if (getppid() != parent)
        _exit(0); /* it ended before the kernel knew what to do then */
}

static void forget_signals(void)
{
    static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
    sigset_t none;

    for (size_t index = 0; index < sizeof(ignored) / sizeof(*ignored); index++)
        signal(ignored[index], SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void close_between(unsigned first, unsigned last)
{
    if (first > last || syscall(SYS_close_range, first, last, 0) == 0)
        return;
    for (unsigned long file = first; file <= last && file < (unsigned long)sysconf(_SC_OPEN_MAX); file++)
        close((int)file);
}

/* No file that others may wait for stays open, no terminal reaches it. */
static void stand_alone(int one, int other)
{
    unsigned low = (unsigned)(one < other ? one : other), high = (unsigned)(one < other ? other : one);

    setsid(); /* Ctrl-C and Ctrl-Z are for a whole terminal */
    forget_signals();
    for (int standard = 0, null = open("/dev/null", O_RDWR); standard < 3; standard++)
        dup2(null, standard);
    close_between(3, low - 1);
    close_between(low + 1, high - 1);
    close_between(high + 1, ~0U);
}

_Noreturn static void kill_tracer(pid_t tracer, struct trace_shared *shared, enum trace_end why)
{
    kill(tracer, SIGKILL);
    waitpid(tracer, NULL, __WALL);
    if (shared->end == TRACE_GOES_ON)
        shared->end = why;
    _exit(0);
}

/* First it is asked: calls that it has just broken off go on then. */
_Noreturn static void end_tracer(pid_t tracer, struct trace_shared *shared, enum trace_end why)
{
    struct timespec pause = {0, ASKED_AGAIN_NS};

    __atomic_store_n(&shared->wanted_end, why, __ATOMIC_RELEASE);
    for (int asked = 0; asked < MOST_ASKED; asked++) {
        kill(tracer, SIGALRM); /* it waits for threads to stop */
        nanosleep(&pause, NULL);
        if (waitpid(tracer, NULL, WNOHANG | __WALL) == tracer)
            _exit(0);
    }
    kill_tracer(tracer, shared, why);
}

/* Nothing is ever written to the lifeline; its end is that of memprobe, or what memprobe wants. */
static void listen_to(int lifeline, pid_t tracer, struct trace_shared *shared)
{
    struct pollfd waiting = {.fd = lifeline, .events = POLLIN};

    if (poll(&waiting, 1, LOOK_MS) > 0 || is_orphan)
        end_tracer(tracer, shared, TRACE_UNATTENDED);
}

/* Collects a tracer that has ended; one that was stopped itself is killed. */
static void look_at(pid_t tracer, struct trace_shared *shared)
{
    int status;

    if (waitpid(tracer, &status, WNOHANG | WUNTRACED | __WALL) != tracer)
        return;
    if (WIFSTOPPED(status))
        kill_tracer(tracer, shared, TRACE_HUNG);
    if (shared->end == TRACE_GOES_ON)
        shared->end = TRACE_HUNG; /* somebody has killed it */
    _exit(0);
}

/* Whether a process runs or waits for a CPU. */
static bool wants_to_run(pid_t process)
{
    char path[32], text[256] = {0};

    snprintf(path, sizeof(path), "/proc/%d/stat", process);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return false;
    ssize_t length = read(file, text, sizeof(text) - 1);
    close(file);
    const char *name_end = length > 0 ? strrchr(text, ')') : NULL;
    return name_end != NULL && strncmp(name_end, ") R", 3) == 0;
}

static bool is_hung(pid_t tracer, const struct trace_shared *shared)
{
    uint64_t since_ns = __atomic_load_n(&shared->busy_since_ns, __ATOMIC_ACQUIRE), now_ns = trace_now_ns();

    if (since_ns == 0 || now_ns < since_ns + GETS_ON_NS)
        return false;
    return now_ns > since_ns + RUNS_NS || !wants_to_run(tracer);
}

_Noreturn static void watch(pid_t tracer, int lifeline, struct trace_shared *shared)
{
    for (;;) {
        listen_to(lifeline, tracer, shared);
        look_at(tracer, shared);
        if (trace_now_ns() > shared->attended_ns + TRACE_ATTENDED_NS)
            end_tracer(tracer, shared, TRACE_UNATTENDED);
        if (is_hung(tracer, shared))
            kill_tracer(tracer, shared, TRACE_HUNG);
    }
}

_Noreturn static void be_watchdog(pid_t memprobe, int lifeline, const struct trace_order *order,
                                  struct trace_shared *shared)
{
    struct sigaction ending = {.sa_handler = orphaned};

    stand_alone(lifeline, order->wake);
    sigaction(SIGUSR1, &ending, NULL);
    end_with(memprobe, SIGUSR1);
    pid_t self = getpid(), tracer = fork();
    if (tracer < 0)
        _exit(0);
    if (tracer == 0) {
        close(lifeline);
        end_with(self, SIGKILL);
        trace_run(order, shared);
    }
    close(order->wake);
    watch(tracer, lifeline, shared);
}

/* The three standard files become others in the watchdog. */
static int above_standard(int file)
{
    int other = fcntl(file, F_DUPFD_CLOEXEC, 3);

    close(file);
    return other;
}

int trace_window_begin(const struct trace_order *order, struct trace_shared *shared, struct trace_window *ret)
{
    int ends[2];
    pid_t memprobe = getpid();

    if (pipe2(ends, O_CLOEXEC) != 0)
        return -errno;
    ends[0] = above_standard(ends[0]);
    shared->attended_ns = trace_now_ns();
    shared->end = shared->wanted_end = TRACE_GOES_ON;
    shared->error = shared->thread = 0;
    shared->reached = 0;
    shared->burst.end_ns = shared->burst.begin_ns = 0;
    shared->burst.change_count = 0;
    shared->busy_since_ns = shared->counts.cpu_ns = 0;
    pid_t watchdog = fork();
    int err = errno;
    if (watchdog == 0)
        be_watchdog(memprobe, ends[0], order, shared);
    close(ends[0]);
    if (watchdog < 0) {
        close(ends[1]);
        return -err;
    }
    *ret = (struct trace_window){watchdog, ends[1]};
    return 0;
}

static void collected(struct trace_window *window)
{
    close(window->lifeline);
    window->watchdog = 0;
}

bool trace_window_goes_on(struct trace_window *window)
{
    if (window->watchdog != 0 && waitpid(window->watchdog, NULL, WNOHANG) != 0)
        collected(window);
    return window->watchdog != 0;
}

void trace_window_end(struct trace_window *window)
{
    if (window->watchdog == 0)
        return;
    close(window->lifeline);
    window->lifeline = -1;
    while (waitpid(window->watchdog, NULL, 0) < 0 && errno == EINTR)
        ;
    window->watchdog = 0;
}
