/* One object file whose data section is the layout of one CPython.
 *
 * Nothing here runs: generate.py compiles this file against a version's own headers and
 * reads the records back out of the object, so a foreign machine needs a compiler only.
 * The tables say what is wanted and for which minors; a name that a version should have
 * and has not is a compile error, so no table can rot silently.
 */
#include "cpython_headers.h"
#include "private_structs.h"
#include "ranges.h"

struct record {
    char name[112];
    uint64_t kind;   /* S size, F field, T flexible tail, C constant, N negative constant, H hand-made */
    uint64_t first;  /* offset or value */
    uint64_t second; /* size in bytes */
    char text[64];   /* where a hand-made struct comes from */
};

#define RECORD(...) {__VA_ARGS__},
#define SIZE(low, high, type) \
    BETWEEN(low, high, RECORD(#type, 'S', 0, sizeof(type)))
#define FIELD(low, high, type, field) \
    BETWEEN(low, high, RECORD(#type "." #field, 'F', offsetof(type, field), sizeof(((type *)0)->field)))
#define TAIL(low, high, type, field) \
    BETWEEN(low, high, RECORD(#type "." #field, 'T', offsetof(type, field)))
#define CONSTANT(low, high, name) NAMED(low, high, #name, name)
#define NAMED(low, high, name, value) \
    BETWEEN(low, high, RECORD(name, (value) < 0 ? 'N' : 'C', (uint64_t)(value)))
#define HAND_MADE(low, high, type, source) \
    BETWEEN(low, high, RECORD(#type, 'H', 0, sizeof(type), source))

__attribute__((section("memprobe_layout"), used))
static const struct record records[] = {
#include "tables/runtime.h"
#include "tables/interpreter.h"
#include "tables/threads.h"
#include "tables/freelists.h"
#include "tables/debug_offsets.h"
#include "tables/frames.h"
#include "tables/collector.h"
#include "tables/types.h"
#include "tables/builtins.h"
#include "tables/containers.h"
#include "tables/functions.h"
#include "tables/exceptions.h"
#include "tables/iterators.h"
#include "tables/asyncio.h"
#include "tables/modules.h"
#include "tables/allocator.h"
};

/* Bit-fields have no offsetof: the compiler sets all their bits in an otherwise empty
 * struct, and generate.py looks where the ones are. */
struct bit_record {
    char name[112];
    union {
        unsigned char bytes[2048];
        PyASCIIObject PyASCIIObject;
        PyThreadState PyThreadState;
#include "tables/bit_structs.h"
    } image;
};

#define BITS(low, high, type, field) \
    BETWEEN(low, high, RECORD(#type "." #field, {.type.field = -1}))

__attribute__((section("memprobe_bits"), used))
static const struct bit_record bit_records[] = {
#include "tables/bits.h"
};

_Static_assert(sizeof(struct record) == 200 && sizeof(struct bit_record) == 2160, "generate.py knows these sizes");
