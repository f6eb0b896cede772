#include "heap_plan.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

struct plan_field {
    const char *name;
    size_t offset;
};

static const struct plan_field fields[] = {
#define PLAN_FIELD(name) {#name, offsetof(struct heap_plan, name)},
    HEAP_PLAN(PLAN_FIELD)
#undef PLAN_FIELD
};

#define FIELD_COUNT (sizeof(fields) / sizeof(fields[0]))

static int64_t *field_at(struct heap_plan *plan, size_t index)
{
    return (int64_t *)(void *)((char *)plan + fields[index].offset);
}

void heap_plan_clear(struct heap_plan *plan)
{
    for (size_t i = 0; i < FIELD_COUNT; i++)
        *field_at(plan, i) = HEAP_ABSENT;
}

int heap_plan_set(struct heap_plan *plan, const char *name, int64_t value)
{
    for (size_t i = 0; i < FIELD_COUNT; i++)
        if (strcmp(fields[i].name, name) == 0) {
            *field_at(plan, i) = value;
            return 0;
        }
    return -ENOENT;
}

static bool is_power_of_two(int64_t value)
{
    return value > 0 && (value & (value - 1)) == 0;
}

static bool is_within(int64_t value, int64_t lowest, int64_t highest)
{
    return lowest <= value && value <= highest;
}

/* Where a pool's header has its fields. */
static bool has_pool_header(const struct heap_plan *plan)
{
    const int64_t offsets[] = {plan->pool_count, plan->pool_freeblock, plan->pool_szidx,
                               plan->pool_nextoffset, plan->pool_maxnextoffset};

    for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++)
        if (!is_within(offsets[i], 0, plan->pool_overhead - 4))
            return false;
    return plan->pool_freeblock <= plan->pool_overhead - 8;
}

const char *heap_plan_check(const struct heap_plan *plan)
{
    if (!is_power_of_two(plan->pool_size) || !is_within(plan->pool_size, 4096, HEAP_LARGEST_POOL))
        return "pool_size";
    if (!is_power_of_two(plan->pool_alignment) || !is_within(plan->pool_alignment, 8, 16))
        return "pool_alignment";
    if (!is_within(plan->pool_overhead, 16, 256))
        return "pool_overhead";
    if (!is_within(plan->size_classes, 1, 64))
        return "size_classes";
    if (!is_within(plan->small_limit, 256, 1024))
        return "small_limit";
    if (!has_pool_header(plan))
        return "a field of pool_header";
    if (plan->ob_refcnt != 0 || plan->ob_type != 8 || plan->ob_size != 16)
        return "the header of an object";
    if (plan->refcnt_bits != 32 && plan->refcnt_bits != 64)
        return "refcnt_bits";
    if (!is_within(plan->type_size, 64, 4096))
        return "type_size";
    if (!is_within(plan->tp_flags, 0, plan->type_size - 8)
        || !is_within(plan->tp_basicsize, 0, plan->type_size - 8))
        return "a field of PyTypeObject";
    if (plan->type_type <= 0)
        return "type_type";
    return NULL;
}
