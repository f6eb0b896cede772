#include "bpf_constant.h"

#include <bpf/btf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct btf_var_secinfo *find_variable(const struct btf *btf, const char *section_name,
                                                   const char *name)
{
    int id = btf__find_by_name_kind(btf, section_name, BTF_KIND_DATASEC);
    const struct btf_type *section = id < 0 ? NULL : btf__type_by_id(btf, (__u32)id);
    if (section == NULL)
        return NULL;
    const struct btf_var_secinfo *variables = btf_var_secinfos(section);
    for (__u16 i = 0; i < btf_vlen(section); i++) {
        const struct btf_type *variable = btf__type_by_id(btf, variables[i].type);
        const char *found = variable ? btf__name_by_offset(btf, variable->name_off) : NULL;
        if (found != NULL && strcmp(found, name) == 0)
            return &variables[i];
    }
    return NULL;
}

static int find_in(const struct bpf_object *object, const char *section, const char *name,
                   struct bpf_variable *ret)
{
    struct bpf_map *map = bpf_object__find_map_by_name(object, section);
    const struct btf *btf = bpf_object__btf(object);
    size_t room = 0;

    if (map == NULL || btf == NULL)
        return -ENOENT;
    const struct btf_var_secinfo *variable = find_variable(btf, section, name);
    if (variable == NULL)
        return -ENOENT;
    /* libbpf gives the value as const, but it is its own private copy, and the one that is loaded. */
    unsigned char *values = (unsigned char *)bpf_map__initial_value(map, &room);
    if (values == NULL || variable->offset > room || variable->size > room - variable->offset)
        return -EINVAL;
    *ret = (struct bpf_variable){map, values + variable->offset, variable->offset, variable->size};
    return 0;
}

int bpf_constant_find(const struct bpf_object *object, const char *name, struct bpf_variable *ret)
{
    return find_in(object, ".rodata", name, ret);
}

int bpf_variable_find(const struct bpf_object *object, const char *name, struct bpf_variable *ret)
{
    int err = find_in(object, ".bss", name, ret);

    return err == -ENOENT ? find_in(object, ".data", name, ret) : err;
}

int bpf_variable_write(const struct bpf_variable *variable, const void *value)
{
    const __u32 only = 0;
    size_t size = bpf_map__value_size(variable->section);
    unsigned char *all = malloc(size);

    if (all == NULL)
        return -ENOMEM;
    int err = bpf_map__lookup_elem(variable->section, &only, sizeof(only), all, size, 0);
    if (err == 0 && variable->offset <= size && variable->size <= size - variable->offset) {
        memcpy(all + variable->offset, value, variable->size);
        err = bpf_map__update_elem(variable->section, &only, sizeof(only), all, size, 0);
    }
    free(all);
    return err;
}
