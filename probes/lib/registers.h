/*
 * registers.h - the registers with which the current thread came from user space into the kernel: a system call, a fault, a trap.
 *
 * no maps; minimum kernel 5.15 (bpf_task_pt_regs); before that the registers lie at the top of the kernel stack, whose
 * size memprobe writes into stack_bytes (16 KiB unless the kernel was built with KASAN).
 */
#ifndef MEMPROBE_REGISTERS_H
#define MEMPROBE_REGISTERS_H

#include "bpf.h"

enum bpf_func_id___registers { BPF_FUNC_task_pt_regs___registers = 175 };

const volatile __u32 stack_bytes = 16384;

static __always_inline struct pt_regs *user_registers(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	if (bpf_core_enum_value_exists(enum bpf_func_id___registers, BPF_FUNC_task_pt_regs___registers))
		return (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
	return (struct pt_regs *)(BPF_CORE_READ(task, stack) + stack_bytes) - 1;
}

#endif
