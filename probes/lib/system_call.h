/*
 * system_call.h - the arguments of the system call that ends now.
 *
 * At sys_exit the tracepoint has the result only; the arguments are still in the registers that user space entered with
 * (all but rax). So births need one tracepoint and no map that carries arguments from enter to exit.
 *
 * no maps; minimum kernel: see registers.h.
 * 64-bit callers only: the kernel does not trace 32-bit system calls on these tracepoints.
 */
#ifndef MEMPROBE_SYSTEM_CALL_H
#define MEMPROBE_SYSTEM_CALL_H

#include "registers.h"

#if defined(__TARGET_ARCH_arm64)
#define ARGUMENT_FIELDS(number) regs[number]
static __always_inline __u64 argument(__u32 number)
{
	return number ? BPF_CORE_READ(user_registers(), regs[number & 7]) : BPF_CORE_READ(user_registers(), orig_x0);
}
#else
static __always_inline __u64 argument(__u32 number)
{
	struct pt_regs *registers = user_registers();

	switch (number) {
	case 0: return BPF_CORE_READ(registers, di);
	case 1: return BPF_CORE_READ(registers, si);
	case 2: return BPF_CORE_READ(registers, dx);
	case 3: return BPF_CORE_READ(registers, r10);
	case 4: return BPF_CORE_READ(registers, r8);
	default: return BPF_CORE_READ(registers, r9);
	}
}
#endif

#endif
