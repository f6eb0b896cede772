/* The `const volatile` variables of a BPF object, which may be set until it is loaded. */
#ifndef MEMPROBE_BPF_CONSTANT_H
#define MEMPROBE_BPF_CONSTANT_H

#include <bpf/libbpf.h>
#include <stddef.h>

struct bpf_constant {
    unsigned char *value;
    size_t size;
};

/* 0, or -ENOENT if the object has no such variable, -EINVAL if its type information is damaged. */
int bpf_constant_find(const struct bpf_object *object, const char *name, struct bpf_constant *ret);

#endif
