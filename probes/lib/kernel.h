/* The kernel as BPF programs see it: its stable interface, and nothing of the running kernel's own.
 *
 * No vmlinux.h: it would be megabytes of one kernel. A program that needs a field of a kernel struct
 * declares that struct here with that field alone, marked MOVABLE, and libbpf finds the field's place
 * in the running kernel from its BTF (CO-RE). */
#ifndef PROBES_KERNEL_H
#define PROBES_KERNEL_H

#include <linux/types.h>
#include <linux/bpf.h>
#include <stdbool.h>

#include <bpf/bpf_helpers.h>

#define MOVABLE __attribute__((preserve_access_index))

#endif
