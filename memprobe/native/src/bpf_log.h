/* What libbpf has to say, caught per thread while one of its functions runs; it never reaches
 * memprobe's own stderr. */
#ifndef MEMPROBE_BPF_LOG_H
#define MEMPROBE_BPF_LOG_H

#include <stddef.h>

/* The verifier can write megabytes; its verdict comes last, so the end is what is kept. */
#define BPF_LOG_SIZE 65536

struct bpf_log {
    size_t length;
    char text[BPF_LOG_SIZE];
};

/* Make libbpf print through this file. Once, before anything else of libbpf is called. */
void bpf_log_install(void);

/* Catch what this thread's calls print into `log`, from now until bpf_log_end. */
void bpf_log_begin(struct bpf_log *log);
void bpf_log_end(void);

#endif
