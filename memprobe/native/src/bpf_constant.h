/* The global variables of a BPF object by name: `const volatile` ones may be set until it is loaded,
 * `volatile` ones whenever it is open. */
#ifndef MEMPROBE_BPF_CONSTANT_H
#define MEMPROBE_BPF_CONSTANT_H

#include <bpf/libbpf.h>
#include <stddef.h>

struct bpf_variable {
    struct bpf_map *section;
    unsigned char *value; /* libbpf's own copy: what will be loaded */
    size_t offset;        /* in the section */
    size_t size;
};

/* 0, or -ENOENT if the object has no such variable, -EINVAL if its type information is damaged. */
int bpf_constant_find(const struct bpf_object *object, const char *name, struct bpf_variable *ret);
int bpf_variable_find(const struct bpf_object *object, const char *name, struct bpf_variable *ret);

/* Change a variable of a loaded object: in the kernel. Programs that write to the same section at this
 * instant may lose what they wrote. */
int bpf_variable_write(const struct bpf_variable *variable, const void *value);

#endif
