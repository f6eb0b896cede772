/* Which process is meant. All three are set between open and load; the verifier then removes the
 * code of the way that is not taken. */
#ifndef PROBES_WATCHED_H
#define PROBES_WATCHED_H

#include "bpf.h"

/* The process id as memprobe sees it; 0 watches nobody. */
const volatile __u32 watched_pid = 0;

/* memprobe's own pid namespace (st_dev and st_ino of /proc/self/ns/pid), if it is not the initial
 * one: in a container bpf_get_current_pid_tgid would give ids that memprobe does not know. */
const volatile __u64 namespace_device = 0;
const volatile __u64 namespace_inode = 0;

static __always_inline __u32 current_pid(void)
{
    struct bpf_pidns_info ids = {};

    if (namespace_inode == 0)
        return bpf_get_current_pid_tgid() >> 32;
    /* A process outside the namespace has no id in it: 0, which is never watched. */
    bpf_get_ns_current_pid_tgid(namespace_device, namespace_inode, &ids, sizeof(ids));
    return ids.tgid;
}

static __always_inline bool is_watched(void)
{
    return watched_pid != 0 && current_pid() == watched_pid;
}

#endif
