#define _GNU_SOURCE

#include "bpf_log.h"

#include <bpf/libbpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local struct bpf_log *current;

static void append(struct bpf_log *log, const char *text, size_t length)
{
    if (length > sizeof(log->text)) {
        text += length - sizeof(log->text);
        length = sizeof(log->text);
    }
    size_t kept = sizeof(log->text) - length;
    if (log->length > kept) {
        memmove(log->text, log->text + (log->length - kept), kept);
        log->length = kept;
    }
    memcpy(log->text + log->length, text, length);
    log->length += length;
}

__attribute__((format(printf, 2, 0)))
static int print(enum libbpf_print_level level, const char *format, va_list arguments)
{
    char *text = NULL;

    if (current == NULL || level == LIBBPF_DEBUG)
        return 0;
    int length = vasprintf(&text, format, arguments);
    if (length < 0)
        return 0;
    append(current, text, (size_t)length);
    free(text);
    return length;
}

void bpf_log_install(void)
{
    libbpf_set_print(print);
}

void bpf_log_begin(struct bpf_log *log)
{
    log->length = 0;
    current = log;
}

void bpf_log_end(void)
{
    current = NULL;
}
