/* What memprobe, the watchdog and the tracer have in common: memory that was mapped before they were forked, and
 * the order that a window is made by. */
#ifndef MEMPROBE_TRACE_SHARED_H
#define MEMPROBE_TRACE_SHARED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRACE_LOSSES 64
#define TRACE_LOSS_WORDS 3 /* a slot of the map `losses`: its state, the key, the count */

/* Why a window is over. The numbers are those of memprobe/native/trace.py. */
enum trace_end {
    TRACE_GOES_ON = 0,
    TRACE_SPENT = 1,       /* what it may cost the target is used up */
    TRACE_STANDS = 2,      /* somebody has stopped the target (SIGSTOP, Ctrl-Z) */
    TRACE_GONE = 3,        /* there is no thread left to trace */
    TRACE_REFUSED = 4,     /* a thread may not be traced; error and thread say why */
    TRACE_UNSUPPORTED = 5, /* the kernel does not say which system call it is */
    TRACE_UNATTENDED = 6,  /* memprobe has not shown itself */
    TRACE_HUNG = 7,        /* the tracer did not get on, or was stopped itself */
    TRACE_SEEN = 8,        /* it was to last as long as its burst, and that is over */
};

#define TRACE_WORDS 2     /* of the four debug registers: a debugger still finds two */
#define TRACE_CHANGES 256 /* stacks; a burst has no more hits */

/* A word of a process that is watched in a burst. Given by Python, as it stands here. */
struct trace_word {
    uint64_t address;
    uint32_t process;
    uint32_t width; /* 4 or 8 bytes */
};

/* What one stack has done to a word. Read by Python, as it stands here. */
struct trace_change {
    uint64_t stack_id;
    uint64_t added;
    uint64_t removed;
    uint64_t hits;
    uint64_t word; /* index */
};

/* What a burst has shown: written once, when it is over. */
struct trace_burst {
    uint64_t end_ns; /* 0: not over yet; the rest is there once this is */
    uint64_t begin_ns;
    int32_t error; /* errno: nothing could be seen */
    uint32_t change_count;
    uint64_t hits[TRACE_WORDS];
    uint64_t last[TRACE_WORDS]; /* the words as they were at the end; all ones: not known */
    struct trace_change changes[TRACE_CHANGES];
};

/* Sums over all windows. */
struct trace_counts {
    uint64_t stops;
    uint64_t stopped_ns; /* threads times time */
    uint64_t longest_ns; /* of one stop */
    uint64_t calls;      /* system calls that were seen */
    uint64_t restarted;  /* calls that a stop had broken off and that were made to go on */
    uint64_t cpu_ns;     /* of the tracer of this window */
    uint64_t watched_ns; /* of stopped_ns: what bursts have cost */
};

/* What a thread loses by a stop beside the time that the tracer takes: measured once, on a child of the tracer (trace_price.c). */
struct trace_prices {
    uint64_t stop_ns; /* 0: not measured yet */
    uint64_t hit_ns;  /* of a word that is watched, with its stop */
    int32_t error;    /* errno, for which hits cannot be seen */
};

struct trace_shared {
    unsigned long consumer __attribute__((aligned(64)));
    unsigned long producer __attribute__((aligned(64)));
    uint64_t busy_since_ns __attribute__((aligned(64))); /* 0: the tracer waits, and no thread waits for it */
    struct trace_counts counts;
    uint64_t attended_ns; /* when memprobe has last shown itself */
    uint32_t wanted_end; /* enum trace_end: the watchdog asks for it */
    uint32_t end;        /* enum trace_end */
    int32_t error;
    int32_t thread;
    uint32_t reached; /* threads of this window that are traced, or were */
    struct trace_prices prices;
    struct trace_burst burst;
    uint64_t losses[TRACE_LOSSES * TRACE_LOSS_WORDS];
};

/* One process that is followed. Given by Python, as it stands here. */
struct trace_target {
    uint32_t process;
    uint32_t layout;  /* index into the layouts */
    uint64_t runtime; /* 0: no stacks */
    uint32_t epoch;
    uint32_t reserved;
};

#define TRACE_ATTENDED_NS 2000000000

struct trace_order {
    const struct trace_target *targets;
    size_t target_count;
    const void *layouts; /* struct python_layout */
    size_t layout_count;
    const void *knobs; /* struct knobs */
    bool follows_children;
    bool follows_exec; /* false: a thread is let go before exec, which gives no rights to who is traced */
    uint64_t slice_ns; /* so long threads may be stopped in all, ... */
    double share;      /* ... and this much more of the time that the window lasts */
    bool traces_calls;
    bool ends_with_burst;
    const struct trace_word *words; /* all of one process */
    size_t word_count;
    uint64_t burst_ns; /* they are watched for so long, ... */
    uint32_t burst_hits; /* ... or until they were hit so often */
    unsigned char *ring;
    size_t ring_size;
    int wake; /* an eventfd: written when something cannot wait */
};

uint64_t trace_now_ns(void);

#endif
