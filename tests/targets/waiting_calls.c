/* One thread for each way of waiting; a line on standard input, and each says how often it waited, was broken off, came back early. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define MS 15
#define JIFFY_MS 10 /* so coarse is the limit of a socket, traced or not */
static const struct timespec limit = {0, MS * 1000000};
static int polls, event, silent[2], called[2];

static double now(void) { struct timespec time; clock_gettime(CLOCK_MONOTONIC, &time); return time.tv_sec * 1e3 + time.tv_nsec * 1e-6; }

static long sleeps(void) { return nanosleep(&limit, NULL); }
static long sleeps_until(void) { struct timespec end; clock_gettime(CLOCK_MONOTONIC, &end); end.tv_nsec += MS * 1000000;
    end.tv_sec += end.tv_nsec / 1000000000, end.tv_nsec %= 1000000000; return -(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL) != 0); }
static long polled(void) { struct pollfd one = {silent[0], POLLIN, 0}; return poll(&one, 1, MS); }
static long selected(void) { fd_set set; struct timeval time = {0, MS * 1000}; FD_ZERO(&set); FD_SET(silent[0], &set); return select(silent[0] + 1, &set, NULL, NULL, &time); }
static long epolled(void) { struct epoll_event one; return epoll_wait(polls, &one, 1, MS); }
static long received(void) { char one; return recv(silent[0], &one, 1, 0); }
static long futex(void) { static uint32_t word; return syscall(SYS_futex, &word, FUTEX_WAIT, 0, &limit); }
static long signalled(void) { sigset_t set; sigemptyset(&set), sigaddset(&set, SIGUSR2); return sigtimedwait(&set, NULL, &limit); }
static long called_up(void) { struct epoll_event one; uint64_t count; long got = epoll_wait(called[0], &one, 1, -1); return got == 1 ? read(event, &count, 8) : got; }
static long caller(void) { uint64_t one = 1; nanosleep(&limit, NULL); return write(event, &one, 8); }
static long read_from(void) { char one; return read(called[1], &one, 1); } /* what main writes for every line it reads */

static struct way { const char *name; long (*wait)(void); int has_limit; long calls, broken, early; } ways[] = {
    {"nanosleep", sleeps, 1}, {"clock_nanosleep", sleeps_until, 1}, {"poll", polled, 1}, {"select", selected, 1}, {"epoll_wait", epolled, 1},
    {"recv", received, 1}, {"futex", futex, 1}, {"sigtimedwait", signalled, 1}, 
    {"epoll_wait for ever", called_up, 0}, {"write", caller, 0}, {"read", read_from, 0}};

static void *work(void *which)
{
    for (struct way *way = which;; way->calls++) {
        double begun = now();
        long got = way->wait();
        way->broken += got < 0 && errno == EINTR;
        way->early += way->has_limit && now() - begun < MS - JIFFY_MS;
    }
}

int main(void)
{
    struct timeval time = {0, MS * 1000};
    struct epoll_event wanted = {.events = EPOLLIN};
    sigset_t set;
    pthread_t thread;
    int heard[2];

    sigemptyset(&set), sigaddset(&set, SIGUSR2), pthread_sigmask(SIG_BLOCK, &set, NULL);
    polls = epoll_create1(0), called[0] = epoll_create1(0), event = eventfd(0, 0);
    socketpair(AF_UNIX, SOCK_STREAM, 0, silent), setsockopt(silent[0], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time));
    epoll_ctl(called[0], EPOLL_CTL_ADD, event, &wanted), pipe(heard), called[1] = heard[0];
    for (unsigned one = 0; one < sizeof(ways) / sizeof(*ways); one++)
        pthread_create(&thread, NULL, work, &ways[one]);
    puts("ready"), fflush(stdout);
    while (getchar() == '\n') {
        write(heard[1], "", 1);
        for (unsigned one = 0; one < sizeof(ways) / sizeof(*ways); one++)
            printf("%s=%ld,%ld,%ld;", ways[one].name, ways[one].calls, ways[one].broken, ways[one].early);
        puts(""), fflush(stdout);
    }
    return 0;
}
