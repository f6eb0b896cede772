/*
 * kernel_tables.h - the kernel's descriptor tables, address-space counters and user-space message headers, as far as
 * the handle, process and growth programs read them.
 *
 * Types that other programs need as well (task_struct, pt_regs) are in kernel.h, and how they are declared.
 */
#ifndef MEMPROBE_KERNEL_TABLES_H
#define MEMPROBE_KERNEL_TABLES_H

#include "bpf.h"

struct file;

struct fdtable FIELDS(
	AT(fdtable, max_fds, unsigned int max_fds)
	AT(fdtable, fd, struct file **fd)
	AT(fdtable, open_fds, unsigned long *open_fds)
);

struct files_struct FIELDS(
	AT(files_struct, count, atomic_t count)
	AT(files_struct, fdt, struct fdtable *fdt)
);

struct signal_struct FIELDS(
	AT(signal_struct, live, atomic_t live)
);

struct upid FIELDS(
	AT(upid, nr, int nr)
	AT(upid, ns, struct pid_namespace *ns)
);

struct pid FIELDS(
	AT(pid, level, unsigned int level)
	AT(pid, numbers, struct upid numbers[1])
);

struct percpu_counter FIELDS(
	AT(percpu_counter, count, __s64 count)
	AT(percpu_counter, counters, __s32 *counters)
);

struct mm_struct FIELDS(
	AT(mm_struct, brk, unsigned long brk)
	AT(mm_struct, rss_stat, struct percpu_counter rss_stat[4])	/* 6.2 and newer */
);

struct mm_rss_stat___before_6_2 {
	struct {
		long counter;
	} count[4];
} RELOCATED;

struct mm_struct___before_6_2 FIELDS(
	AT(mm_struct, rss_stat, struct mm_rss_stat___before_6_2 rss_stat)
);

struct bpf_array FIELDS(
	AT(bpf_array, pptrs, void *pptrs[1])
);

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
	__u64 session_id;
	__u64 seq_num;
} RELOCATED;

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
} RELOCATED;

/* Fixed by the system call interface of 64-bit kernels, so not relocated. */
struct user_message_header {
	__u64 name;
	__u32 name_bytes;
	__u32 padding;
	__u64 vectors;
	__u64 vector_count;
	__u64 control;
	__u64 control_bytes;
	__u32 flags;
	__u32 reserved;
};

struct user_messages_header {
	struct user_message_header header;
	__u32 received_bytes;
	__u32 padding;
};

struct user_control_header {
	__u64 bytes;	/* with this header */
	__s32 level;
	__s32 type;
};

#endif
