/*
 * processes.bpf.c - the followed processes themselves: fork, exec, exit, tables of descriptors that come and go, the census.
 *
 * hooks    raw_tp sched_process_fork, sched_process_exec, sched_process_exit; tracepoints sys_enter/sys_exit of unshare
 *          and close_range; iter/task (the census: memprobe reads it whenever it wants to reconcile), or none (task_counted: the
 *          same of one task, run by memprobe)
 * maps     targets (children are added here, in the kernel, so that nothing lies between a fork and its following; taken
 *          out at exit), address_spaces and space_of (own: whose mm is it; growth.bpf.c reads), unsharing (own),
 *          table_scratch, events, losses
 * sends    PROCESS records, and a TABLE record wherever a table of descriptors was made or closed at one stroke
 * reads    the census: memprobe reads struct task_row from the iterator; with census_tables set each table goes into
 *          the ring too, so it has its place among the births and deaths
 * losses   process_ring_full, targets_full, address_spaces_full, table_ring_full, table_cut
 * minimum  5.8 (ring buffer, task iterator)
 * cost     some 0.1 us per fork, exec and exit of every process of the machine; the rest only for targets
 */
#include "lib/targets.h"
#include "lib/knobs.h"
#include "lib/tables.h"
#include "lib/system_call.h"
#include "lib/address_spaces.h"
#include "lib/current_stack.h"
#include "lib/account.h"

const char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define CLONE_FILES 0x400
#define CLOSE_RANGE_UNSHARE 2
#define MAX_NAMESPACE_LEVELS 32

/* memprobe's own pid namespace and how deep it lies (0: the initial one): written by the census, which memprobe itself
 * runs. Before the first one no process has a number in it. */
volatile __u64 own_namespace = 0;
volatile __u32 namespace_level = 0;

/* The table that a thread in unshare or close_range had before. */
MAP(unsharing, LRU_HASH, __u32, __u64, 256);

static __always_inline __u64 upid_at(struct pid *pid, __u32 level)
{
	__u64 number_bytes = bpf_core_type_size(struct upid);

	return (__u64)pid + bpf_core_field_offset(struct pid, numbers) + level * number_bytes;
}

static __always_inline void find_own_namespace(void)
{
	struct pid *pid = BPF_CORE_READ(current_task(), thread_pid);
	__u32 level = BPF_CORE_READ(pid, level);
	__u64 found = 0;

	if (level >= MAX_NAMESPACE_LEVELS)
		return;
	bpf_probe_read_kernel(&found, sizeof(found),
			      (void *)(upid_at(pid, level) + bpf_core_field_offset(struct upid, ns)));
	namespace_level = level;
	own_namespace = found;
}

/* A task's number in memprobe's own pid namespace; 0 if it has none there. */
static __always_inline __u32 local_number(struct task_struct *task)
{
	struct pid *pid = BPF_CORE_READ(task, thread_pid);
	__u32 level = namespace_level;
	__u64 namespace = 0;
	__s32 number = 0;

	if (!pid || level >= MAX_NAMESPACE_LEVELS || level > BPF_CORE_READ(pid, level))
		return 0;
	bpf_probe_read_kernel(&namespace, sizeof(namespace),
			      (void *)(upid_at(pid, level) + bpf_core_field_offset(struct upid, ns)));
	if (!namespace || namespace != own_namespace)
		return 0;
	bpf_probe_read_kernel(&number, sizeof(number),
			      (void *)(upid_at(pid, level) + bpf_core_field_offset(struct upid, nr)));
	return number;
}

static __always_inline void send_process(__u32 how, struct files_struct *files, struct files_struct *from, __u32 other,
					 __u32 other_local)
{
	struct process_record record = {};

	fill_header(&record.header, RECORD_PROCESS, sizeof(record));
	record.files = (__u64)files;
	record.from_files = (__u64)from;
	record.how = how;
	record.other = other;
	record.other_local = other_local;
	send_urgent(&record, sizeof(record), LOSS_PROCESS_RING_FULL);
}

static __always_inline void follow_child(struct target *parent, __u32 pid, struct task_struct *child)
{
	struct target entry = *parent;

	if (!(entry.flags & TARGET_TREE))
		return;
	if (bpf_map_update_elem(&targets, &pid, &entry, BPF_ANY))
		count_loss(LOSS_TARGETS_FULL);
	else
		enter_space(pid, BPF_CORE_READ(child, mm));
}

/* A new thread that does not share its table (nobody does that) is a table that was copied. */
static __always_inline void forked_thread(struct files_struct *files, struct files_struct *from, struct task_struct *child)
{
	if (files == from)
		return;
	send_process(PROCESS_UNSHARE, files, from, 0, 0);
	send_table(files, BPF_CORE_READ(child, tgid), BPF_CORE_READ(child, pid));
}

SEC("raw_tp/sched_process_fork")
int forked(struct bpf_raw_tracepoint_args *context)
{
	struct task_struct *parent = (void *)context->args[0], *child = (void *)context->args[1];
	__u32 pid = BPF_CORE_READ(parent, tgid), child_pid = BPF_CORE_READ(child, tgid);
	struct target *target = bpf_map_lookup_elem(&targets, &pid);
	struct files_struct *from, *files;

	if (!target)
		return 0;
	from = BPF_CORE_READ(parent, files);
	files = BPF_CORE_READ(child, files);
	if (pid == child_pid) {
		forked_thread(files, from, child);
		return 0;
	}
	follow_child(target, child_pid, child);
	send_process(PROCESS_FORK, files, from, child_pid, local_number(child));
	if (files != from)
		send_table(files, child_pid, child_pid);
	return 0;
}

/* After close-on-exec, in the table the process goes on with; the old Python is gone, and with it its stacks. */
SEC("raw_tp/sched_process_exec")
int executed(struct bpf_raw_tracepoint_args *context)
{
	struct task_struct *task = (void *)context->args[0];
	struct target *target = current_target();
	struct files_struct *files;
	__u32 pid;

	if (!target)
		return 0;
	pid = BPF_CORE_READ(task, tgid);
	target->runtime = 0;
	target->epoch++;
	leave_space(pid);
	enter_space(pid, BPF_CORE_READ(task, mm));
	files = BPF_CORE_READ(task, files);
	send_process(PROCESS_EXEC, files, 0, 0, 0);
	send_table(files, pid, BPF_CORE_READ(task, pid));
	return 0;
}

SEC("raw_tp/sched_process_exit")
int exited(struct bpf_raw_tracepoint_args *context)
{
	struct task_struct *task = (void *)context->args[0];
	__u32 pid = BPF_CORE_READ(task, tgid);
	struct files_struct *files;

	if (!bpf_map_lookup_elem(&targets, &pid))
		return 0;
	settle_thread(pid, BPF_CORE_READ(task, pid));
	files = BPF_CORE_READ(task, files);
	if (BPF_CORE_READ(task, signal, live.counter) <= 0) {
		send_process(PROCESS_EXIT, files, 0, 0, 0);
		leave_space(pid);
		bpf_map_delete_elem(&targets, &pid);
	} else if (files && BPF_CORE_READ(files, count.counter) == 1) {
		send_process(PROCESS_TABLE_END, files, 0, 0, 0);
	}
	return 0;
}

static __always_inline void remember_table(void)
{
	__u32 tid = (__u32)bpf_get_current_pid_tgid();
	__u64 files = (__u64)current_files();

	bpf_map_update_elem(&unsharing, &tid, &files, BPF_ANY);
}

/* The table after the call, next to the one before it; the bits say what the call left open. */
static __always_inline void compare_table(void)
{
	__u64 ids = bpf_get_current_pid_tgid();
	__u32 tid = (__u32)ids;
	__u64 *before = bpf_map_lookup_elem(&unsharing, &tid);
	struct files_struct *files = current_files(), *from;

	if (!before)
		return;
	from = (struct files_struct *)*before;
	bpf_map_delete_elem(&unsharing, &tid);
	if (files != from)
		send_process(PROCESS_UNSHARE, files, from, 0, 0);
	send_table(files, ids >> 32, tid);
}

SEC("tracepoint/syscalls/sys_enter_unshare")
int unshare_begins(struct syscall_enter_context *context)
{
	if (current_target() && context->arguments[0] & CLONE_FILES)
		remember_table();
	return 0;
}

SEC("tracepoint/syscalls/sys_exit_unshare")
int unshare_ends(struct syscall_exit_context *context)
{
	if (current_target())
		compare_table();
	return 0;
}

SEC("tracepoint/syscalls/sys_enter_close_range")
int close_range_begins(struct syscall_enter_context *context)
{
	if (current_target() && context->arguments[2] & CLOSE_RANGE_UNSHARE)
		remember_table();
	return 0;
}

SEC("tracepoint/syscalls/sys_exit_close_range")
int close_range_ends(struct syscall_exit_context *context)
{
	if (current_target())
		compare_table();
	return 0;
}

/* memprobe sets it for a census whose tables are to go into the ring, too. */
volatile __u32 census_tables = 0;

/* Whom the census counts: 0: the targets; else the one with this number in memprobe's own pid namespace. */
volatile __u32 census_local_pid = 0;

static __always_inline __u64 thread_pointer_of(struct task_struct *task)
{
#if defined(__TARGET_ARCH_arm64)
	return BPF_CORE_READ((struct task_struct___arm64 *)task, thread.uw.tp_value);
#else
	return BPF_CORE_READ(task, thread.fsbase);
#endif
}

static __always_inline void fill_row(struct task_row *row, struct task_struct *task)
{
	row->pid = BPF_CORE_READ(task, tgid);
	row->tid = BPF_CORE_READ(task, pid);
	row->local_pid = local_number(BPF_CORE_READ(task, group_leader));
	row->local_tid = local_number(task);
	row->files = (__u64)BPF_CORE_READ(task, files);
	row->address_space = (__u64)BPF_CORE_READ(task, mm);
	row->thread_pointer = thread_pointer_of(task);
}

static __always_inline bool in_census(struct task_struct *task)
{
	__u32 pid = BPF_CORE_READ(task, tgid);

	if (census_local_pid)
		return local_number(BPF_CORE_READ(task, group_leader)) == census_local_pid;
	return bpf_map_lookup_elem(&targets, &pid);
}

/* Each table once: the leader's, and those of threads that have their own. */
static __always_inline bool owns_table(struct task_struct *task, struct files_struct *files)
{
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);

	return task == leader || files != BPF_CORE_READ(leader, files);
}

/* Once its row is told: a task's table goes into the ring, and the account of its process is closed. */
static __always_inline void settle_task(struct task_struct *task)
{
	struct files_struct *files = BPF_CORE_READ(task, files);
	__u32 pid = BPF_CORE_READ(task, tgid);

	if (census_local_pid || !files)
		return;
	enter_space(pid, BPF_CORE_READ(task, mm));
	if (task == BPF_CORE_READ(task, group_leader))
		settle_space(BPF_CORE_READ(task, mm));
	if (census_tables && owns_table(task, files))
		send_table(files, pid, BPF_CORE_READ(task, pid));
}

SEC("iter/task")
int census(struct bpf_iter__task *context)
{
	struct task_struct *task = context->task;
	struct task_row row = {};

	if (!own_namespace)
		find_own_namespace();
	if (!task || !in_census(task))
		return 0;
	fill_row(&row, task);
	bpf_seq_write(context->meta->seq, &row, sizeof(row));
	settle_task(task);
	return 0;
}

/* The row of the last task that was counted singly; all 0 if it does not belong to the census. */
MAP(counted_row, ARRAY, __u32, struct task_row, 1);

/*
 * The census of one task, where the kernel has no iterators (no BTF): memprobe has found it (args[0]) and runs this itself.
 * It may have ended since then, and another thread may be at its place: its number (args[1]) must still be right.
 */
SEC("raw_tp")
int task_counted(struct bpf_raw_tracepoint_args *context)
{
	struct task_struct *task = (void *)context->args[0];
	struct task_row nothing = {};
	__u32 zero = 0;
	struct task_row *row = bpf_map_lookup_elem(&counted_row, &zero);

	if (!row)
		return 0;
	*row = nothing;
	if (!own_namespace)
		find_own_namespace();
	if (BPF_CORE_READ(task, pid) != (int)context->args[1] || !in_census(task))
		return 0;
	fill_row(row, task);
	settle_task(task);
	return 0;
}
