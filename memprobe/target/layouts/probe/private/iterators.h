/* Iterators: Objects/iterobject.c and its like, Python/bltinmodule.c, Modules/itertoolsmodule.c. */

/* An index into a sequence. The names of list's and tuple's are in pycore_list.h and
 * pycore_tuple.h from 3.12. */
#define INDEX_ITERATOR(name, sequence) \
    typedef struct { \
        PyObject_HEAD \
        Py_ssize_t it_index; \
        sequence *it_seq; \
    } name

INDEX_ITERATOR(seqiterobject, PyObject);
INDEX_ITERATOR(listreviterobject, PyListObject);
INDEX_ITERATOR(striterobject, PyBytesObject);
INDEX_ITERATOR(unicodeiterobject, PyObject);
#if PY_MINOR_VERSION <= 11
INDEX_ITERATOR(listiterobject, PyListObject);
INDEX_ITERATOR(tupleiterobject, PyTupleObject);
#endif

typedef struct {
    PyObject_HEAD
    PyDictObject *di_dict;
    Py_ssize_t di_used, di_pos;
    PyObject *di_result;
    Py_ssize_t len;
} dictiterobject;

typedef struct {
    PyObject_HEAD
    PySetObject *si_set;
    Py_ssize_t si_used, si_pos, len;
} setiterobject;

typedef struct {
    PyObject_HEAD
    PyObject *it_callable, *it_sentinel;
} calliterobject;

typedef struct {
    PyObject_HEAD
    Py_ssize_t en_index;
    PyObject *en_sit, *en_result, *en_longindex;
    BETWEEN(11, NOW, PyObject *one;)
} enumobject;

typedef struct {
    PyObject_HEAD
    Py_ssize_t index;
    PyObject *seq;
} reversedobject;

typedef struct {
    PyObject_HEAD
    PyObject *func, *it;
} filterobject;

typedef struct {
    PyObject_HEAD
    PyObject *iters, *func;
    BETWEEN(14, NOW, int strict;)
} mapobject;

typedef struct {
    PyObject_HEAD
    Py_ssize_t tuplesize;
    PyObject *ittuple, *result;
    BETWEEN(10, NOW, int strict;)
} zipobject;

typedef struct {
    PyObject_HEAD
    PyObject *source, *active;
} chainobject;

typedef struct {
    PyObject_HEAD
    PyObject *it, *saved;
    Py_ssize_t index;
    BETWEEN(8, 13, int firstpass;)
} cycleobject;

typedef struct {
    PyObject_HEAD
    PyObject *it;
    Py_ssize_t next, stop, step, cnt;
} isliceobject;

typedef struct {
    PyObject_HEAD
    PyObject *it;
    int numread, running;
    PyObject *nextlink, *values[57];
} teedataobject;

typedef struct {
    PyObject_HEAD
    teedataobject *dataobj;
    int index;
    PyObject *weakreflist;
    BETWEEN(12, NOW, void *state;)
} teeobject;

typedef struct {
    PyObject_HEAD
    PyObject *it, *keyfunc, *tgtkey, *currkey, *currvalue;
    void *currgrouper;
    BETWEEN(12, NOW, void *state;)
} groupbyobject;
