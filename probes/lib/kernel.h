/*
 * kernel.h - the kernel's types that every program needs, and the contexts of the hooks by their stable formats.
 *
 * Written by hand instead of a generated vmlinux.h: only the fields that are read, so that names have to be right and
 * offsets do not. libbpf relocates them on load (CO-RE); for bcc memprobe tells the compiler where each of them lies
 * (see bcc.h), which is why they are named twice. What only the handle and growth programs read is in kernel_tables.h.
 * Minimum kernel: 5.8. Cost: none, types only.
 */
#ifndef MEMPROBE_KERNEL_H
#define MEMPROBE_KERNEL_H

#if defined(MEMPROBE_USER) || defined(MEMPROBE_BCC)
#define RELOCATED
#else
#define RELOCATED __attribute__((preserve_access_index))
#endif

#ifndef MEMPROBE_BCC
#define FIELDS(...) { __VA_ARGS__ } RELOCATED
#define AT(type, field, declaration) declaration;
#endif

typedef struct {
	int counter;
} RELOCATED atomic_t;

struct files_struct;
struct mm_struct;
struct signal_struct;
struct pid;

/* x86-64 keeps the fs base here; aarch64 has uw.tp_value instead (two flavours of one kernel type). */
struct thread_struct FIELDS(
	AT(thread_struct, fsbase, unsigned long fsbase)
);

struct thread_struct___arm64 {
	struct {
		unsigned long tp_value;
	} RELOCATED uw;
} RELOCATED;

struct task_struct___arm64 {
	struct thread_struct___arm64 thread;
} RELOCATED;

struct task_struct FIELDS(
	AT(task_struct, stack, void *stack)
	AT(task_struct, flags, unsigned int flags)
	AT(task_struct, pid, int pid)
	AT(task_struct, tgid, int tgid)
	AT(task_struct, group_leader, struct task_struct *group_leader)
	AT(task_struct, thread_pid, struct pid *thread_pid)
	AT(task_struct, mm, struct mm_struct *mm)
	AT(task_struct, files, struct files_struct *files)
	AT(task_struct, signal, struct signal_struct *signal)
	AT(task_struct, thread, struct thread_struct thread)
);

#if defined(__TARGET_ARCH_arm64)
struct user_pt_regs {
	unsigned long long regs[31];
	unsigned long long sp;
	unsigned long long pc;
	unsigned long long pstate;
} RELOCATED;
#else
struct pt_regs {
	unsigned long r15;
	unsigned long r14;
	unsigned long r13;
	unsigned long r12;
	unsigned long bp;
	unsigned long bx;
	unsigned long r11;
	unsigned long r10;
	unsigned long r9;
	unsigned long r8;
	unsigned long ax;
	unsigned long cx;
	unsigned long dx;
	unsigned long si;
	unsigned long di;
	unsigned long orig_ax;
	unsigned long ip;
	unsigned long cs;
	unsigned long flags;
	unsigned long sp;
	unsigned long ss;
} RELOCATED;
#endif

/* Contexts of tracepoints: user-space ABI by their format files, so not relocated. */
struct syscall_enter_context {
	__u64 common;
	__s64 number;
	__u64 arguments[6];
};

struct syscall_exit_context {
	__u64 common;
	__s64 number;
	__s64 result;
};

/* struct bpf_perf_event_data of linux/bpf_perf_event.h: the registers of user space, and the address that is watched. */
struct watchpoint_context {
#if defined(__TARGET_ARCH_arm64)
	__u64 registers[34];
#else
	__u64 registers[21];
#endif
	__u64 sample_period;
	__u64 address;
};

#endif
