/* Objects and bytes of each type. */
#ifndef MEMPROBE_HEAP_CENSUS_H
#define MEMPROBE_HEAP_CENSUS_H

#include "heap_sizes.h"

/* One row; Python sees it as six numbers of 64 bits. */
struct heap_tally {
    uint64_t count;
    uint64_t tracked;
    uint64_t unsure;          /* of torn pools */
    uint64_t large;           /* outside the arenas */
    uint64_t getsizeof_bytes;
    uint64_t allocated_bytes;
};

/* Rows, and what still has to be read for some of them. */
struct heap_watch;

struct heap_census {
    struct heap *heap;
    struct heap_watch *watch;
    struct heap_tally *rows;
    size_t row_count, row_capacity;
    struct heap_request *requests;
    size_t request_count;
    uint64_t table_bytes; /* in pools, and belonging to an object */
};

/* Returns 0 or -ENOMEM. */
int heap_census_open(struct heap_census *census, struct heap *heap);
void heap_census_close(struct heap_census *census);

/* Have rows up to `count`. */
int heap_census_rows(struct heap_census *census, size_t count);

/* Add an object to a row. */
int heap_census_add(struct heap_census *census, size_t row, const struct heap_object *object);

/* Read what is still missing. */
int heap_census_flush(struct heap_census *census);

/* Walk the heap; row i is that of the type with index i. */
int heap_census_walk(struct heap_census *census);

#endif
