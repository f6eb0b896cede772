/*
 * handles.bpf.c - every birth and every death of a descriptor in the followed processes.
 * Over 500 lines: one program for each way into the kernel, and each stands alone.
 *
 * hooks    syscalls:sys_exit_<name> for births, sys_enter_<name> for deaths (close, close_range): a descriptor is
 *          reported dead before the kernel can give its number away again, and reported born once it exists. So in the
 *          ring a number is always free before it is taken.
 *          The program `born` is attached to many of them (the list is programs.json) and knows each by its number.
 *          Per-system-call tracepoints, not raw_syscalls: to every other system call of the machine the former add 75 ns, the
 *          latter 215 ns (measured side by side, 2 CPUs). Their price: a detach takes 75 ms each, one after the other.
 * maps     targets, knobs (read); events, losses (write); birth_scratch, birth_accounts (own)
 * reads    the result and, from the registers saved at entry, the arguments; path strings, descriptor pairs and control
 *          messages from user memory. Paths are read at exit, when the kernel itself has just read the page.
 * sampling every birth is sent. Its stack is taken one time in N: N is knobs.stack_every as long as stacks have taken less
 *          than knobs.stack_burst_ns on the CPU, of which a thousandth of the time that passes is forgiven; above that N
 *          doubles with each sixteenth more. So a burst has all its stacks, and what never ends costs a thousandth of the
 *          CPU for them, from the first seconds on, before memprobe could do anything. The choice is a hash of the
 *          birth's number on the CPU, so that a regular pattern in the target cannot hide from it.
 * losses   birth_ring_full, death_ring_full, control_cut, arguments_unreadable; all repaired by the census of tables
 * blind    io_uring's own opens, descriptors from ioctl, seccomp ADDFD, fds that ptrace or pidfd_getfd of others insert,
 *          32-bit system calls: seen by the census only
 * minimum  5.8 (ring buffer); on 5.15+ the registers come from bpf_task_pt_regs
 * cost     0.5 us per birth without its stack, 0.4 us per death, 0.1 us for another process in the same call, to which come the
 *          tracepoints themselves (0.25 us each); see README.md
 * length   one file: the ways of being born share the choice of stacks, the scratch records and the table of system calls,
 *          and an object for each would have the verifier go over that part again
 */
#include <asm/unistd.h>
#include "lib/targets.h"
#include "lib/knobs.h"
#include "lib/ring.h"
#include "lib/current_stack.h"
#include "lib/descriptors.h"
#include "lib/system_call.h"

const char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define FORGIVEN_SHIFT 10	/* a thousandth of the time */
#define SETTLED_NS 1000000ULL
#define MAX_DOUBLINGS 16
#define NO_SOURCE (-1)
#define MAX_CONTROL_STEPS 8192		/* a message carries up to 253 descriptors, a call up to 1024 messages */
#define MAX_CONTROL_STEPS_UNROLLED 64	/* where the kernel has no bpf_loop (before 5.17) */

/* linux/socket.h and linux/fcntl.h, which are not there for BPF */
#define SOL_SOCKET 1
#define SCM_RIGHTS 1
#define F_DUPFD 0
#define F_DUPFD_CLOEXEC 1030
#define CLOSE_RANGE_UNSHARE 2
#define CLOSE_RANGE_CLOEXEC 4
#define CLONE_FILES 0x400
#define CLONE_PIDFD 0x1000

struct birth_account {
	__u64 settled_ns;	/* when `stacks_ns` was last made less */
	__u64 stacks_ns;	/* that stacks have taken, as far as it is not forgiven */
	__u64 number;		/* of births ever: the stream that the sampling hashes */
};

MAP(birth_scratch, PERCPU_ARRAY, __u32, struct birth_record, 1);
MAP(birth_accounts, PERCPU_ARRAY, __u32, struct birth_account, 1);

static __always_inline bool handles_wanted(void)
{
	struct knobs *turned;

	if (!current_target())
		return false;
	turned = current_knobs();
	return turned && turned->handles;
}

/* How many births one stack stands for at this instant: a power of two times what was asked. */
static __always_inline __u32 stack_interval(struct knobs *turned, struct birth_account *account)
{
	__u32 every = turned->stack_every ? turned->stack_every : 1;
	__u64 burst_ns = turned->stack_burst_ns, over_ns;

	if (!burst_ns || account->stacks_ns <= burst_ns)
		return every;
	over_ns = (account->stacks_ns - burst_ns) * MAX_DOUBLINGS / burst_ns;
	return every << (over_ns < MAX_DOUBLINGS ? over_ns + 1 : MAX_DOUBLINGS);
}

/* splitmix64: spreads neighbouring numbers over the whole range. */
static __always_inline __u64 spread(__u64 number)
{
	number += 0x9e3779b97f4a7c15ULL;
	number = (number ^ (number >> 30)) * 0xbf58476d1ce4e5b9ULL;
	number = (number ^ (number >> 27)) * 0x94d049bb133111ebULL;
	return number ^ (number >> 31);
}

static __always_inline struct birth_account *current_account(__u64 now_ns)
{
	__u32 zero = 0;
	struct birth_account *account = bpf_map_lookup_elem(&birth_accounts, &zero);
	__u64 forgiven_ns;

	if (account && now_ns - account->settled_ns >= SETTLED_NS) {
		forgiven_ns = (now_ns - account->settled_ns) >> FORGIVEN_SHIFT;
		account->settled_ns = now_ns;
		account->stacks_ns -= forgiven_ns < account->stacks_ns ? forgiven_ns : account->stacks_ns;
	}
	return account;
}

/* The weight of the next birth: 0 if its stack is not to be taken. */
static __always_inline __u32 stack_weight(struct birth_account *account)
{
	struct knobs *turned = current_knobs();
	__u32 every;

	if (!turned || !turned->stacks)
		return 0;
	account->number++;
	every = stack_interval(turned, account);
	if (every > 1 && spread(account->number ^ ((__u64)turned->seed << 32)) % every)
		return 0;
	return every;
}

/* The stack of a birth, and how many births it stands for: both 0 if it is not to be taken. */
static __always_inline __u64 sampled_stack(__u32 *weight)
{
	__u64 begin_ns = bpf_ktime_get_ns(), stack_id;
	struct birth_account *account = current_account(begin_ns);

	*weight = account ? stack_weight(account) : 0;
	if (!account || !*weight)
		return 0;
	stack_id = current_stack();
	account->stacks_ns += bpf_ktime_get_ns() - begin_ns;
	return stack_id;
}

/* An empty birth in this CPU's scratch record; tracepoints run with preemption off, so nobody else writes there. */
static __always_inline struct birth_record *new_birth(__u32 how, __s32 source, __u32 detail)
{
	__u32 zero = 0;
	struct birth_record *birth = bpf_map_lookup_elem(&birth_scratch, &zero);

	if (!birth)
		return 0;
	fill_header(&birth->header, RECORD_BIRTH, 0);
	birth->files = (__u64)current_files();
	birth->how = how;
	birth->source = source;
	birth->detail = detail;
	birth->path_bytes = 0;
	birth->weight = 0;
	birth->stack_id = 0;
	return birth;
}

static __always_inline void read_path(struct birth_record *birth, __u64 path)
{
	long bytes = bpf_probe_read_user_str(birth->path, MAX_PATH_BYTES, (void *)path);

	birth->path_bytes = bytes > 0 ? bytes - 1 : 0;
}

/* Sends as much of the record as is used, rounded up to 8 bytes. */
static __always_inline void send_birth(struct birth_record *birth, __s32 descriptor)
{
	__u64 used = ((__u64)birth->path_bytes + 7) & ~7ULL;

	birth->descriptor = descriptor;
	barrier_var(used); /* the verifier must see the bound on the register that is used */
	if (used > MAX_PATH_BYTES)
		used = MAX_PATH_BYTES;
	used += __builtin_offsetof(struct birth_record, path);
	barrier_var(used);
	birth->header.size_bytes = used;
	send(birth, used, LOSS_BIRTH_RING_FULL);
}

static __always_inline void died(struct files_struct *files, __s32 first, __s32 last, __u32 how)
{
	struct death_record death = {};

	fill_header(&death.header, RECORD_DEATH, sizeof(death));
	death.files = (__u64)files;
	death.first = first;
	death.last = last;
	death.how = how;
	send(&death, sizeof(death), LOSS_DEATH_RING_FULL);
}

/* What the result and the arguments of a system call mean. */
struct call_meaning {
	__u8 how;	/* enum birth_how; 0: not a birth */
	__u8 condition;	/* enum birth_condition */
	__u8 source;	/* 1 + the argument that is the old descriptor or the listener; 0: none */
	__u8 detail;	/* 1 + the argument that is kept; DETAIL_* */
	__u8 path;	/* 1 + the argument that points to a path; 0: none */
	__u8 pair;	/* 1 + the argument that points to two new descriptors; 0: the result is the descriptor */
	__u8 replaces;	/* 1: closes what had the number before */
	__u8 reserved;
};

enum birth_condition {
	ALWAYS = 0,
	FIRST_IS_MINUS_ONE,	/* signalfd: else it changes a descriptor that exists */
	DUPLICATES,		/* fcntl: F_DUPFD, F_DUPFD_CLOEXEC */
	NO_FLAGS,		/* landlock_create_ruleset: with flags it returns a version */
	NEW_LISTENER,		/* seccomp: SECCOMP_SET_MODE_FILTER with SECCOMP_FILTER_FLAG_NEW_LISTENER */
	BPF_COMMAND,		/* bpf: the commands that return a descriptor */
};

#define DETAIL_SOCKET 100	/* domain << 16 | type */
#define DETAIL_OPENAT2 101	/* flags in the structure that argument 2 points to */
#define DETAIL_CREAT 102	/* O_CREAT | O_WRONLY | O_TRUNC */

/* MAP_CREATE, PROG_LOAD, OBJ_GET, *_GET_FD_BY_ID, RAW_TRACEPOINT_OPEN, BTF_LOAD, LINK_CREATE, ENABLE_STATS, *_CREATE */
#define BPF_COMMANDS_WITH_DESCRIPTOR                                                                                 \
	(1ULL << 0 | 1ULL << 5 | 1ULL << 7 | 1ULL << 13 | 1ULL << 14 | 1ULL << 17 | 1ULL << 18 | 1ULL << 19 |         \
	 1ULL << 28 | 1ULL << 30 | 1ULL << 32 | 1ULL << 33 | 1ULL << 36)

#define MAX_CALLS 512

/* By number, so that one program serves all calls: forty copies would take the verifier forty times as long. */
static const volatile struct call_meaning meanings[MAX_CALLS] = {
#ifdef __NR_open	/* calls that newer architectures do not have */
	[__NR_open] = {.how = BIRTH_OPEN, .detail = 2, .path = 1},
	[__NR_creat] = {.how = BIRTH_OPEN, .detail = DETAIL_CREAT, .path = 1},
	[__NR_pipe] = {.how = BIRTH_PIPE, .pair = 1},
	[__NR_dup2] = {.how = BIRTH_DUP, .source = 1, .replaces = 1},
	[__NR_epoll_create] = {.how = BIRTH_EPOLL},
	[__NR_eventfd] = {.how = BIRTH_EVENTFD},
	[__NR_signalfd] = {.how = BIRTH_SIGNALFD, .condition = FIRST_IS_MINUS_ONE},
	[__NR_inotify_init] = {.how = BIRTH_INOTIFY},
#endif
	[__NR_openat] = {.how = BIRTH_OPEN, .detail = 3, .path = 2},
	[__NR_openat2] = {.how = BIRTH_OPEN, .detail = DETAIL_OPENAT2, .path = 2},
	[__NR_open_by_handle_at] = {.how = BIRTH_OPEN, .detail = 3},
	[__NR_socket] = {.how = BIRTH_SOCKET, .detail = DETAIL_SOCKET},
	[__NR_socketpair] = {.how = BIRTH_SOCKETPAIR, .detail = DETAIL_SOCKET, .pair = 4},
	[__NR_accept] = {.how = BIRTH_ACCEPT, .source = 1},
	[__NR_accept4] = {.how = BIRTH_ACCEPT, .source = 1, .detail = 4},
	[__NR_pipe2] = {.how = BIRTH_PIPE, .detail = 2, .pair = 1},
	[__NR_dup] = {.how = BIRTH_DUP, .source = 1},
	[__NR_dup3] = {.how = BIRTH_DUP, .source = 1, .replaces = 1},
	[__NR_fcntl] = {.how = BIRTH_DUP, .source = 1, .condition = DUPLICATES},
	[__NR_epoll_create1] = {.how = BIRTH_EPOLL, .detail = 1},
	[__NR_eventfd2] = {.how = BIRTH_EVENTFD, .detail = 2},
	[__NR_timerfd_create] = {.how = BIRTH_TIMERFD, .detail = 2},
	[__NR_signalfd4] = {.how = BIRTH_SIGNALFD, .detail = 4, .condition = FIRST_IS_MINUS_ONE},
	[__NR_inotify_init1] = {.how = BIRTH_INOTIFY, .detail = 1},
	[__NR_memfd_create] = {.how = BIRTH_MEMFD, .detail = 2, .path = 1},
	[__NR_memfd_secret] = {.how = BIRTH_MEMFD, .detail = 1},
	[__NR_pidfd_open] = {.how = BIRTH_PIDFD, .detail = 2},
	[__NR_pidfd_getfd] = {.how = BIRTH_RECEIVED, .source = 1},
	[__NR_io_uring_setup] = {.how = BIRTH_IO_URING, .detail = 1},
	[__NR_fanotify_init] = {.how = BIRTH_OTHER},
	[__NR_userfaultfd] = {.how = BIRTH_OTHER},
	[__NR_perf_event_open] = {.how = BIRTH_OTHER},
	[__NR_mq_open] = {.how = BIRTH_OTHER, .detail = 2, .path = 1},
	[__NR_fsopen] = {.how = BIRTH_OTHER},
	[__NR_fspick] = {.how = BIRTH_OTHER},
	[__NR_fsmount] = {.how = BIRTH_OTHER},
	[__NR_open_tree] = {.how = BIRTH_OTHER},
	[__NR_landlock_create_ruleset] = {.how = BIRTH_OTHER, .condition = NO_FLAGS},
	[__NR_seccomp] = {.how = BIRTH_OTHER, .condition = NEW_LISTENER},
	[__NR_bpf] = {.how = BIRTH_OTHER, .condition = BPF_COMMAND},
};

static __always_inline bool applies(__u8 condition)
{
	switch (condition) {
	case FIRST_IS_MINUS_ONE: return (__s32)argument(0) == -1;
	case DUPLICATES: return (__u32)argument(1) == F_DUPFD || (__u32)argument(1) == F_DUPFD_CLOEXEC;
	case NO_FLAGS: return (__u32)argument(2) == 0;
	case NEW_LISTENER: return argument(0) == 1 && argument(1) & 8;
	case BPF_COMMAND: return argument(0) < 64 && BPF_COMMANDS_WITH_DESCRIPTOR >> (argument(0) & 63) & 1;
	default: return true;
	}
}

static __always_inline __u32 detail_of(__u8 detail)
{
	__u64 flags = 0;

	switch (detail) {
	case 0: return 0;
	case DETAIL_SOCKET: return (__u32)argument(0) << 16 | ((__u32)argument(1) & 0xffff);
	case DETAIL_CREAT: return 01101;
	case DETAIL_OPENAT2:
		bpf_probe_read_user(&flags, sizeof(flags), (void *)argument(2));
		return flags;
	default: return argument(detail - 1);
	}
}

/* The descriptors of a call: its result, or two that the kernel wrote into the target's memory. Not 0: they cannot be read. */
static __always_inline long descriptors_of(struct syscall_exit_context *context, __u8 pair, __s32 *descriptors)
{
	long failed;

	descriptors[0] = context->result;
	if (!pair)
		return 0;
	failed = bpf_probe_read_user(descriptors, 2 * sizeof(*descriptors), (void *)argument(pair - 1));
	if (failed)
		count_loss(LOSS_ARGUMENTS_UNREADABLE);
	return failed;
}

/* dup2 and dup3 close what they replace without a word; dup2 onto itself does nothing at all. */
static __always_inline bool replaced(struct syscall_exit_context *context, __s32 source)
{
	if (source == (__s32)context->result)
		return false;
	died(current_files(), context->result, context->result, DEATH_REPLACED);
	return true;
}

SEC("tracepoint")
int born(struct syscall_exit_context *context)
{
	__u32 number = (__u32)context->number & (MAX_CALLS - 1);
	const volatile struct call_meaning *meaning = &meanings[number];
	__s32 descriptors[2] = {-1, -1}, source;
	struct birth_record *birth;

	if (!handles_wanted() || context->result < 0 || !meaning->how || !applies(meaning->condition))
		return 0;
	source = meaning->source ? (__s32)argument(meaning->source - 1) : NO_SOURCE;
	if (meaning->replaces && !replaced(context, source))
		return 0;
	if (descriptors_of(context, meaning->pair, descriptors))
		return 0;
	birth = new_birth(meaning->how, source, detail_of(meaning->detail));
	if (!birth)
		return 0;
	if (meaning->path)
		read_path(birth, argument(meaning->path - 1));
	birth->stack_id = sampled_stack(&birth->weight);
	send_birth(birth, descriptors[0]);
	if (meaning->pair)
		send_birth(birth, descriptors[1]);
	return 0;
}

/* A walk over the control messages of one message or of several. */
struct control_walk {
	__u64 at;		/* the next descriptor */
	__u64 end;		/* of the descriptors under this header */
	__u64 next;		/* header */
	__u64 limit;		/* of this message's headers */
	__u64 message;		/* the next one */
	__u64 messages_left;
	__u64 stack_id;
	__s32 socket;
	__u32 weight;
	__u32 finished;
	__u32 reserved;
};

static __always_inline void next_message(struct control_walk *walk)
{
	struct user_message_header header = {};

	if (!walk->messages_left) {
		walk->finished = 1;
		return;
	}
	if (bpf_probe_read_user(&header, sizeof(header), (void *)walk->message))
		count_loss(LOSS_ARGUMENTS_UNREADABLE);
	walk->messages_left--;
	walk->message += sizeof(struct user_messages_header);
	walk->next = header.control;
	walk->limit = header.control + header.control_bytes;
}

static __always_inline void next_header(struct control_walk *walk)
{
	struct user_control_header header = {};

	if (bpf_probe_read_user(&header, sizeof(header), (void *)walk->next) || header.bytes < sizeof(header) ||
	    header.bytes > walk->limit - walk->next) {
		walk->next = walk->limit;
		return;
	}
	if (header.level == SOL_SOCKET && header.type == SCM_RIGHTS) {
		walk->at = walk->next + sizeof(header);
		walk->end = walk->next + header.bytes;
	}
	walk->next += (header.bytes + 7) & ~7ULL;
}

/* A global function: the verifier looks at it once, not at every step of the walk. */
__noinline int received(__s32 descriptor, __s32 socket, __u64 stack_id, __u32 weight)
{
	struct birth_record *birth = new_birth(BIRTH_RECEIVED, socket, 0);

	if (!birth)
		return 0;
	birth->weight = weight;
	birth->stack_id = stack_id;
	send_birth(birth, descriptor);
	return 0;
}

static __always_inline void next_descriptor(struct control_walk *walk)
{
	__s32 descriptor = -1;

	if (bpf_probe_read_user(&descriptor, sizeof(descriptor), (void *)walk->at))
		count_loss(LOSS_ARGUMENTS_UNREADABLE);
	walk->at += sizeof(descriptor);
	if (descriptor >= 0)
		received(descriptor, walk->socket, walk->stack_id, walk->weight);
}

/* One step: the next descriptor, header or message, whichever is due. 1: the walk has ended. */
static long control_step(__u32 step, struct control_walk *walk)
{
	if (walk->at + sizeof(__s32) <= walk->end)
		next_descriptor(walk);
	else if (walk->next + sizeof(struct user_control_header) <= walk->limit)
		next_header(walk);
	else
		next_message(walk);
	return walk->finished != 0;
}

static __always_inline int born_by_messages(__u64 messages, __u64 count, __s32 socket)
{
	struct control_walk walk = {.message = messages, .messages_left = count, .socket = socket};

	next_message(&walk);
	if (!walk.messages_left && walk.next + sizeof(struct user_control_header) > walk.limit)
		return 0;
	walk.stack_id = sampled_stack(&walk.weight);
	if (HAS_HELPER(loop)) {
		bpf_loop(MAX_CONTROL_STEPS, control_step, &walk, 0);
	} else {
		for (__u32 step = 0; step < MAX_CONTROL_STEPS_UNROLLED && !walk.finished; step++)
			control_step(step, &walk);
	}
	if (!walk.finished)
		count_loss(LOSS_CONTROL_CUT);
	return 0;
}

SEC("tracepoint/syscalls/sys_exit_recvmsg")
int born_by_recvmsg(struct syscall_exit_context *context)
{
	if (!handles_wanted() || context->result < 0)
		return 0;
	return born_by_messages(argument(1), 1, argument(0));
}

SEC("tracepoint/syscalls/sys_exit_recvmmsg")
int born_by_recvmmsg(struct syscall_exit_context *context)
{
	if (!handles_wanted() || context->result <= 0)
		return 0;
	return born_by_messages(argument(1), context->result, argument(0));
}

/* The parent's descriptor of a child made with CLONE_PIDFD: the kernel wrote it where the caller said. */
static __always_inline void born_by_clone_to(__u64 place)
{
	struct birth_record *birth;
	__s32 descriptor;

	if (bpf_probe_read_user(&descriptor, sizeof(descriptor), (void *)place))
		count_loss(LOSS_ARGUMENTS_UNREADABLE);
	else if ((birth = new_birth(BIRTH_PIDFD, NO_SOURCE, 0))) {
		birth->stack_id = sampled_stack(&birth->weight);
		send_birth(birth, descriptor);
	}
}

SEC("tracepoint/syscalls/sys_exit_clone")
int born_by_clone(struct syscall_exit_context *context)
{
	if (context->result > 0 && handles_wanted() && argument(0) & CLONE_PIDFD)
		born_by_clone_to(argument(2));
	return 0;
}

SEC("tracepoint/syscalls/sys_exit_clone3")
int born_by_clone3(struct syscall_exit_context *context)
{
	__u64 flags_and_place[2];

	if (context->result <= 0 || !handles_wanted())
		return 0;
	if (bpf_probe_read_user(flags_and_place, sizeof(flags_and_place), (void *)argument(0)))
		count_loss(LOSS_ARGUMENTS_UNREADABLE);
	else if (flags_and_place[0] & CLONE_PIDFD)
		born_by_clone_to(flags_and_place[1]);
	return 0;
}

/* A close of a number that is not open changes nothing (programs close thousands of those after a fork). */
SEC("tracepoint/syscalls/sys_enter_close")
int died_by_close(struct syscall_enter_context *context)
{
	__s32 descriptor = context->arguments[0];
	struct files_struct *files;

	if (!handles_wanted())
		return 0;
	files = current_files();
	if (is_open(files, descriptor))
		died(files, descriptor, descriptor, DEATH_CLOSE);
	return 0;
}

static __always_inline __s32 clamped(__u32 descriptor)
{
	return descriptor > 0x7fffffff ? 0x7fffffff : descriptor;
}

/* Whether a call works on a copy of the table, as the kernel does where somebody else uses it, too. */
static __always_inline bool is_copied(struct files_struct *files, __u32 flags)
{
	return flags & CLOSE_RANGE_UNSHARE && BPF_CORE_READ(files, count.counter) > 1;
}

/* In a copy it happens in a table that is not there yet: see the exit. */
SEC("tracepoint/syscalls/sys_enter_close_range")
int died_by_close_range(struct syscall_enter_context *context)
{
	__u32 first = context->arguments[0], last = context->arguments[1], flags = context->arguments[2];
	struct files_struct *files;

	if (!handles_wanted() || first > last || flags & CLOSE_RANGE_CLOEXEC)
		return 0;
	files = current_files();
	if (!is_copied(files, flags))
		died(files, clamped(first), clamped(last), DEATH_CLOSE_RANGE);
	return 0;
}
