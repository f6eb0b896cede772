/* Which arena an address lies in, without searching; and what its pools are cut into. */
#ifndef MEMPROBE_HEAP_ARENAS_H
#define MEMPROBE_HEAP_ARENAS_H

#include <stddef.h>
#include <stdint.h>

struct heap;

#define HEAP_NO_CLASS 255

/* Index heap->arenas. Returns 0, -ENOMEM, or -E2BIG where there are more than anybody has. */
int heap_arenas_index(struct heap *heap);

/* Where the class of the pool at an address of this arena is kept. */
uint8_t *heap_pool_class(struct heap *heap, size_t arena, uint64_t address);

/* Keep what the header of a pool says, as it was just read. */
void heap_note_pool(struct heap *heap, size_t arena, uint64_t address, const uint8_t *header);

#endif
