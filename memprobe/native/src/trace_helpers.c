#define _GNU_SOURCE
#define MEMPROBE_USER 1

#include "trace_helpers.h"

#include "../../../probes/lib/bpf.h"
#include "ring_writer.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096
#define CACHED_PAGES 64

_Static_assert(offsetof(struct pt_regs, ss) == offsetof(struct user_regs_struct, ss)
                   && offsetof(struct pt_regs, di) == offsetof(struct user_regs_struct, rdi),
               "the registers as ptrace gives them are those that the programs know");

bool stub_has_newer_helpers = true;
bool stub_before_6_2;
struct task_struct *stub_task;
struct pt_regs *stub_registers;

/* A page of the process whose thread stands. Other threads of it may run: nothing is kept beyond the stop. */
struct cached {
    uint64_t page;
    uint64_t stop;
    bool is_there;
    unsigned char bytes[PAGE];
};

struct memory {
    uint32_t process; /* 0: unused */
    int file;
};

static struct ring_writer ring;
static int wake;
static uint32_t process, thread;
static struct task_struct task;
static struct pt_regs task_registers;
static struct memory memories[MAX_TARGETS];
static struct cached cache[CACHED_PAGES];
static uint64_t stop; /* the number of this one */

uint64_t trace_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void trace_helpers_begin(const struct trace_order *order, struct trace_shared *shared)
{
    ring = (struct ring_writer){order->ring, order->ring_size, &shared->producer, &shared->consumer};
    wake = order->wake;
    stub_task = &task;
    stub_registers = &task_registers;
}

/* The pid stands for the table of descriptors, as it does where /proc is polled. */
void trace_enter(uint32_t now_process, uint32_t now_thread, const struct user_regs_struct *registers)
{
    process = now_process;
    thread = now_thread;
    stop++;
    task.files = (struct files_struct *)(uintptr_t)process;
    if (registers == NULL)
        return;
    memcpy(&task_registers, registers, sizeof(task_registers));
    task.thread.fsbase = registers->fs_base;
}

/* Memory ----------------------------------------------------------------------------------------------- */

static int memory_file(void)
{
    struct memory *room = NULL;
    char path[32];

    for (int index = 0; index < MAX_TARGETS; index++) {
        if (memories[index].process == process)
            return memories[index].file;
        if (memories[index].process == 0 && room == NULL)
            room = &memories[index];
    }
    snprintf(path, sizeof(path), "/proc/%u/mem", process);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (room != NULL && file >= 0)
        *room = (struct memory){process, file};
    return file;
}

void trace_forget_memory(uint32_t gone)
{
    for (int index = 0; index < MAX_TARGETS; index++)
        if (memories[index].process == gone) {
            close(memories[index].file);
            memories[index].process = 0;
        }
    stop++;
}

static const struct cached *cached_page(uint64_t page)
{
    struct cached *place = &cache[page / PAGE % CACHED_PAGES];

    if (place->stop != stop || place->page != page) {
        place->page = page;
        place->stop = stop;
        place->is_there = pread(memory_file(), place->bytes, PAGE, (off_t)page) == PAGE;
    }
    return place;
}

long bpf_probe_read_user(void *destination, __u32 size, const void *source)
{
    uint64_t address = (uint64_t)source;
    unsigned char *to = destination;

    for (uint32_t done = 0; done < size;) {
        uint32_t inside = (address + done) % PAGE, part = PAGE - inside;
        const struct cached *place = cached_page(address + done - inside);

        if (part > size - done)
            part = size - done;
        if (!place->is_there) {
            memset(destination, 0, size); /* as the kernel does */
            return -14;
        }
        memcpy(to + done, place->bytes + inside, part);
        done += part;
    }
    return 0;
}

long bpf_probe_read_user_str(void *destination, __u32 size, const void *address)
{
    char *text = destination;

    for (uint32_t index = 0; index < size; index++) {
        if (bpf_probe_read_user(text + index, 1, (const char *)address + index) != 0)
            return -14;
        if (text[index] == 0)
            return index + 1;
    }
    if (size > 0)
        text[size - 1] = 0;
    return size;
}

long bpf_probe_read_kernel(void *destination, __u32 size, const void *address)
{
    memcpy(destination, address, size);
    return 0;
}

/* The ring --------------------------------------------------------------------------------------------- */

static void call_memprobe(uint64_t flags)
{
    uint64_t one = 1;

    if (flags & BPF_RB_FORCE_WAKEUP && write(wake, &one, sizeof(one)) < 0)
        return; /* it has been called so often that it will come anyway */
}

void *bpf_ringbuf_reserve(void *map, __u64 size, __u64 flags)
{
    (void)map, (void)flags;
    return ring_reserve(&ring, (uint32_t)size);
}

/* While the thread stands that has just been given it, so that it is surely this one. */
static void tell_link(__s32 descriptor)
{
    struct link_record *record = ring_reserve(&ring, sizeof(*record));
    char path[48];

    if (record == NULL)
        return; /* then nobody looks whether it is still the same, until a picture does */
    *record = (struct link_record){
        .header = {RECORD_LINK, sizeof(*record), trace_now_ns(), process, thread},
        .descriptor = descriptor,
    };
    snprintf(path, sizeof(path), "/proc/%u/fd/%d", process, descriptor);
    if (readlink(path, record->text, sizeof(record->text)) > 0)
        ring_submit(&ring, record);
}

void bpf_ringbuf_submit(void *record, __u64 flags)
{
    ring_submit(&ring, record);
    call_memprobe(flags);
}

/* What is not submitted is not there. */
void bpf_ringbuf_discard(void *record, __u64 flags)
{
    (void)record;
    call_memprobe(flags);
}

long bpf_ringbuf_output(void *map, void *record, __u64 size, __u64 flags)
{
    void *copy = bpf_ringbuf_reserve(map, size, 0);

    if (copy == NULL)
        return -11;
    memcpy(copy, record, size);
    bpf_ringbuf_submit(copy, flags);
    if (((const struct record_header *)record)->kind == RECORD_BIRTH)
        tell_link(((const struct birth_record *)record)->descriptor);
    return 0;
}

__u64 bpf_ringbuf_query(void *map, __u64 flags)
{
    (void)map, (void)flags;
    return ring_waiting(&ring);
}

/* The task --------------------------------------------------------------------------------------------- */

__u64 bpf_get_current_pid_tgid(void)
{
    return (uint64_t)process << 32 | thread;
}

__u64 bpf_get_current_task(void)
{
    return (uintptr_t)&task;
}

struct task_struct *bpf_get_current_task_btf(void)
{
    return &task;
}

struct pt_regs *bpf_task_pt_regs(struct task_struct *of)
{
    (void)of;
    return &task_registers;
}

__u64 bpf_ktime_get_ns(void)
{
    return trace_now_ns();
}

long bpf_loop(__u32 count, void *step_, void *context, __u64 flags)
{
    long (*step)(__u32, void *) = (long (*)(__u32, void *))step_;

    (void)flags;
    for (uint32_t index = 0; index < count; index++)
        if (step(index, context) != 0)
            return index + 1;
    return count;
}
