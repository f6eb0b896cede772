#define _GNU_SOURCE

#include "trace_loop.h"

#include "trace_helpers.h"
#include "trace_price.h"
#include "trace_programs.h"
#include "trace_threads.h"
#include "trace_watch.h"

#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define AT_ONCE 64
#define TICK_US 2000       /* so often those are tried that could not be interrupted */
#define TICKS_PER_LIST 32  /* and the threads of a process listed again, as long as there are any */
#define ROUNDS 16          /* of listing, while new threads are born faster than they are seized */
#define PATIENCE_NS 1000000000
#define QUIET_NS 1000000
#define CALL_STOP (SIGTRAP | 0x80)
#define X86_64_CALL 0xc000003e /* AUDIT_ARCH_X86_64 */

/* A thread that stands, as it was collected. */
struct standing {
    pid_t number;
    int signal;
    int event;
};

static const struct trace_order *order;
static struct trace_shared *shared;
static uint64_t begun_ns, spent_ns, last_stop_ns;
static bool is_ending;
static volatile sig_atomic_t ticked;

/* A thread that the tracer's end finds standing at the beginning of a call would have EINTR from it, as the kernel wakes it
 * like a signal. So towards the end threads go on without stops. */
static void go_on(pid_t number, int signal)
{
    ptrace(is_ending || !order->traces_calls ? PTRACE_CONT : PTRACE_SYSCALL, number, NULL, (void *)(long)signal);
}

static void let_go(pid_t number)
{
    ptrace(PTRACE_DETACH, number, NULL, NULL);
    trace_forget(number);
}

/* System calls ------------------------------------------------------------------------------------------ */

static void begins(pid_t number, const struct __ptrace_syscall_info *info)
{
    struct trace_thread *thread = trace_thread(number);
    uint64_t call = info->arch == X86_64_CALL ? info->entry.nr : TRACE_NO_CALL;

    thread->call = call;
    shared->counts.calls++;
    if ((call == __NR_execve || call == __NR_execveat) && !order->follows_exec) {
        trace_watch_exec(trace_process_of(number));
        let_go(number);
        return;
    }
    trace_enter(trace_process_of(number), (uint32_t)number, NULL);
    trace_call_begins(call, info->entry.args);
    go_on(number, 0);
}

static void ends(pid_t number, const struct __ptrace_syscall_info *info)
{
    struct trace_thread *thread = trace_thread(number);
    struct user_regs_struct registers;
    uint64_t call = thread->call;

    thread->call = TRACE_NO_CALL;
    if (info->exit.rval >= 0 && trace_wants(call)
        && ptrace(PTRACE_GETREGS, number, NULL, &registers) == 0) {
        trace_enter(trace_process_of(number), (uint32_t)number, &registers);
        trace_call_ends(call, info->exit.rval);
    }
    go_on(number, 0);
}

static void call_stop(pid_t number)
{
    struct __ptrace_syscall_info info;

    if (ptrace(PTRACE_GET_SYSCALL_INFO, number, (void *)sizeof(info), &info) < 0) {
        if (errno != ESRCH)
            trace_finish(TRACE_UNSUPPORTED, errno, number);
        return; /* killed meanwhile */
    }
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
        begins(number, &info);
    else
        ends(number, &info);
}

/* Births and ends --------------------------------------------------------------------------------------- */

/* A thread that was born to a traced one; it may be seen before its parent tells of it. */
static void first_stop(pid_t number)
{
    struct trace_thread *thread = trace_thread(number);
    uint32_t process = trace_process_of(number);

    if (!trace_is_followed(process)
        && !(order->follows_children && trace_follow_child(trace_parent_of(process), process))) {
        let_go(number);
        return;
    }
    if (!thread->is_traced)
        shared->reached++;
    thread->is_traced = true;
    trace_watch_thread(number);
    trace_restart_call(number);
    go_on(number, 0);
}

static void executed(pid_t number)
{
    unsigned long before = 0;

    if (ptrace(PTRACE_GETEVENTMSG, number, NULL, &before) == 0 && (pid_t)before != number)
        trace_forget((pid_t)before);
    trace_forget(number);
    uint32_t process = trace_process_of(number);
    trace_thread(number)->is_traced = true;
    trace_forget_memory(process);
    trace_watch_exec(process);
    trace_enter(process, (uint32_t)number, NULL);
    trace_new_program(process);
    go_on(number, 0);
}

/* Of signals only these are collected at all. */
static bool is_hit(const struct standing *one)
{
    return one->event == 0 && one->signal != CALL_STOP;
}

static void hit(pid_t number)
{
    trace_watch_hit(number);
    go_on(number, 0);
}

static void handle(const struct standing *one)
{
    if (one->event == 0 && one->signal == CALL_STOP)
        call_stop(one->number);
    else if (one->event == PTRACE_EVENT_STOP && one->signal != SIGTRAP)
        /* Somebody stops the target: it shall stand as it would without a tracer. */
        trace_finish(TRACE_STANDS, 0, one->number);
    else if (one->event == PTRACE_EVENT_STOP)
        first_stop(one->number);
    else if (one->event == PTRACE_EVENT_EXEC)
        executed(one->number);
    else if (is_hit(one))
        hit(one->number);
    else
        go_on(one->number, one->event == 0 ? one->signal : 0);
}

/* Waiting ------------------------------------------------------------------------------------------------ */

/* The next thread that stands or has ended. A signal that waits to be delivered is passed on before its stop is
 * collected: after that it would be lost with the tracer. 1: there is one; 0: none stands; or a negative errno. */
static int next_standing(int flags, struct standing *ret)
{
    siginfo_t info;

    for (;;) {
        info.si_pid = 0;
        if (waitid(P_ALL, 0, &info, WEXITED | WSTOPPED | WNOWAIT | __WALL | flags) != 0)
            return -errno;
        if (info.si_pid == 0)
            return 0;
        *ret = (struct standing){info.si_pid, info.si_status & 0xff, info.si_status >> 8};
        if (info.si_code == CLD_TRAPPED && is_hit(ret) && !trace_watch_is_hit(ret->number, ret->signal)) {
            go_on(ret->number, ret->signal);
            shared->counts.stops++;
            continue;
        }
        waitid(P_PID, (id_t)info.si_pid, &info, WEXITED | WSTOPPED | WNOHANG | __WALL);
        if (info.si_code == CLD_TRAPPED || info.si_code == CLD_STOPPED)
            return 1;
        trace_forget(ret->number);
        flags |= WNOHANG; /* somebody may wait for what was collected before */
    }
}

/* How long the tracer has waited for a CPU, ever. */
static uint64_t waited_ns(void)
{
    static int file = -1;
    char text[128] = {0};

    if (file < 0)
        file = open("/proc/self/schedstat", O_RDONLY | O_CLOEXEC);
    const char *second = file >= 0 && pread(file, text, sizeof(text) - 1, 0) > 0 ? strchr(text, ' ') : NULL;
    return second == NULL ? 0 : strtoull(second, NULL, 10);
}

/* Where the machine has too much to do, threads stand while the tracer waits for a CPU, and wait as long themselves after it. */
static uint64_t queued_ns(void)
{
    static uint64_t before_ns;
    uint64_t now_ns = waited_ns(), since_ns = before_ns;

    before_ns = now_ns;
    return since_ns == 0 ? 0 : 2 * (now_ns - since_ns);
}

/* What it had to be stopped for is told apart: handles have one purse, bursts another. */
static void account(const struct standing *one, uint64_t since_ns, uint64_t in_queue_ns)
{
    uint64_t price_ns = is_hit(one) ? shared->prices.hit_ns : shared->prices.stop_ns;
    uint64_t cost_ns = trace_now_ns() - since_ns + in_queue_ns + price_ns;

    if (is_hit(one) || order->ends_with_burst)
        shared->counts.watched_ns += cost_ns;

    shared->counts.stops++;
    shared->counts.stopped_ns += cost_ns;
    if (cost_ns > shared->counts.longest_ns)
        shared->counts.longest_ns = cost_ns;
    spent_ns += cost_ns;
}

static bool is_spent(void)
{
    uint64_t lasted_ns = trace_now_ns() - begun_ns;

    return (double)spent_ns > (double)order->slice_ns + order->share * (double)lasted_ns;
}

static enum trace_end wanted_end(void)
{
    enum trace_end wanted = __atomic_load_n(&shared->wanted_end, __ATOMIC_ACQUIRE);

    if (wanted == TRACE_GOES_ON && trace_now_ns() > shared->attended_ns + TRACE_ATTENDED_NS)
        return TRACE_UNATTENDED;
    if (wanted == TRACE_GOES_ON && order->ends_with_burst && !trace_watch_goes_on())
        return TRACE_SEEN;
    return wanted == TRACE_GOES_ON && is_spent() ? TRACE_SPENT : wanted;
}

/* A window ends when those that were told to stop have stood, and nobody has stopped for a while; or it takes too long. */
static void end_when_due(void)
{
    static enum trace_end why;
    static uint64_t due_ns;
    uint64_t now_ns = trace_now_ns();

    if (!is_ending && (why = wanted_end()) != TRACE_GOES_ON) {
        is_ending = true;
        trace_watch_end(0);
        due_ns = now_ns + PATIENCE_NS;
    }
    if (is_ending && ((trace_interrupted() == 0 && now_ns > last_stop_ns + QUIET_NS) || now_ns > due_ns))
        trace_finish(why, 0, 0);
}

static void note_use(void)
{
    struct timespec used;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    shared->counts.cpu_ns = (uint64_t)used.tv_sec * 1000000000 + (uint64_t)used.tv_nsec;
}

/* All that stand are collected before the first goes on: else a busy one could keep the others waiting for ever. */
int trace_serve(int flags)
{
    struct standing standing[AT_ONCE];
    int count = 0, found;

    shared->busy_since_ns = 0;
    while ((found = next_standing(flags, &standing[count])) > 0) {
        if (count == 0)
            shared->busy_since_ns = trace_now_ns();
        flags |= WNOHANG;
        if (++count == AT_ONCE)
            break;
    }
    uint64_t since_ns = shared->busy_since_ns, in_queue_ns = count > 0 ? queued_ns() : 0;
    for (int index = 0; index < count; index++) {
        handle(&standing[index]);
        account(&standing[index], since_ns, in_queue_ns);
    }
    if (count > 0) {
        last_stop_ns = trace_now_ns();
        note_use();
    }
    return count > 0 ? 0 : found;
}

static void tick(int signal)
{
    (void)signal;
    ticked = 1;
}

/* Ticks come as long as somebody waits to be reached; they end a wait early. */
static void set_ticking(bool wanted)
{
    static bool is_ticking;
    struct itimerval interval = {{0, wanted ? TICK_US : 0}, {0, wanted ? TICK_US : 0}};

    if (wanted != is_ticking)
        setitimer(ITIMER_REAL, &interval, NULL);
    is_ticking = wanted;
}

static void reach_all(void)
{
    for (int round = 0; round < ROUNDS; round++) {
        bool found = false;

        for (size_t index = 0; index < order->target_count; index++)
            found |= trace_reach_process(order->targets[index].process);
        if (!found)
            return;
    }
}

static void take_tick(void)
{
    static unsigned ticks;

    ticked = 0;
    trace_reach_waiting();
    if (++ticks % TICKS_PER_LIST == 0)
        reach_all();
}

static void begin(const struct trace_order *wanted, struct trace_shared *with)
{
    struct sigaction ticking = {.sa_handler = tick};

    order = wanted;
    shared = with;
    trace_measure_prices(shared, order->word_count > 0);
    begun_ns = trace_now_ns();
    sigaction(SIGALRM, &ticking, NULL);
    trace_helpers_begin(order, shared);
    trace_programs_begin(order, shared);
    trace_threads_begin(order, shared);
    trace_watch_begin(order, shared);
    reach_all();
}

_Noreturn void trace_run(const struct trace_order *wanted, struct trace_shared *with)
{
    begin(wanted, with);
    for (;;) {
        set_ticking(trace_waiting() > 0 || trace_watch_goes_on() || is_ending);
        int failed = trace_serve(0);
        if (failed == -ECHILD && (trace_waiting() == 0 || is_ending))
            trace_finish(TRACE_GONE, 0, 0);
        if (failed == -ECHILD)
            pause(); /* until the next tick */
        trace_watch_step();
        end_when_due();
        if (ticked && !is_ending)
            take_tick();
    }
}
