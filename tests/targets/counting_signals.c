/* Three threads that open, close and wait; a handler counts SIGRTMIN. A line on standard input, and it says the count and how far they are. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

static atomic_long signals, rounds;

static void count(int number) { (void)number, signals++; }

static void *work(void *unused)
{
    for (;; rounds++) {
        for (int one = 0; one < 20; one++)
            close(open("/dev/null", O_RDONLY));
        poll(NULL, 0, 1);
    }
    return unused;
}

int main(void)
{
    struct sigaction counting = {.sa_handler = count, .sa_flags = SA_RESTART};
    pthread_t thread;
    sigset_t set;

    sigaction(SIGRTMIN, &counting, NULL);
    for (int one = 0; one < 3; one++)
        pthread_create(&thread, NULL, work, NULL);
    /* getchar would end with EOF if it were broken off */
    sigemptyset(&set), sigaddset(&set, SIGRTMIN), pthread_sigmask(SIG_BLOCK, &set, NULL);
    puts("ready"), fflush(stdout);
    while (getchar() == '\n')
        printf("%ld %ld\n", signals, rounds), fflush(stdout);
    return 0;
}
