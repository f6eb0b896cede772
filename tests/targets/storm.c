/* Duplicates and closes a descriptor from two threads at a given rate: storm EVENTS_PER_SECOND SECONDS */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static double rate, seconds;

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec * 1e-9;
}

static void *work(void *count)
{
    double begin = now();
    long events = 0;
    for (double elapsed = 0; elapsed < seconds; elapsed = now() - begin) {
        for (int i = 0; i < 100; i++, events += 2)
            close(dup(0));
        if (events / rate > elapsed + 0.001)
            usleep((events / rate - elapsed) * 1e6);
    }
    *(long *)count = events;
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t other;
    long counts[2];
    if (argc != 3)
        return 2;
    rate = atof(argv[1]) / 2, seconds = atof(argv[2]);
    puts("ready"), fflush(stdout), getchar();
    pthread_create(&other, NULL, work, counts);
    work(counts + 1);
    pthread_join(other, NULL);
    printf("%ld\n", counts[0] + counts[1]), fflush(stdout);
    return getchar() == 0;
}
