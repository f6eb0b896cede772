/* Objects/obmalloc.c to 3.11; later versions have pycore_obmalloc.h. */
#if PY_MINOR_VERSION <= 11
typedef uint8_t pymem_block;

struct pool_header {
    union {
        pymem_block *_padding;
        unsigned int count;
    } ref;
    pymem_block *freeblock;
    struct pool_header *nextpool, *prevpool;
    unsigned int arenaindex, szidx, nextoffset, maxnextoffset;
};

struct arena_object {
    uintptr_t address;
    pymem_block *pool_address;
    unsigned int nfreepools, ntotalpools;
    struct pool_header *freepools;
    struct arena_object *nextarena, *prevarena;
};
#endif

#if PY_MINOR_VERSION == 10 || PY_MINOR_VERSION == 11
typedef struct {
    int32_t tail_hi, tail_lo;
} arena_coverage_t;
#endif
