/*
 * kernel_tables.h - the kernel's descriptor tables, address-space counters and user-space message headers, as far as
 * the handle, process and growth programs read them. Relocated on load (CO-RE): only the names have to be right.
 *
 * Types that other programs need as well (task_struct, pt_regs) are in kernel.h.
 */
#ifndef MEMPROBE_KERNEL_TABLES_H
#define MEMPROBE_KERNEL_TABLES_H

#include "bpf.h"

#ifdef MEMPROBE_USER
#define RELOCATED
#else
#define RELOCATED __attribute__((preserve_access_index))
#endif

struct file;

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
	unsigned long *open_fds;
} RELOCATED;

struct files_struct {
	atomic_t count;
	struct fdtable *fdt;
} RELOCATED;

struct signal_struct {
	atomic_t live;
} RELOCATED;

struct pid_namespace {
	unsigned int level;
} RELOCATED;

struct upid {
	int nr;
	struct pid_namespace *ns;
} RELOCATED;

struct pid {
	unsigned int level;
	struct upid numbers[1];
} RELOCATED;

struct percpu_counter {
	__s64 count;
	__s32 *counters;
} RELOCATED;

struct mm_struct {
	unsigned long brk;
	struct percpu_counter rss_stat[4];	/* 6.2 and newer */
} RELOCATED;

struct mm_rss_stat___before_6_2 {
	struct {
		long counter;
	} count[4];
} RELOCATED;

struct mm_struct___before_6_2 {
	struct mm_rss_stat___before_6_2 rss_stat;
} RELOCATED;

struct bpf_array {
	void *pptrs[1];
} RELOCATED;

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
