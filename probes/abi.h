/*
 * abi.h - everything that both the kernel side and memprobe must agree on.
 *
 * One source: the BPF programs include this file, memprobe/abi.py is generated from it (numpy dtypes and enums),
 * and a test compares the two. Fixed-width types only, no implicit padding, every record a multiple of 8 bytes.
 *
 * What crosses, and how:
 *
 *   ring buffer   records (struct record_header first), in the order in which they were reserved
 *   maps          targets, layouts, watches (memprobe -> kernel); growth totals, changes, losses (kernel -> memprobe)
 *
 * A stack crosses once: the first program that meets it sends a STACK record and only then the record that refers to
 * it, so a reader that sees an id has already seen its stack (or the loss is counted under its name).
 */
#ifndef MEMPROBE_ABI_H
#define MEMPROBE_ABI_H

#ifdef MEMPROBE_USER
#include <stdint.h>
typedef uint8_t __u8;
typedef uint16_t __u16;
typedef uint32_t __u32;
typedef uint64_t __u64;
typedef int32_t __s32;
typedef int64_t __s64;
#endif

#define MAX_PYTHON_FRAMES 128
#define MAX_NATIVE_WORDS 64
#define MAX_PATH_BYTES 256
#define MAX_TARGETS 256
#define MAX_LAYOUTS 16

/* What a ring buffer record is; the reader sorts by it. */
enum record_kind {
	RECORD_STACK = 1,
	RECORD_BIRTH = 2,
	RECORD_DEATH = 3,
	RECORD_PROCESS = 4,
	RECORD_COLLECTION = 5,
	RECORD_TABLE = 6,
	RECORD_BLOCK = 7,
	RECORD_LINK = 8,
};

struct record_header {
	__u32 kind;		/* enum record_kind */
	__u32 size_bytes;	/* of the whole record */
	__u64 time_ns;		/* bpf_ktime_get_ns: CLOCK_MONOTONIC */
	__u32 pid;		/* thread group, as the initial pid namespace numbers it */
	__u32 tid;
};

/* How the walk of a Python stack ended. */
enum stack_status {
	STACK_COMPLETE = 0,
	STACK_TRUNCATED = 1,		/* longer than MAX_PYTHON_FRAMES */
	STACK_NO_THREAD_STATE = 2,	/* a thread that Python does not know */
	STACK_NO_FRAME = 3,		/* Python knows the thread, but it runs no Python code */
	STACK_BROKEN = 4,		/* a pointer could not be read or made no sense */
	STACK_NOT_TAKEN = 5,		/* sampled out or shed: the event is counted, its stack is not known */
};

/*
 * A frame as the kernel sees it; resolved in user space against the code object. Frames whose code is not a code
 * object, or whose instruction lies before co_firsttraceable, are not shown: user space drops them, as CPython does.
 */
struct python_frame {
	__u64 code;		/* address of the code object, without tag bits */
	__u64 instruction;	/* f_lasti, sign-extended (to 3.10), or prev_instr/instr_ptr (3.11+), untouched */
	__u64 identity;		/* mix of the words of the code object that its layout names: user space computes the same;
				 * if they differ, the address has been reused */
};

/* Sent once per distinct stack, cut short where there are few frames: only python[0..python_count) is there. */
struct stack_record {
	struct record_header header;
	__u64 stack_id;		/* hash of what follows, of the process and of its epoch; never 0 */
	__u16 python_count;
	__u16 native_count;	/* words of `native` that could be read: all or none */
	__u32 status;		/* enum stack_status */
	__u64 native_instruction;	/* where the thread was when it came into the kernel */
	__u64 native[MAX_NATIVE_WORDS];	/* the top of its native stack */
	struct python_frame python[MAX_PYTHON_FRAMES];
};

/* An offset or a value that this version of CPython does not have. */
#define NO_OFFSET 0xffffffff

enum layout_flags {
	LAYOUT_INTERPRETER_FRAME = 1,	/* _PyInterpreterFrame (3.11+), else PyFrameObject */
	LAYOUT_CFRAME = 2,		/* the current frame lies behind PyThreadState.cframe (3.11, 3.12) */
};

/*
 * Where one version of CPython keeps what a stack walk needs: an element of the map `layouts`, written by user space
 * from memprobe's layout tables. Offsets in bytes. Fields that lie close together are read as words at
 * once, and masks choose among them: branches would multiply what the verifier has to follow.
 */
struct python_layout {
	__u32 flags;			/* enum layout_flags */
	__u32 runtime_interpreters;	/* _PyRuntimeState.interpreters.head */
	__u32 runtime_current_thread;	/* _PyRuntimeState.gilstate.tstate_current (to 3.11), or NO_OFFSET */
	__u32 interpreter_next;		/* PyInterpreterState.next */
	__u32 interpreter_threads;	/* PyInterpreterState.threads.head */
	__u32 thread_links;		/* PyThreadState.prev, next, interp: three words */
	__u32 thread_id;		/* PyThreadState.thread_id: the pthread_t */
	__u32 thread_frame;		/* PyThreadState.frame, cframe or current_frame */
	__u32 cframe_frame;		/* _PyCFrame.current_frame, with LAYOUT_CFRAME */
	__u32 frame_links;		/* where the three words with the code object and the previous frame begin */
	__u32 frame_instruction;	/* f_lasti, prev_instr or instr_ptr */
	__u32 owner_shift;		/* of the byte `owner` in its word, in bits: 0 to 56 */
	__u32 shim_owner;		/* frames with this owner or a higher one run no Python code */
	__u32 code_identity;		/* three words of the code object that tell it from another at its address ... */
	__u32 code_identity_more;	/* ... and three more, or NO_OFFSET where the first contain co_version (3.12+) */
	__u32 name_hash;		/* with code_identity_more: the hash in a str; the second of the first three words is co_name */
	__u64 code_masks[3];		/* the word that is the code object: ~0, or ~3 where references carry tags (3.14+) */
	__u64 previous_masks[3];	/* the word that is the previous frame: ~0 */
	__u64 owner_masks[2];		/* the byte `owner` in the two words after the instruction: 0xff << owner_shift */
};

/* A process that is observed: the value of the map `targets`, by pid. Written by user space (and at fork: copied). */
struct target {
	__u64 runtime;		/* address of _PyRuntime, 0 if it is not known (yet): no stacks */
	__u32 layout;		/* index into `layouts` */
	__u32 epoch;		/* goes into every stack id: another one after exec */
	__u32 flags;		/* enum target_flags */
	__u32 reserved;
};

enum target_flags {
	TARGET_TREE = 1,	/* children become targets in the kernel, at the instant of the fork */
};

/* Which thread of Python a thread of the process is: the key of the map `thread_states`; the value is the address of
 * the PyThreadState. Written by both sides; a hint that is verified whenever it is used. */
struct thread_key {
	__u64 thread_pointer;	/* pthread_self(): fs base on x86-64 */
	__u32 pid;
	__u32 reserved;
};

/* How a descriptor was born; what it is shows in /proc/<pid>/fd. */
enum birth_how {
	BIRTH_OPEN = 1,
	BIRTH_SOCKET = 2,
	BIRTH_SOCKETPAIR = 3,
	BIRTH_ACCEPT = 4,
	BIRTH_PIPE = 5,
	BIRTH_DUP = 6,
	BIRTH_EPOLL = 7,
	BIRTH_EVENTFD = 8,
	BIRTH_TIMERFD = 9,
	BIRTH_SIGNALFD = 10,
	BIRTH_INOTIFY = 11,
	BIRTH_MEMFD = 12,
	BIRTH_PIDFD = 13,
	BIRTH_IO_URING = 14,
	BIRTH_RECEIVED = 15,	/* over SCM_RIGHTS */
	BIRTH_OTHER = 16,
};

struct birth_record {
	struct record_header header;
	__u64 files;		/* files_struct: the table the descriptor lives in (shared by CLONE_FILES) */
	__u64 stack_id;
	__s32 descriptor;
	__u32 how;		/* enum birth_how */
	__s32 source;		/* dup: the old descriptor; accept: the listener; else -1 */
	__u32 detail;		/* socket: domain << 16 | type; open: flags */
	__u32 weight;		/* births that this stack stands for: 1, or N where one stack in N is taken; 0: stack not taken */
	__u32 path_bytes;	/* without the NUL; 0 if there is no path */
	char path[MAX_PATH_BYTES];
};

#define MAX_LINK_BYTES 56

/* What a new descriptor points to, cut off where it is long. Only a tracer (engine ptrace) sends it, after the birth:
 * it does not watch all the time, and memprobe has to see whether the number still stands for the same. */
struct link_record {
	struct record_header header;
	__s32 descriptor;
	__u32 reserved;
	char text[MAX_LINK_BYTES];
};

enum death_how {
	DEATH_CLOSE = 1,
	DEATH_CLOSE_RANGE = 2,
	DEATH_REPLACED = 3,	/* dup2 or dup3 over an open descriptor */
};

struct death_record {
	struct record_header header;
	__u64 files;
	__s32 first;
	__s32 last;		/* equal to first but for close_range */
	__u32 how;		/* enum death_how */
	__u32 flags;
};

enum process_how {
	PROCESS_FORK = 1,	/* pid is the parent, other the child */
	PROCESS_EXEC = 2,
	PROCESS_EXIT = 3,	/* the last thread has gone */
	PROCESS_UNSHARE = 4,	/* the descriptor table was copied: files is the new one */
	PROCESS_TABLE_END = 5,	/* the last thread that used files has gone, the process lives on */
};

struct process_record {
	struct record_header header;
	__u64 files;		/* fork: the child's table; exec: the table after it; exit: the table it leaves */
	__u64 from_files;	/* fork and unshare: the table that was copied (equal to files: it is shared); else 0 */
	__u32 how;		/* enum process_how */
	__u32 other;		/* fork: the child, numbered as the header's pid is */
	__u32 other_local;	/* fork: the child as memprobe's own pid namespace numbers it; 0 if it cannot see it */
	__u32 reserved;
};

#define TABLE_WORDS 64
#define MAX_TABLE_PARTS 16

/*
 * Which descriptors of a table are open at this point of the ring: one bit each. Sent after fork, exec and unshare, and
 * for every target when memprobe asks for a census. Tables beyond TABLE_WORDS * 64 descriptors come in several parts.
 * A set bit may be a descriptor that is being born at this instant: its birth follows.
 */
struct table_record {
	struct record_header header;
	__u64 files;
	__u32 first;		/* descriptor of the lowest bit of open[0] */
	__u32 words;		/* that follow; a multiple of 64 descriptors */
	__u32 table_words;	/* of the whole table: the last part has first / 64 + words == table_words */
	__u32 reserved;
	__u64 open[TABLE_WORDS];
};

/* One row per task of a target, read from the census iterator (not from the ring). */
struct task_row {
	__u32 pid;		/* as the initial pid namespace numbers it: the key of targets */
	__u32 tid;
	__u32 local_pid;	/* as memprobe's own pid namespace numbers it */
	__u32 local_tid;
	__u64 files;
	__u64 address_space;	/* the kernel's mm_struct: the key of address_spaces */
	__u64 thread_pointer;	/* fs base on x86-64: what Python calls the thread's id */
};

struct collection_record {
	struct record_header header;	/* time_ns is the end */
	__u64 duration_ns;
	__s64 collected;	/* -1 where the hook does not say */
	__s32 generation;
	__u32 reserved;
};

#define BLOCK_WORDS 6		/* enough of a block to have the type of the object in it */

/* A block that an allocator handed out during a burst; in the ring `births`. */
struct block_record {
	struct record_header header;
	__u64 address;
	__u64 size_bytes;	/* as it was asked for */
	__u64 stack_id;
	__u64 before;		/* the block that was handed out before this one; 0: none, or it cannot be read */
	__u64 words[BLOCK_WORDS];	/* what that one holds by now */
};

/* How an allocating function is told what is wanted: bits 0-7 of its cookie. */
enum block_how {
	BLOCK_MALLOC = 0,	/* the number of the cookie */
	BLOCK_CALLOC = 1,	/* that times the register dx */
};

/* What a burst is to look at: the one value of the map birth_watch. */
struct birth_watch {
	__u64 used_pools;	/* the allocator's table of pools that have free blocks */
	__u64 classes;		/* a bit for each size class (16 bytes each) that is wanted */
	__u64 limit;		/* births to send; those beyond are counted only */
};

/* What a burst has met: the one value of the map birth_counts. */
struct birth_counts {
	__u64 hits;		/* allocations, of any size */
	__u64 wanted;		/* those of the size classes that are wanted */
	__u64 unknown;		/* whose address could not be told: the first block of a pool */
	__u64 unsent;		/* for which the ring had no room */
	__u64 last;		/* the block that was handed out last */
};

/* Where memory grows: the key of the totals that the kernel keeps per stack. */
enum growth_how {
	GROWTH_FAULT = 1,
	GROWTH_MMAP = 2,
	GROWTH_BRK = 3,
	GROWTH_ARENA = 4,
	GROWTH_POOL = 5,
	GROWTH_LARGE = 6,
	GROWTH_MMAP_FILE = 7,	/* mappings of files */
	GROWTH_RSS_FILE = 8,	/* kmem:rss_stat: the exact account, by kind of memory */
	GROWTH_RSS_ANONYMOUS = 9,
	GROWTH_RSS_SWAP = 10,
	GROWTH_RSS_SHARED = 11,
	GROWTH_ADVISED = 12,	/* madvise gave pages back; freed_bytes only */
	GROWTH_SAMPLED = 13,	/* no program sends it: credited to stacks that were sampled when memory had grown */
};

struct growth_key {
	__u64 stack_id;
	__u32 pid;
	__u32 how;		/* enum growth_how */
};

struct growth_total {
	__u64 grown_bytes;
	__u64 freed_bytes;
	__u64 events;
};

/* A word of a target that a CPU watchpoint is on (the size of a container, a reference count): the key of the map
 * `watches`. */
struct watch_key {
	__u64 address;
	__u32 pid;		/* as the initial pid namespace numbers it */
	__u32 reserved;
};

#define WATCH_UNKNOWN 0xffffffffffffffff

/* What is known of it. Written by memprobe before it arms the watchpoint, by the program at every hit. */
struct watch {
	__u64 last;		/* the word as it was last seen; WATCH_UNKNOWN: the next hit only says what it is */
	__u64 hits;		/* that were taken; the program passes over those beyond `limit` */
	__u64 first_ns;		/* when the first of them came */
	__u64 last_ns;
	__u32 number;		/* of this watch: goes into change_key */
	__u32 width;		/* of the word in bytes: 4 or 8 */
	__u32 limit;		/* of hits; 0: none, then memprobe is called if there are many at once */
	__u32 window_hits;	/* since window_ns */
	__u64 window_ns;
};

/* By whom a watched word is changed: the key of the totals that the kernel keeps per stack. */
struct change_key {
	__u64 stack_id;
	__u32 number;		/* of the watch */
	__u32 reserved;
};

struct change_total {
	__u64 added;		/* sum of the differences that were above 0 */
	__u64 removed;		/* and of those below, without their sign */
	__u64 hits;
};

/* What is known of a container that is seen through the functions that change it: the value of the map `mutated`, whose key
 * is a watch_key. Written by memprobe before the uprobes are attached, by the program at every hit. */
struct mutated {
	__u64 last;		/* its size at the last hit; WATCH_UNKNOWN: the next difference is nobody's */
	__u64 stack_id;		/* of the last hit: what has changed by the next one is its */
	__u64 hits;
	__u64 room;		/* of a list, before it was changed the last time */
	__u32 number;		/* goes into change_key */
	__u32 reserved;
};

/* What the hit of a function says: bits 0-7 of its cookie. The constant is how far into the container its size is. */
enum mutator_how {
	MUTATOR_CHANGES = 0,	/* it may change the container: the register of the cookie, or the second argument */
	MUTATOR_REALLOCATES = 1,	/* it gives the block in the register another size: it may be the room of a list */
	MUTATOR_RESIZES = 2,	/* it may be CPython's list_resize: the second argument is how many entries there will be */
};

#define MOST_LISTS 16

/* Lists whose rooms are looked at: the one value of the map mutator_lists. */
struct mutator_lists {
	__u64 sizes[MOST_LISTS];	/* where they have their sizes; 0 ends them */
};

/* Whether hits are taken, and what was met: the one value of the map mutator_window. */
struct mutator_window {
	__u64 is_open;
	__u64 hits;		/* of the functions, taken or not */
	__u64 taken;		/* those on a container that is looked at */
};

/* What memprobe may turn while the programs run: the one value of the map knobs. All 0 means: count and report nothing. */
struct knobs {
	__u32 handles;			/* 1: births and deaths are sent */
	__u32 stacks;			/* 1: with their stacks */
	__u32 stack_every;		/* one stack in this many births; 0 and 1 are all */
	__u32 stack_burst_ns;		/* once they have taken so long on one CPU, stacks thin out to a thousandth of the time; 0: never */
	__u32 growth;			/* 1: growth totals are kept */
	__u32 growth_stacks;		/* 1: by stack */
	__u32 growth_pages;		/* growing memory gives one stack for this many pages (or edges of the allocator) ... */
	__u32 growth_gap_ns;		/* ... and for the first growth after a pause of this long */
	__u32 reserved;
	__u32 seed;			/* of the choice of sampled stacks */
};

/*
 * An uprobe's cookie says what its hit means and where its number is (a size, a generation, a count):
 *   bits 0-7    enum growth_how (allocator edges only)
 *   bits 8-15   enum cookie_register
 *   bits 16-19  width of the number in bytes: 4 (signed) or 8; 0 is 8
 *   bit  20     set: the number lies in memory, at the register plus the constant; else it is the register plus the constant
 *   bits 24-63  the constant, signed
 */
#define COOKIE_IN_MEMORY (1 << 20)

enum cookie_register {
	COOKIE_CONSTANT = 0,	/* no register: the constant is the number */
	/* else its place among the registers as the kernel saves them, counted from 1 (x86-64) */
	COOKIE_R15 = 1, COOKIE_R14, COOKIE_R13, COOKIE_R12, COOKIE_BP, COOKIE_BX, COOKIE_R11, COOKIE_R10, COOKIE_R9,
	COOKIE_R8, COOKIE_AX, COOKIE_CX, COOKIE_DX, COOKIE_SI, COOKIE_DI,
	COOKIE_SP = 20,
};

#endif
