/* Where things lie in this target: offsets, sizes and addresses by name, as Python's plan gives them.
 *
 * Each FIELD is one entry of the dict that memprobe/heap/plan.py makes; what a version does not have
 * is left out there and is HEAP_ABSENT here. To have one more, add a line here and one there. */
#ifndef MEMPROBE_HEAP_PLAN_H
#define MEMPROBE_HEAP_PLAN_H

#include <stddef.h>
#include <stdint.h>

#define HEAP_ABSENT INT64_MIN
#define HEAP_LARGEST_POOL 65536

/* Of the walk and the census. */
#define HEAP_PLAN_SCAN(FIELD)                                                                      \
    FIELD(version)           /* 0x030B for 3.11 */                                                 \
    FIELD(type_type)         /* address of PyType_Type */                                          \
    FIELD(refcnt_bits)       /* 64, from 3.14 on 32 */                                             \
    FIELD(immortal)          /* the least reference count that is immortal; absent: none is */     \
    FIELD(image_start)       /* where the binary is, if at low addresses */                        \
    FIELD(image_end)                                                                               \
    FIELD(ob_refcnt) FIELD(ob_type) FIELD(ob_size)                                                 \
    FIELD(pool_size) FIELD(pool_overhead) FIELD(pool_alignment) FIELD(size_classes)                \
    FIELD(pool_count) FIELD(pool_freeblock) FIELD(pool_szidx) FIELD(pool_nextoffset)               \
    FIELD(pool_maxnextoffset) FIELD(pool_arenaindex)                                               \
    FIELD(small_limit)       /* SMALL_REQUEST_THRESHOLD: what is larger malloc gives */            \
    FIELD(tp_flags) FIELD(tp_basicsize) FIELD(tp_itemsize) FIELD(type_size) FIELD(heap_type_size)  \
    FIELD(ht_cached_keys)                                                                          \
    FIELD(str_length) FIELD(str_state) FIELD(str_kind_shift) FIELD(str_compact_shift)              \
    FIELD(str_ascii_shift) FIELD(str_ascii_size) FIELD(str_compact_size) FIELD(str_size)           \
    FIELD(str_data) FIELD(str_utf8) FIELD(str_utf8_length) FIELD(str_wstr) FIELD(str_wstr_length)  \
    FIELD(str_ready_shift)                                                                         \
    FIELD(long_tag)          /* 3.12 on: lv_tag, the count above its three low bits */             \
    FIELD(long_digits)                                                                             \
    FIELD(list_items) FIELD(list_allocated)                                                        \
    FIELD(tuple_items)                                                                             \
    FIELD(dict_used) FIELD(dict_keys) FIELD(dict_values)                                           \
    FIELD(keys_refcnt) FIELD(keys_size) FIELD(keys_log2_size) FIELD(keys_log2_index_bytes)         \
    FIELD(keys_kind) FIELD(keys_usable) FIELD(keys_nentries) FIELD(keys_indices)                   \
    FIELD(keys_slots)        /* to 3.10: dk_size */                                                \
    FIELD(keys_lookup)       /* to 3.10: dk_lookup */                                              \
    FIELD(kind_general) FIELD(kind_unicode) FIELD(kind_split)                                      \
    FIELD(entry_size) FIELD(unicode_entry_size)                                                    \
    FIELD(values_at)         /* 3.11, 3.12: where a managed instance points to its values */          \
    FIELD(values_tag)        /* the bit that tells them from a dict */                             \
    FIELD(split_values_inline) /* 1 from 3.13 on: a split dict's values are in its instance */     \
    FIELD(set_used) FIELD(set_mask) FIELD(set_table) FIELD(set_smalltable)                         \
    FIELD(bytearray_alloc)                                                                         \
    FIELD(bytearray_object)  /* from 3.15 on its bytes are an object, with a row of its own */     \
    FIELD(deque_leftblock) FIELD(deque_leftindex) FIELD(deque_block_size)                          \
    FIELD(deque_block_items)                                                                       \
    FIELD(odict_fast_nodes_size) FIELD(odict_node_size)                                            \
    FIELD(array_allocated) FIELD(array_descr) FIELD(array_descr_itemsize)                          \
    FIELD(code_nlocalsplus) FIELD(code_stacksize)                                                  \
    FIELD(gen_code)          /* from 3.11 on: where a generator's frame has its code */            \
    FIELD(bytesio_buf) FIELD(bytes_size)

/* Of the edges; memprobe/heap/shapes gives them. */
#define HEAP_PLAN_EDGES(FIELD)                                                                     \
    FIELD(managed_dict) FIELD(managed_values)  /* from the object's address, below zero */         \
    FIELD(flag_inline_values) FIELD(flag_long)                                                     \
    FIELD(values_start)        /* of the values in their struct */                                 \
    FIELD(values_capacity) FIELD(values_embedded) FIELD(values_valid)  /* 3.13 on */               \
    FIELD(values_by_dict)      /* 1: values in an instance are visited by its dict, if it has one */ \
    FIELD(set_fill)                                                                                \
    FIELD(lookup_general)      /* to 3.10: address of lookdict, what dk_lookup of general tables is */ \
    FIELD(frame_executable) FIELD(frame_function) FIELD(frame_names) FIELD(frame_object)           \
    FIELD(frame_locals) FIELD(frame_stack_top) FIELD(frame_stack_pointer) FIELD(frame_owner)       \
    FIELD(frame_owned_by_object) FIELD(frame_cleared) FIELD(frame_of_object)                       \
    FIELD(frame_value_stack) FIELD(frame_value_stack_top) FIELD(frame_value_stack_depth)           \
    FIELD(deque_block_data) FIELD(deque_block_right) FIELD(deque_block_length)                     \
    FIELD(link_next) FIELD(link_key) FIELD(link_result)                                            \
    FIELD(definition_size)

#define HEAP_PLAN(FIELD) HEAP_PLAN_SCAN(FIELD) HEAP_PLAN_EDGES(FIELD)

struct heap_plan {
#define HEAP_PLAN_MEMBER(name) int64_t name;
    HEAP_PLAN(HEAP_PLAN_MEMBER)
#undef HEAP_PLAN_MEMBER
};

/* Set every entry to HEAP_ABSENT. */
void heap_plan_clear(struct heap_plan *plan);

/* Set one entry. Returns -ENOENT if there is none of that name. */
int heap_plan_set(struct heap_plan *plan, const char *name, int64_t value);

/* Say what the walk needs and the plan does not have, or has nonsense for; NULL if nothing. */
const char *heap_plan_check(const struct heap_plan *plan);

#endif
