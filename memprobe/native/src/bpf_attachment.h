/* A program at its hook: file descriptors and nothing else, so that closing them (or dying) detaches it.
 *
 * libbpf's own links are not used: they fall back to uprobes and tracepoints that are written down in
 * tracefs and outlive the process, and they cannot be handed to another process for closing. */
#ifndef MEMPROBE_BPF_ATTACHMENT_H
#define MEMPROBE_BPF_ATTACHMENT_H

#include <linux/perf_event.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct bpf_attachment {
    int link;  /* the BPF link; -1 if there is none (perf events before 5.15) */
    int event; /* the perf event; -1 if there is none */
};

#define NO_ATTACHMENT ((struct bpf_attachment){-1, -1})

/* Whom a perf event watches: a process or thread (-1: all), on a CPU (-1: all). */
struct event_scope {
    pid_t pid;
    int cpu;
};

/* Each returns 0 or a negative errno. */
int bpf_attach_raw_tracepoint(int program, const char *point, struct bpf_attachment *ret);
int bpf_attach_event(int program, const struct perf_event_attr *what, struct event_scope scope,
                     uint64_t cookie, struct bpf_attachment *ret);

struct uprobe_place {
    const char *path;
    uint64_t offset;    /* in the file */
    uint64_t semaphore; /* in the file; 0: none */
    uint64_t cookie;
    pid_t pid;
};

int bpf_attach_uprobe(int program, const struct uprobe_place *place, struct bpf_attachment *ret);

/* Many instructions of one binary at once (6.6+): one wait for the kernel instead of one for each. The program was
 * loaded for it (BPF_MANY_UPROBES). */
struct uprobe_places {
    const char *path;
    const uint64_t *offsets;    /* in the file */
    const uint64_t *semaphores; /* in the file, 0: none */
    const uint64_t *cookies;
    uint32_t count;
    pid_t pid;
};

#define BPF_MANY_UPROBES 48 /* BPF_TRACE_UPROBE_MULTI, which older headers do not have */

int bpf_attach_uprobes(int program, const struct uprobe_places *places, struct bpf_attachment *ret);

/* A word that a thread must not change unseen. */
struct watchpoint {
    uint64_t address;
    uint64_t width; /* 4 or 8 */
    pid_t tid;
    int limit; /* hits after which it disarms itself; 0: none, and threads that the thread starts inherit it */
};

/* -ENOSPC: all debug registers are taken. */
int bpf_attach_watchpoint(int program, const struct watchpoint *place, struct bpf_attachment *ret);

/* Detach; a tracepoint takes the kernel some 75 ms. */
void bpf_attachment_close(struct bpf_attachment *attachment);

/*
 * Have a process of its own close all of these, in their order, and return at once: the kernel takes its
 * 75 ms for each one after the other, whoever asks. Where no process can be made they are closed here.
 */
void bpf_attachments_close_aside(struct bpf_attachment *attachments, size_t count);

#endif
