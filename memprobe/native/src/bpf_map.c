/* Reading and writing maps, one value at a time or many. */
#include "bpf_object.h"
#include "scope.h"

#include <bpf/bpf.h>
#include <errno.h>

static bool is_per_cpu(const struct bpf_map *map)
{
    switch (bpf_map__type(map)) {
    case BPF_MAP_TYPE_PERCPU_ARRAY:
    case BPF_MAP_TYPE_PERCPU_HASH:
    case BPF_MAP_TYPE_LRU_PERCPU_HASH:
        return true;
    default:
        return false;
    }
}

/* A per-CPU map gives one value for every CPU that the machine could have, each at 8 bytes. */
static size_t value_size(const struct bpf_map *map)
{
    size_t size = bpf_map__value_size(map);

    return is_per_cpu(map) ? (size + 7) / 8 * 8 * (size_t)libbpf_num_possible_cpus() : size;
}

static bool has_size(const struct bpf_map *map, const Py_buffer *given, size_t size, const char *what)
{
    if ((size_t)given->len == size)
        return true;
    PyErr_Format(PyExc_ValueError, "a %s of %s has %zu bytes, not %zd", what, bpf_map__name(map), size,
                 given->len);
    return false;
}

static struct bpf_map *keyed_map(const BpfObject *self, const char *name, const Py_buffer *key)
{
    struct bpf_map *map = bpf_object_is_loaded(self) ? bpf_object_map(self, name) : NULL;

    return map != NULL && has_size(map, key, bpf_map__key_size(map), "key") ? map : NULL;
}

static PyObject *lookup(BpfObject *self, const struct bpf_map *map, const Py_buffer *key)
{
    scope(scope_unref) PyObject *value = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)value_size(map));
    struct bpf_call call;

    if (value == NULL)
        return NULL;
    char *room = PyBytes_AsString(value);
    size_t size = (size_t)PyBytes_Size(value);
    bpf_call_begin(&call, self);
    int err = bpf_map__lookup_elem(map, key->buf, (size_t)key->len, room, size, 0);
    bpf_call_end(&call);
    if (err == -ENOENT)
        Py_RETURN_NONE;
    if (err != 0)
        return bpf_call_failed(&call, err, "read map", bpf_map__name(map));
    return Py_NewRef(value);
}

PyObject *bpf_object_read_map(BpfObject *self, PyObject *arguments)
{
    scope(scope_release) Py_buffer key = {0};
    const char *name;

    if (!PyArg_ParseTuple(arguments, "sy*:read_map", &name, &key))
        return NULL;
    const struct bpf_map *map = keyed_map(self, name, &key);
    return map == NULL ? NULL : lookup(self, map, &key);
}

PyObject *bpf_object_write_map(BpfObject *self, PyObject *arguments)
{
    scope(scope_release) Py_buffer key = {0};
    scope(scope_release) Py_buffer value = {0};
    struct bpf_call call;
    const char *name;

    if (!PyArg_ParseTuple(arguments, "sy*y*:write_map", &name, &key, &value))
        return NULL;
    const struct bpf_map *map = keyed_map(self, name, &key);
    if (map == NULL || !has_size(map, &value, value_size(map), "value"))
        return NULL;
    bpf_call_begin(&call, self);
    int err = bpf_map__update_elem(map, key.buf, (size_t)key.len, value.buf, (size_t)value.len, BPF_ANY);
    bpf_call_end(&call);
    return err != 0 ? bpf_call_failed(&call, err, "write map", name) : Py_NewRef(Py_None);
}

PyObject *bpf_object_delete_from_map(BpfObject *self, PyObject *arguments)
{
    scope(scope_release) Py_buffer key = {0};
    struct bpf_call call;
    const char *name;

    if (!PyArg_ParseTuple(arguments, "sy*:delete_from_map", &name, &key))
        return NULL;
    const struct bpf_map *map = keyed_map(self, name, &key);
    if (map == NULL)
        return NULL;
    bpf_call_begin(&call, self);
    int err = bpf_map__delete_elem(map, key.buf, (size_t)key.len, 0);
    bpf_call_end(&call);
    if (err != 0 && err != -ENOENT)
        return bpf_call_failed(&call, err, "delete from map", name);
    return PyBool_FromLong(err == 0);
}

struct drain {
    int map;
    size_t key_size, value_size;
    char *keys, *values;
    size_t room; /* entries that fit */
};

/* Without batches (before 5.6, and in some kinds of map): one by one. */
static int drain_singly(const struct drain *drain, size_t *ret)
{
    const void *last = NULL;
    size_t done = 0;

    while (done < drain->room) {
        char *key = drain->keys + done * drain->key_size;
        int err = bpf_map_get_next_key(drain->map, last, key);
        if (err == -ENOENT)
            break;
        if (err != 0)
            return err;
        last = key;
        /* A key that was deleted meanwhile still leads on, and its place is used again. */
        if (bpf_map_lookup_elem(drain->map, key, drain->values + done * drain->value_size) == 0)
            done++;
    }
    *ret = done;
    return 0;
}

static int drain_in_batches(const struct drain *drain, size_t *ret)
{
    unsigned char position[64]; /* the kernel's own: at most a key, for hashes a bucket number */
    void *from = NULL;
    size_t done = 0;
    int err = 0;

    if (drain->key_size > sizeof(position))
        return -EINVAL;
    while (err == 0 && done < drain->room) {
        __u32 count = (__u32)(drain->room - done);
        err = bpf_map_lookup_batch(drain->map, from, position, drain->keys + done * drain->key_size,
                                   drain->values + done * drain->value_size, &count, NULL);
        from = position;
        if (err == 0 || err == -ENOENT)
            done += count;
    }
    *ret = done;
    /* ENOSPC: the next bucket does not fit any more; the caller sees that the room is (nearly) full. */
    return err == -ENOENT || (err == -ENOSPC && done > 0) ? 0 : err;
}

static int drain_map(const struct drain *drain, size_t *ret)
{
    int err = drain_in_batches(drain, ret);

    return err == -EINVAL || err == -EOPNOTSUPP ? drain_singly(drain, ret) : err;
}

PyObject *bpf_object_drain_map(BpfObject *self, PyObject *arguments)
{
    scope(scope_release) Py_buffer keys = {0};
    scope(scope_release) Py_buffer values = {0};
    struct bpf_call call;
    const char *name;
    size_t done = 0;

    if (!PyArg_ParseTuple(arguments, "sw*w*:drain_map", &name, &keys, &values))
        return NULL;
    const struct bpf_map *map = bpf_object_is_loaded(self) ? bpf_object_map(self, name) : NULL;
    if (map == NULL)
        return NULL;
    struct drain drain = {
        .map = bpf_map__fd(map),
        .key_size = bpf_map__key_size(map),
        .value_size = value_size(map),
        .keys = keys.buf,
        .values = values.buf,
    };
    if (drain.key_size == 0 || drain.value_size == 0)
        return PyErr_Format(PyExc_ValueError, "%s has no keys to drain", name);
    drain.room = (size_t)keys.len / drain.key_size;
    if ((size_t)values.len / drain.value_size < drain.room)
        drain.room = (size_t)values.len / drain.value_size;
    bpf_call_begin(&call, self);
    int err = drain_map(&drain, &done);
    bpf_call_end(&call);
    return err != 0 ? bpf_call_failed(&call, err, "drain map", name) : PyLong_FromSize_t(done);
}
