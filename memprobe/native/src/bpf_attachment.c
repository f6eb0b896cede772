#define _GNU_SOURCE

#include "bpf_attachment.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/hw_breakpoint.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define UPROBE_KIND "/sys/bus/event_source/devices/uprobe/type"
#define UPROBE_SEMAPHORE "/sys/bus/event_source/devices/uprobe/format/ref_ctr_offset"

static void close_if_open(int *descriptor)
{
    if (*descriptor >= 0)
        close(*descriptor);
    *descriptor = -1;
}

void bpf_attachment_close(struct bpf_attachment *attachment)
{
    close_if_open(&attachment->link);
    close_if_open(&attachment->event);
}

int bpf_attach_raw_tracepoint(int program, const char *point, struct bpf_attachment *ret)
{
    int link = bpf_raw_tracepoint_open(point, program);

    if (link < 0)
        return link;
    *ret = (struct bpf_attachment){.link = link, .event = -1};
    return 0;
}

static int open_event(const struct perf_event_attr *what, struct event_scope scope)
{
    long event = syscall(SYS_perf_event_open, what, scope.pid, scope.cpu, -1, PERF_FLAG_FD_CLOEXEC);

    return event < 0 ? -errno : (int)event;
}

/* Before 5.15 a perf event has no link, and its program no cookie. */
static int set_program(int event, int program, uint64_t cookie)
{
    if (cookie != 0)
        return -EOPNOTSUPP;
    return ioctl(event, PERF_EVENT_IOC_SET_BPF, program) < 0 ? -errno : 0;
}

static int link_event(int event, int program, uint64_t cookie, int *link)
{
    LIBBPF_OPTS(bpf_link_create_opts, options, .perf_event.bpf_cookie = cookie);

    *link = bpf_link_create(program, event, BPF_PERF_EVENT, &options);
    if (*link >= 0)
        return 0;
    return *link == -EINVAL ? set_program(event, program, cookie) : *link;
}

int bpf_attach_event(int program, const struct perf_event_attr *what, struct event_scope scope,
                     uint64_t cookie, struct bpf_attachment *ret)
{
    struct bpf_attachment made = NO_ATTACHMENT;

    made.event = open_event(what, scope);
    if (made.event < 0)
        return made.event;
    int err = link_event(made.event, program, cookie, &made.link);
    if (err == 0 && ioctl(made.event, PERF_EVENT_IOC_ENABLE, 0) < 0)
        err = -errno;
    if (err != 0)
        bpf_attachment_close(&made);
    else
        *ret = made;
    return err;
}

/* Before 5.13 an event can neither go with exec nor keep to threads: exec changes the address space, the
 * program then finds no watch; and children of a fork are no targets unless they are followed. */
static int open_watchpoint(struct perf_event_attr *what, struct event_scope scope)
{
    what->remove_on_exec = 1;
    what->inherit_thread = what->inherit;
    int event = open_event(what, scope);
    if (event != -EINVAL)
        return event;
    what->remove_on_exec = what->inherit_thread = 0;
    return open_event(what, scope);
}

int bpf_attach_watchpoint(int program, const struct watchpoint *place, struct bpf_attachment *ret)
{
    struct event_scope scope = {.pid = place->tid, .cpu = -1};
    struct bpf_attachment made = NO_ATTACHMENT;
    struct perf_event_attr what = {
        .type = PERF_TYPE_BREAKPOINT,
        .size = sizeof(what),
        .sample_period = 1,
        .disabled = 1,
        .exclude_kernel = 1,
        .exclude_hv = 1,
        .bp_type = HW_BREAKPOINT_W,
        .bp_addr = place->address,
        .bp_len = place->width,
        .inherit = place->limit == 0,
    };

    made.event = open_watchpoint(&what, scope);
    if (made.event < 0)
        return made.event;
    int err = link_event(made.event, program, 0, &made.link);
    /* An event that was refreshed disarms itself after so many hits; one that is inherited cannot be. */
    unsigned long request = place->limit == 0 ? PERF_EVENT_IOC_ENABLE : PERF_EVENT_IOC_REFRESH;
    if (err == 0 && ioctl(made.event, request, place->limit) < 0)
        err = -errno;
    if (err != 0)
        bpf_attachment_close(&made);
    else
        *ret = made;
    return err;
}

/* The first number in a small file of sysfs ("8", "config:32-63"), or -1. */
static int read_number(const char *path, const char *format)
{
    char text[64] = {0};
    int number = -1;
    int file = open(path, O_RDONLY | O_CLOEXEC);

    if (file < 0)
        return -1;
    if (read(file, text, sizeof(text) - 1) <= 0 || sscanf(text, format, &number) != 1)
        number = -1;
    close(file);
    return number;
}

int bpf_attach_uprobe(int program, const struct uprobe_place *place, struct bpf_attachment *ret)
{
    struct event_scope scope = {.pid = place->pid, .cpu = place->pid < 0 ? 0 : -1};
    struct perf_event_attr what = {.size = sizeof(what), .disabled = 1};
    int kind = read_number(UPROBE_KIND, "%d");

    if (kind < 0)
        return -EOPNOTSUPP;
    what.type = (__u32)kind;
    what.config1 = (__u64)(uintptr_t)place->path;
    what.config2 = place->offset;
    if (place->semaphore != 0) {
        int shift = read_number(UPROBE_SEMAPHORE, "config:%d-");
        if (shift < 0 || shift > 63 || place->semaphore >> (64 - shift) != 0)
            return -EOPNOTSUPP;
        what.config = place->semaphore << shift;
    }
    return bpf_attach_event(program, &what, scope, place->cookie, ret);
}

/* What libbpf 1.1 does not know yet: the head of union bpf_attr for BPF_LINK_CREATE with many uprobes. */
struct create_link {
    uint32_t program, target, kind, flags;
    uint64_t path, offsets, semaphores, cookies;
    uint32_t count, how, pid, padding;
};

int bpf_attach_uprobes(int program, const struct uprobe_places *places, struct bpf_attachment *ret)
{
    struct create_link what = {
        .program = (uint32_t)program,
        .kind = BPF_MANY_UPROBES,
        .path = (uint64_t)(uintptr_t)places->path,
        .offsets = (uint64_t)(uintptr_t)places->offsets,
        .semaphores = (uint64_t)(uintptr_t)places->semaphores,
        .cookies = (uint64_t)(uintptr_t)places->cookies,
        .count = places->count,
        .pid = (uint32_t)places->pid,
    };
    long link = syscall(SYS_bpf, BPF_LINK_CREATE, &what, sizeof(what));

    if (link < 0)
        return -errno;
    *ret = (struct bpf_attachment){.link = (int)link, .event = -1};
    return 0;
}
