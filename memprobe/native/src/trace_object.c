#define _GNU_SOURCE

#include "trace_object.h"

#include "ring_parcels.h"
#include "scope.h"
#include "trace_programs.h"
#include "trace_window.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#define METHOD(function) ((PyCFunction)(void (*)(void))(function))
#define LEAST_RING 65536
#define OVERLAP 65536 /* no record is longer */

typedef struct {
    PyObject_HEAD
    struct trace_shared *shared; /* NULL once closed; the ring lies behind it */
    size_t mapped;
    struct ring ring;
    struct trace_window window;
    int wake;
} Tracer;

static size_t head_bytes(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    return (sizeof(struct trace_shared) + page - 1) / page * page;
}

static int open_memory(Tracer *self, size_t ring_bytes)
{
    if (ring_bytes < LEAST_RING || (ring_bytes & (ring_bytes - 1)) != 0)
        return -EINVAL;
    self->mapped = head_bytes() + ring_bytes;
    void *memory = mmap(NULL, self->mapped, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return -errno;
    self->shared = memory;
    self->ring.data = (unsigned char *)memory + head_bytes();
    self->ring.size = ring_bytes;
    self->ring.overlap = OVERLAP;
    self->ring.consumer = &self->shared->consumer;
    self->ring.producer = &self->shared->producer;
    return 0;
}

/* Not one of the three standard files, which become others in the watchdog. */
static int open_wake(void)
{
    int file = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int other = file < 0 ? -1 : fcntl(file, F_DUPFD_CLOEXEC, 3);

    if (file >= 0)
        close(file);
    return other;
}

static int tracer_init(Tracer *self, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"ring_bytes", "shapes", NULL};
    PyObject *shapes;
    Py_ssize_t ring_bytes;

    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "nO!:Tracer", names, &ring_bytes, &PyDict_Type,
                                     &shapes))
        return -1;
    if (self->shared != NULL) {
        PyErr_SetString(PyExc_ValueError, "this tracer is open already");
        return -1;
    }
    if (!ring_set_shapes(&self->ring, shapes))
        return -1;
    errno = -open_memory(self, (size_t)ring_bytes);
    if (errno == 0)
        self->wake = open_wake();
    if (self->shared != NULL && self->wake >= 0)
        return 0;
    PyErr_SetFromErrno(PyExc_OSError);
    return -1;
}

static void close_tracer(Tracer *self)
{
    if (self->shared == NULL)
        return;
    trace_window_end(&self->window);
    munmap(self->shared, self->mapped);
    self->shared = NULL;
    if (self->wake >= 0)
        close(self->wake);
    self->wake = -1;
}

static void tracer_dealloc(Tracer *self)
{
    PyTypeObject *type = Py_TYPE((PyObject *)self);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);

    close_tracer(self);
    release(self);
    Py_DECREF(type);
}

static bool is_open(const Tracer *self)
{
    if (self->shared == NULL)
        PyErr_SetString(PyExc_ValueError, "this tracer is closed");
    return self->shared != NULL;
}

/* Windows ----------------------------------------------------------------------------------------------- */

static bool has_good_sizes(const Py_buffer *targets, const Py_buffer *layouts, const Py_buffer *knobs)
{
    return (size_t)targets->len % sizeof(struct trace_target) == 0
           && (size_t)layouts->len % trace_layout_bytes == 0 && (size_t)knobs->len == trace_knobs_bytes;
}

static bool has_good_words(const Py_buffer *words, unsigned burst_hits)
{
    size_t count = (size_t)words->len / sizeof(struct trace_word);

    return (size_t)words->len % sizeof(struct trace_word) == 0 && count <= TRACE_WORDS
           && burst_hits <= TRACE_CHANGES;
}

static PyObject *tracer_begin(Tracer *self, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"targets",  "layouts", "knobs", "children", "execs",      "slice_ns", "share",
                            "calls", "only_burst", "words", "burst_ns", "burst_hits", NULL};
    scope(scope_release) Py_buffer targets = {0};
    scope(scope_release) Py_buffer layouts = {0};
    scope(scope_release) Py_buffer knobs = {0};
    scope(scope_release) Py_buffer words = {0};
    int children, execs, calls, only_burst;
    unsigned burst_hits;
    unsigned long long slice_ns, burst_ns;
    double share;

    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "y*y*y*$ppKdppy*KI:begin", names, &targets, &layouts,
                                     &knobs, &children, &execs, &slice_ns, &share, &calls, &only_burst,
                                     &words, &burst_ns, &burst_hits)
        || !is_open(self))
        return NULL;
    if (!has_good_sizes(&targets, &layouts, &knobs) || !has_good_words(&words, burst_hits)
        || trace_window_goes_on(&self->window)) {
        PyErr_SetString(PyExc_ValueError, "buffers of the wrong size, or a window that goes on");
        return NULL;
    }
    struct trace_order order = {
        .targets = targets.buf,
        .target_count = (size_t)targets.len / sizeof(struct trace_target),
        .layouts = layouts.buf,
        .layout_count = (size_t)layouts.len / trace_layout_bytes,
        .knobs = knobs.buf,
        .follows_children = children,
        .follows_exec = execs,
        .slice_ns = slice_ns,
        .share = share,
        .traces_calls = calls,
        .ends_with_burst = only_burst,
        .words = words.buf,
        .word_count = (size_t)words.len / sizeof(struct trace_word),
        .burst_ns = burst_ns,
        .burst_hits = burst_hits,
        .ring = (unsigned char *)self->shared + head_bytes(),
        .ring_size = self->ring.size,
        .wake = self->wake,
    };
    errno = -trace_window_begin(&order, self->shared, &self->window);
    if (errno != 0)
        return PyErr_SetFromErrno(PyExc_OSError);
    Py_RETURN_NONE;
}

static PyObject *tracer_attend(Tracer *self, PyObject *Py_UNUSED(ignored))
{
    if (!is_open(self))
        return NULL;
    self->shared->attended_ns = trace_now_ns();
    Py_RETURN_NONE;
}

static PyObject *tracer_end(Tracer *self, PyObject *Py_UNUSED(ignored))
{
    Py_BEGIN_ALLOW_THREADS
    trace_window_end(&self->window);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

static PyObject *tracer_goes_on(Tracer *self, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(trace_window_goes_on(&self->window));
}

/* What came of them ------------------------------------------------------------------------------------- */

static PyObject *tracer_drain(Tracer *self, PyObject *Py_UNUSED(ignored))
{
    return is_open(self) ? ring_parcels(&self->ring) : NULL;
}

static PyObject *tracer_fileno(Tracer *self, PyObject *Py_UNUSED(ignored))
{
    return is_open(self) ? PyLong_FromLong(self->wake) : NULL;
}

static PyObject *tracer_close(Tracer *self, PyObject *Py_UNUSED(ignored))
{
    close_tracer(self);
    Py_RETURN_NONE;
}

static PyObject *tracer_outcome(Tracer *self, void *Py_UNUSED(closure))
{
    if (!is_open(self))
        return NULL;
    unsigned end = __atomic_load_n(&self->shared->end, __ATOMIC_ACQUIRE);
    return Py_BuildValue("Iiii", end, self->shared->error, self->shared->thread, (int)self->shared->reached);
}

static PyObject *tracer_counts(Tracer *self, void *Py_UNUSED(closure))
{
    if (!is_open(self))
        return NULL;
    struct trace_counts now = self->shared->counts;
    return Py_BuildValue("KKKKKKK", now.stops, now.stopped_ns, now.longest_ns, now.calls, now.restarted,
                         now.cpu_ns, now.watched_ns);
}

static PyObject *tracer_prices(Tracer *self, void *Py_UNUSED(closure))
{
    if (!is_open(self))
        return NULL;
    struct trace_prices prices = self->shared->prices;
    return Py_BuildValue("KKi", prices.stop_ns, prices.hit_ns, prices.error);
}

static PyObject *tracer_burst(Tracer *self, void *Py_UNUSED(closure))
{
    if (!is_open(self))
        return NULL;
    const struct trace_burst *burst = &self->shared->burst;
    uint64_t end_ns = __atomic_load_n(&burst->end_ns, __ATOMIC_ACQUIRE);
    if (end_ns == 0)
        Py_RETURN_NONE;
    return Py_BuildValue("KKi(KK)(KK)y#", burst->begin_ns, end_ns, burst->error, burst->hits[0],
                         burst->hits[1], burst->last[0], burst->last[1], (const char *)burst->changes,
                         (Py_ssize_t)(burst->change_count * sizeof(struct trace_change)));
}

static PyObject *tracer_losses(Tracer *self, void *Py_UNUSED(closure))
{
    if (!is_open(self))
        return NULL;
    return PyBytes_FromStringAndSize((const char *)self->shared->losses, sizeof(self->shared->losses));
}

static PyObject *tracer_strange(Tracer *self, void *Py_UNUSED(closure))
{
    return PyLong_FromUnsignedLongLong(self->ring.strange);
}

static PyMethodDef methods[] = {
    {"begin", METHOD(tracer_begin), METH_VARARGS | METH_KEYWORDS, NULL},
    {"attend", METHOD(tracer_attend), METH_NOARGS, NULL},
    {"end", METHOD(tracer_end), METH_NOARGS, NULL},
    {"drain", METHOD(tracer_drain), METH_NOARGS, NULL},
    {"fileno", METHOD(tracer_fileno), METH_NOARGS, NULL},
    {"close", METHOD(tracer_close), METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef properties[] = {
    {"goes_on", (getter)tracer_goes_on, NULL, NULL, NULL},
    {"outcome", (getter)tracer_outcome, NULL, NULL, NULL},
    {"counts", (getter)tracer_counts, NULL, NULL, NULL},
    {"prices", (getter)tracer_prices, NULL, NULL, NULL},
    {"burst", (getter)tracer_burst, NULL, NULL, NULL},
    {"losses", (getter)tracer_losses, NULL, NULL, NULL},
    {"strange", (getter)tracer_strange, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_init, tracer_init},
    {Py_tp_dealloc, tracer_dealloc},
    {Py_tp_methods, methods},
    {Py_tp_getset, properties},
    {0, NULL},
};

PyType_Spec trace_object_spec = {
    .name = "memprobe.native._trace.Tracer",
    .basicsize = sizeof(Tracer),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = slots,
};
