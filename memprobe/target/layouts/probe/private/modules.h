/* Types of Modules/: containers, caches, locks, and whatever owns a handle. */

#define BLOCKLEN 64
#define MAXFREEBLOCKS 16

struct BLOCK {
    struct BLOCK *leftlink;
    PyObject *data[BLOCKLEN];
    struct BLOCK *rightlink;
};

typedef struct {
    PyObject_VAR_HEAD
    struct BLOCK *leftblock, *rightblock;
    Py_ssize_t leftindex, rightindex;
    size_t state;
    Py_ssize_t maxlen;
    BETWEEN(11, NOW, Py_ssize_t numfreeblocks; struct BLOCK *freeblocks[MAXFREEBLOCKS];)
    PyObject *weakreflist;
} dequeobject;

typedef struct {
    PyObject_HEAD
    struct BLOCK *b;
    Py_ssize_t index;
    dequeobject *deque;
    size_t state;
    Py_ssize_t counter;
} dequeiterobject;

typedef struct {
    PyDictObject dict;
    PyObject *default_factory;
} defdictobject;

typedef struct {
    PyObject_HEAD
    Py_ssize_t index;
    PyObject *doc;
} _tuplegetterobject;

typedef struct {
    PyObject_HEAD
    PyObject *fn, *args, *kw, *dict, *weakreflist;
    BETWEEN(8, 8, int use_fastcall;)
    BETWEEN(14, NOW, PyObject *placeholder; Py_ssize_t phcount;)
    BETWEEN(9, NOW, void *vectorcall;)
} partialobject;

typedef struct {
    PyObject_HEAD
    PyObject *cmp, *object;
} keyobject;

typedef struct lru_list_elem {
    PyObject_HEAD
    struct lru_list_elem *prev, *next;
    Py_hash_t hash;
    PyObject *key, *result;
} lru_list_elem;

typedef struct {
    lru_list_elem root;
    void *wrapper;
    int typed;
    PyObject *cache;
    Py_ssize_t hits;
    PyObject *func;
    Py_ssize_t maxsize, misses;
    BETWEEN(10, NOW, PyObject *kwd_mark; PyTypeObject *lru_list_elem_type;)
    PyObject *cache_info_type, *dict;
    BETWEEN(9, NOW, PyObject *weakreflist;)
} lru_cache_object;

typedef struct {
    PyObject_HEAD
    Py_ssize_t nitems;
    PyObject *item;
    Py_ssize_t index;
    BETWEEN(11, NOW, void *vectorcall;)
} itemgetterobject;

typedef struct {
    PyObject_HEAD
    Py_ssize_t nattrs;
    PyObject *attr;
    BETWEEN(11, NOW, void *vectorcall;)
} attrgetterobject;

typedef struct {
    PyObject_HEAD
    PyObject *_abc_registry, *_abc_cache, *_abc_negative_cache;
    uint64_t _abc_negative_cache_version;
} _abc_data;

#if PY_MINOR_VERSION <= 12
typedef struct {
    PyObject_HEAD
    PyObject *key, *args, *kw, *weakreflist, *dummies, *wr_callback;
} localobject;

typedef struct {
    PyObject_HEAD
    PyObject *localdict, *weakreflist;
} localdummyobject;
#else
typedef struct {
    PyObject_HEAD
    PyObject *args, *kw, *weakreflist, *localdicts, *thread_watchdogs;
} localobject;

typedef struct {
    PyObject_HEAD
    PyObject *weakreflist;
} localdummyobject;

typedef struct {
    struct llist_node node, shutdown_node;
    unsigned long long ident;
    unsigned long os_handle;
    int has_os_handle, state;
    unsigned char mutex, thread_is_exiting, once;
    Py_ssize_t refcount;
} ThreadHandle;

typedef struct {
    PyObject_HEAD
    ThreadHandle *handle;
} PyThreadHandleObject;
#endif

#if PY_MINOR_VERSION <= 12
typedef struct {
    PyObject_HEAD
    void *lock;
    int locked;
    PyObject *lst;
    Py_ssize_t lst_pos;
    PyObject *weakreflist;
} simplequeueobject;
#else
typedef struct {
    PyObject_HEAD
    bool has_threads_waiting;
    struct {
        Py_ssize_t put_idx, get_idx;
        PyObject **items;
        Py_ssize_t items_cap, num_items;
    } buf;
    PyObject *weakreflist;
} simplequeueobject;
#endif

typedef struct {
    PyObject_HEAD
    int fd;
    unsigned int created : 1, readable : 1, writable : 1, appending : 1;
    signed int seekable : 2;
    BETWEEN(15, NOW, unsigned int truncate : 1;)
    unsigned int closefd : 1;
    char finalizing;
    BETWEEN(8, 13, unsigned int blksize;)
    BETWEEN(14, NOW, struct stat *stat_atopen;)
    PyObject *weakreflist, *dict;
} fileio;

typedef struct {
    PyObject_HEAD
    PyObject *raw;
    int ok, detached, readable, writable;
    char finalizing;
    int fast_closed_checks;
    long abs_pos;
    char *buffer;
    long pos, raw_pos, read_end, write_pos, write_end;
    void *lock;
    unsigned long owner;
    Py_ssize_t buffer_size, buffer_mask;
    PyObject *dict, *weakreflist;
} buffered;

typedef struct {
    PyObject_HEAD
    buffered *reader, *writer;
    PyObject *dict, *weakreflist;
} rwpair;

typedef struct {
    PyObject_HEAD
    PyObject *buf;
    Py_ssize_t pos, string_size;
    PyObject *dict, *weakreflist;
    Py_ssize_t exports;
} bytesio;

typedef struct {
    PyObject_HEAD
    Py_UCS4 *buf;
    Py_ssize_t pos, string_size;
    size_t buf_size;
    int state;
    BETWEEN(8, 11, PyObject *accu[2];)
    BETWEEN(12, 13, _PyUnicodeWriter writer;)
    BETWEEN(14, NOW, void *writer;)
    char ok, closed, readuniversal, readtranslate;
    PyObject *decoder, *readnl, *writenl, *dict, *weakreflist;
    BETWEEN(12, NOW, void *module_state;)
} stringio;

typedef struct {
    PyObject_HEAD
    int ok, detached;
    Py_ssize_t chunk_size;
    PyObject *buffer, *encoding, *encoder, *decoder, *readnl, *errors;
    const char *writenl;
    char line_buffering, write_through, readuniversal, readtranslate, writetranslate;
    char seekable, has_read1, telling, finalizing;
    void *encodefunc;
    char encoding_start_of_stream;
    PyObject *decoded_chars;
    Py_ssize_t decoded_chars_used;
    PyObject *pending_bytes;
    Py_ssize_t pending_bytes_count;
    PyObject *snapshot;
    double b2cratio;
    PyObject *raw, *weakreflist, *dict;
    BETWEEN(12, NOW, void *state;)
} textio;

typedef struct {
    PyObject_HEAD
    int sock_fd, sock_family, sock_type, sock_proto;
    void *errorhandler;
    int64_t sock_timeout;
    BETWEEN(12, NOW, void *state;)
} PySocketSockObject;

typedef struct {
    PyObject_HEAD
    int epfd;
} pyEpoll_Object;

typedef struct {
    PyObject_VAR_HEAD
    char *ob_item;
    Py_ssize_t allocated;
    void *ob_descr;
    PyObject *weakreflist;
    BETWEEN(8, 8, int ob_exports;)
    BETWEEN(9, NOW, Py_ssize_t ob_exports;)
} arrayobject;

typedef struct {
    PyObject_HEAD
    char *data;
    Py_ssize_t size, pos;
    long offset;
    BETWEEN(8, 8, int exports;)
    BETWEEN(9, NOW, Py_ssize_t exports;)
    int fd;
    BETWEEN(13, 14, bool trackfd;)
    BETWEEN(13_8, NOW, int flags;)
    PyObject *weakreflist;
    int access;
    BETWEEN(15, NOW, bool trackfd;)
} mmap_object;
