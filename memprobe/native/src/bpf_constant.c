#include "bpf_constant.h"

#include <bpf/btf.h>
#include <errno.h>
#include <string.h>

#define SECTION ".rodata"

static const struct btf_var_secinfo *find_variable(const struct btf *btf, const char *name)
{
    int id = btf__find_by_name_kind(btf, SECTION, BTF_KIND_DATASEC);
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

int bpf_constant_find(const struct bpf_object *object, const char *name, struct bpf_constant *ret)
{
    struct bpf_map *map = bpf_object__find_map_by_name(object, SECTION);
    const struct btf *btf = bpf_object__btf(object);
    size_t room = 0;

    if (map == NULL || btf == NULL)
        return -ENOENT;
    const struct btf_var_secinfo *variable = find_variable(btf, name);
    if (variable == NULL)
        return -ENOENT;
    /* libbpf gives the value as const, but it is its own private copy, and the one that is loaded. */
    unsigned char *values = (unsigned char *)bpf_map__initial_value(map, &room);
    if (values == NULL || variable->offset > room || variable->size > room - variable->offset)
        return -EINVAL;
    *ret = (struct bpf_constant){.value = values + variable->offset, .size = variable->size};
    return 0;
}
