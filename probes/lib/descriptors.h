/*
 * descriptors.h - a task's descriptor table, looked at from inside the kernel.
 *
 * Reads only; no maps. Bounded: a bad descriptor is never followed. Not locked: a table that grows at this instant
 * may be read in its old or its new form, both of which are whole (the kernel publishes tables by RCU).
 *
 * minimum kernel 5.5 (bpf_probe_read_kernel); cost of is_open some 30 ns
 */
#ifndef MEMPROBE_DESCRIPTORS_H
#define MEMPROBE_DESCRIPTORS_H

#include "kernel_tables.h"

static __always_inline struct task_struct *current_task(void)
{
	return (struct task_struct *)bpf_get_current_task();
}

static __always_inline struct files_struct *current_files(void)
{
	return BPF_CORE_READ(current_task(), files);
}

static __always_inline bool is_open(struct files_struct *files, __s32 descriptor)
{
	struct fdtable *table = BPF_CORE_READ(files, fdt);
	struct file *file = 0;

	if (descriptor < 0 || (__u32)descriptor >= BPF_CORE_READ(table, max_fds))
		return false;
	bpf_probe_read_kernel(&file, sizeof(file), BPF_CORE_READ(table, fd) + descriptor);
	return file != 0;
}

#endif
