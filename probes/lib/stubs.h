/*
 * stubs.h - the helpers and maps of the kernel as an ordinary program has them: for unit tests and sanitizers (stubs.c), and
 * for the tracer of the engine ptrace (memprobe/native/src/trace_helpers.c). Both have the maps of user_maps.c.
 *
 * Included by bpf.h with -DMEMPROBE_USER. User memory is read through `stub_read_user`, which a test sets (to made-up
 * memory, or to another process's); the current task is `stub_task`; what was submitted to a ring is kept in
 * `stub_records`, rows of an iterator too. Not thread-safe.
 */
#ifndef MEMPROBE_STUBS_H
#define MEMPROBE_STUBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include "../abi.h"

#define SEC(name)
#define __noinline __attribute__((noinline))
#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

enum stub_map_kind { STUB_HASH, STUB_LRU_HASH, STUB_ARRAY, STUB_PERCPU_ARRAY, STUB_PERCPU_HASH };

struct stub_map {
	enum stub_map_kind kind;
	__u32 key_bytes, value_bytes, max_entries;
	__u32 used;
	__u8 *slots;	/* lazily: state byte (padded to 8), key (padded to 8), value */
	bool refuse;	/* a test makes updates fail */
};

#define MAP(name_, kind_, key_, value_, entries_) \
	struct stub_map name_ = {.kind = STUB_##kind_, .key_bytes = sizeof(key_), .value_bytes = sizeof(value_), \
				 .max_entries = entries_}

#define RING(name_, bytes_) struct stub_map name_ = {.max_entries = bytes_}

/* Both ways are tested: with and without the helpers of newer kernels. */
extern bool stub_has_newer_helpers;
#define HAS_HELPER(name) (stub_has_newer_helpers)

#define STUB_READ_1(source, a) ((source)->a)
#define STUB_READ_2(source, a, b) ((source)->a->b)
#define STUB_READ_3(source, a, b, c) ((source)->a->b->c)
#define STUB_READ_PICK(a, b, c, d, name, ...) name
#define BPF_CORE_READ(...) STUB_READ_PICK(__VA_ARGS__, STUB_READ_3, STUB_READ_2, STUB_READ_1)(__VA_ARGS__)

#define BPF_ANY 0
#define BPF_NOEXIST 1
#define BPF_EXIST 2
#define BPF_F_USER_STACK 256
#define BPF_RB_NO_WAKEUP 1
#define BPF_RB_FORCE_WAKEUP 2
#define BPF_RB_AVAIL_DATA 0

/* What CO-RE settles on load. Whether the kernel is one from before 6.2, or from before 5.15, is for a test to say. */
extern bool stub_before_6_2;
#define bpf_core_type_exists(type) (stub_before_6_2)
#define bpf_core_enum_value_exists(type, value) (stub_has_newer_helpers)
#define bpf_core_type_size(type) sizeof(type)
#define bpf_core_field_offset(type, field) offsetof(type, field)
#define barrier_var(variable) ((void)(variable))

struct bpf_raw_tracepoint_args {
	__u64 args[4];
};

struct seq_file;
struct pt_regs;
struct task_struct;
extern struct task_struct *stub_task;
extern struct pt_regs *stub_registers;	/* of the system call that ends now */
extern __u64 stub_cookie;
extern __u32 stub_calls;	/* of the reader, by what was discarded */
extern __u64 stub_pid_tgid;
extern __u64 stub_time_ns;
extern int (*stub_read_user)(void *destination, __u32 size, __u64 address);

/* What was submitted, in order. */
extern void **stub_records;
extern __u32 stub_record_count;
extern __u32 stub_ring_room;	/* reservations that still succeed */
void stub_reset_ring(void);
void stub_reset_map(struct stub_map *map);

/* The next entry of a hash from `*index` on, which begins at 0; false if there is none. */
bool stub_next(struct stub_map *map, __u32 *index, const void **key, const void **value);

void *bpf_map_lookup_elem(void *map, const void *key);
long bpf_map_update_elem(void *map, const void *key, const void *value, __u64 flags);
long bpf_map_delete_elem(void *map, const void *key);
void *bpf_ringbuf_reserve(void *ring, __u64 size, __u64 flags);
void bpf_ringbuf_submit(void *record, __u64 flags);
void bpf_ringbuf_discard(void *record, __u64 flags);
long bpf_ringbuf_output(void *ring, void *record, __u64 size, __u64 flags);
__u64 bpf_ringbuf_query(void *ring, __u64 flags);
long bpf_probe_read_user(void *destination, __u32 size, const void *address);
long bpf_probe_read_kernel(void *destination, __u32 size, const void *address);
__u64 bpf_get_current_pid_tgid(void);
__u64 bpf_get_current_task(void);
__u64 bpf_ktime_get_ns(void);
long bpf_loop(__u32 count, void *step, void *context, __u64 flags);
long bpf_probe_read_user_str(void *destination, __u32 size, const void *address);
struct pt_regs *bpf_task_pt_regs(struct task_struct *task);
struct task_struct *bpf_get_current_task_btf(void);
__u64 bpf_get_attach_cookie(void *context);
long bpf_seq_write(struct seq_file *file, const void *data, __u32 size);

/*
 * Where CPU `cpu` keeps its copy, such that STUB_PROCESSOR_OFFSET + 4 * cpu is its distance from what the map's first word
 * says: a counter of a test lies at that distance from where it claims to be.
 */
#define STUB_PROCESSOR_OFFSET 8
void *bpf_map_lookup_percpu_elem(void *map, const void *key, __u32 cpu);

#endif
