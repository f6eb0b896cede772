/*
 * peek.bpf.c - reads the kernel's memory for memprobe, which looks where fields lie in a kernel without BTF.
 *
 * hooks    none: memprobe runs it itself (BPF_PROG_TEST_RUN); args[0] is an address, args[1] how many bytes
 * maps     peeked (own, what was read), first_copies and second_copies (own: to see where the kernel keeps a map's per-CPU
 *          values)
 * losses   none: a read that fails is said
 * minimum  5.10
 * cost     nobody pays for it
 */
#include "lib/bpf.h"

const char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define PEEK_BYTES 4096

struct peek {
	__u64 task;		/* the thread that runs this */
	__u64 ids;		/* its process and itself, as the initial pid namespace numbers them */
	__u64 maps[2];		/* where two per-CPU maps lie ... */
	__u64 copies[2];	/* ... and this CPU's copies of their values */
	__s64 failed;		/* 0, or why the bytes could not be read */
	__u8 bytes[PEEK_BYTES];
};

MAP(peeked, ARRAY, __u32, struct peek, 1);
/* Of different sizes, so that nothing else that they have lies equally far apart. */
struct more_words {
	__u64 words[64];
};

MAP(first_copies, PERCPU_ARRAY, __u32, __u64, 1);
MAP(second_copies, PERCPU_ARRAY, __u32, struct more_words, 1);

SEC("raw_tp")
int peek(struct bpf_raw_tracepoint_args *context)
{
	__u32 zero = 0;
	struct peek *seen = bpf_map_lookup_elem(&peeked, &zero);
	__u64 address = context->args[0], bytes = context->args[1];

	if (!seen)
		return 0;
	seen->task = bpf_get_current_task();
	seen->ids = bpf_get_current_pid_tgid();
	seen->maps[0] = as_number(&first_copies);
	seen->maps[1] = as_number(&second_copies);
	seen->copies[0] = as_number(bpf_map_lookup_elem(&first_copies, &zero));
	seen->copies[1] = as_number(bpf_map_lookup_elem(&second_copies, &zero));
	if (bytes > PEEK_BYTES)
		bytes = PEEK_BYTES;
	seen->failed = bpf_probe_read_kernel(seen->bytes, bytes, (void *)address);
	return 0;
}
