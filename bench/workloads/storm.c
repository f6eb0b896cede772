/* Duplicates and closes a descriptor from two threads at a given rate; returns how many events that were. */
#include <pthread.h>
#include <stddef.h>
#include <time.h>
#include <unistd.h>

struct half {
	double rate, seconds;
	long events;
};

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec * 1e-9;
}

static void *work(void *argument)
{
	struct half *half = argument;
	double begin = now(), elapsed = 0;

	for (; elapsed < half->seconds; elapsed = now() - begin) {
		for (int pair = 0; pair < 50; pair++, half->events += 2)
			close(dup(0));
		if (half->events / half->rate > elapsed + 0.001)
			usleep((half->events / half->rate - elapsed) * 1e6);
	}
	return NULL;
}

long storm(double events_per_s, double seconds)
{
	struct half here = {events_per_s / 2, seconds, 0}, there = here;
	pthread_t other;

	if (pthread_create(&other, NULL, work, &there))
		return -1;
	work(&here);
	pthread_join(other, NULL);
	return here.events + there.events;
}
