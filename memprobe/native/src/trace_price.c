#define _GNU_SOURCE

#include "trace_price.h"

#include "trace_breakpoint.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS 3 /* disturbances only ever add: the least counts */
#define TIMES 100
#define LEAST_NS 500
#define ASSUMED_STOP_NS 4000 /* where it cannot be measured */
#define ASSUMED_HIT_NS 13000
#define SIGNAL SIGURG

/* Shared with the child. */
struct sample {
    volatile uint64_t word;
    volatile uint64_t lasted_ns;
};

struct stops {
    uint64_t count;
    uint64_t own_ns; /* from where the tracer learns of them until it has let the child go on */
};

/* Calls the kernel, or writes to the word, while its parent traces it. */
_Noreturn static void be_child(pid_t parent, struct sample *sample, bool writes)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent || ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
        _exit(1);
    raise(SIGSTOP);
    uint64_t begun_ns = trace_now_ns();
    for (int count = 0; count < TIMES; count++) {
        if (writes)
            sample->word++;
        else
            syscall(SYS_getppid);
    }
    sample->lasted_ns = trace_now_ns() - begun_ns;
    _exit(0);
}

/* False once it has ended. */
static bool stands(pid_t child)
{
    int status;

    return waitpid(child, &status, __WALL) == child && WIFSTOPPED(status);
}

/* Until the child ends. Every stop is one that was asked for: nobody else knows the child. */
static struct stops follow(pid_t child, bool writes)
{
    int how = writes ? PTRACE_CONT : PTRACE_SYSCALL;
    struct stops stops = {0, 0};

    for (ptrace(how, child, NULL, NULL); stands(child); stops.count++) {
        uint64_t since_ns = trace_now_ns();
        ptrace(how, child, NULL, NULL);
        stops.own_ns += trace_now_ns() - since_ns;
    }
    return stops;
}

/* Watches the word if it is to be written. 0 or a negative errno. */
static int prepare(pid_t child, const struct sample *sample, bool writes, int *ret_file)
{
    if (!stands(child) || ptrace(PTRACE_SETOPTIONS, child, NULL, PTRACE_O_TRACESYSGOOD) != 0)
        return -EPERM;
    *ret_file = writes ? trace_breakpoint(child, (uintptr_t)&sample->word, sizeof(sample->word), SIGNAL, 2 * TIMES)
                       : -1;
    return writes && *ret_file < 0 ? *ret_file : 0;
}

/* What one stop costs in nanoseconds, or a negative errno. */
static int64_t price(struct sample *sample, bool writes)
{
    int file = -1;
    pid_t self = getpid(), child = fork();

    if (child == 0)
        be_child(self, sample, writes);
    if (child < 0)
        return -errno;
    int failed = prepare(child, sample, writes, &file);
    struct stops stops = follow(child, writes);
    if (file >= 0)
        close(file);
    if (failed != 0)
        return failed;
    /* A hit that does not stop the thread there and then would be taken for another line's. */
    if (writes && stops.count != TIMES)
        return -EPROTO;
    if (stops.count == 0 || sample->lasted_ns <= stops.own_ns)
        return LEAST_NS;
    return (int64_t)((sample->lasted_ns - stops.own_ns) / stops.count);
}

static int64_t least_price(bool writes)
{
    struct sample *sample =
        mmap(NULL, sizeof(*sample), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int64_t least = INT64_MAX;

    if (sample == MAP_FAILED)
        return -errno;
    for (int round = 0; round < ROUNDS && least >= 0; round++) {
        int64_t one = price(sample, writes);

        least = one < least ? one : least;
    }
    munmap(sample, sizeof(*sample));
    return least;
}

void trace_measure_prices(struct trace_shared *shared, bool hits)
{
    struct trace_prices *prices = &shared->prices;

    if (prices->stop_ns == 0) {
        int64_t measured = least_price(false);

        prices->stop_ns = measured > 0 ? (uint64_t)measured : ASSUMED_STOP_NS;
    }
    if (hits && prices->hit_ns == 0) {
        int64_t measured = least_price(true);

        prices->error = measured < 0 ? (int32_t)-measured : 0;
        prices->hit_ns = measured > 0 ? (uint64_t)measured : ASSUMED_HIT_NS;
    }
}
