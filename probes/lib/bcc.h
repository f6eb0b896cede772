/*
 * bcc.h - what bcc's compiler has not: libbpf's macros, and reads of the kernel's fields without BTF.
 *
 * bcc compiles with the headers of the host's kernel and declares the helpers. What it compiles is one line that includes a
 * program file: bcc rewrites only main files, so the probes are the same C here as everywhere.
 *
 * memprobe gives the place of every field of kernel.h and kernel_tables.h as -DOFFSET_<struct>_<field> (see
 * memprobe/sources/bcc/fields.py), and writes known_helpers before the load.
 * No maps. Cost: none. Minimum kernel: 5.10 (memprobe runs programs by itself where there are no iterators).
 */
#ifndef MEMPROBE_BCC_H
#define MEMPROBE_BCC_H

/* The kernel's own types of these names may be there already. */
#define atomic_t probed_atomic_t
#define bpf_array probed_bpf_array
#define fdtable probed_fdtable
#define files_struct probed_files_struct
#define mm_struct probed_mm_struct
#define percpu_counter probed_percpu_counter
#define pt_regs probed_pt_regs
#define signal_struct probed_signal_struct
#define task_struct probed_task_struct
#define thread_struct probed_thread_struct
#define upid probed_upid

/* bcc appends a licence of its own, in the section of ours. */
#undef BCC_SEC
#define BCC_SEC(name) __attribute__((section("bcc." name), used))

#undef __noinline
#define __noinline __attribute__((__noinline__))
#define SEC(name) __attribute__((section(name), used))
#define __uint(name, value) int (*name)[value]
#define __type(name, value) __typeof__(value) *name
#define barrier_var(variable) asm volatile("" : "+r"(variable))

/* A struct whose fields lie where this kernel has them, and of which only those are known. */
#define FIELDS(...) { union { __VA_ARGS__ }; }
#define AT(type, field, declaration) struct { char before_##field[OFFSET_##type##_##field]; declaration; };

#define READ_FIELD(source, field) \
	({ \
		__typeof__((source)->field) value_; \
		bpf_probe_read_kernel(&value_, sizeof(value_), &(source)->field); \
		value_; \
	})
#define READ_FIELD_OF_FIELD(source, first, second) READ_FIELD(READ_FIELD(source, first), second)
#define CHOOSE_READ(source, first, second, name, ...) name
#define BPF_CORE_READ(...) CHOOSE_READ(__VA_ARGS__, READ_FIELD_OF_FIELD, READ_FIELD)(__VA_ARGS__)
#define bpf_core_field_offset(type, field) __builtin_offsetof(type, field)
#define bpf_core_type_size(type) sizeof(type)

/* Asked of one type: the account of memory before 6.2. */
#define bpf_core_type_exists(type) PLAIN_COUNTERS

/* Asked of helpers, a bit for each. Those that need BTF are never among them. */
const volatile __u64 known_helpers[4] = {};
#define bpf_core_enum_value_exists(kind, number) (known_helpers[(number) / 64] >> ((number) % 64) & 1)

/* Headers of kernels before 5.14 do not have these. */
#ifndef __NR_landlock_create_ruleset
#define __NR_landlock_create_ruleset 444
#endif
#ifndef __NR_memfd_secret
#define __NR_memfd_secret 447
#endif

#endif
