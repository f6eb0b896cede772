#include "graph_methods.h"

#include "big_object.h"
#include "graph.h"
#include "scope.h"

#include <errno.h>

/* The buffers of a call. The GIL is released while they are read: what could change meanwhile is a
 * caller's fault, and the arrays that come from a heap are read-only. */
struct call {
    Py_buffer starts, targets, roots, before;
    struct graph graph;
    struct graph_roots from;
};

static void scope_call(struct call *call)
{
    PyBuffer_Release(&call->starts);
    PyBuffer_Release(&call->targets);
    PyBuffer_Release(&call->roots);
    PyBuffer_Release(&call->before);
}

static bool refuse(const char *why)
{
    PyErr_SetString(PyExc_ValueError, why);
    return false;
}

static bool is_array(const Py_buffer *buffer, size_t width)
{
    return (size_t)buffer->len % width == 0 && (uintptr_t)buffer->buf % width == 0;
}

/* Every index is checked here, so that the algorithms need not. */
static bool take_graph(struct call *call)
{
    size_t starts = (size_t)call->starts.len / sizeof(uint64_t);

    if (!is_array(&call->starts, sizeof(uint64_t)) || starts == 0)
        return refuse("starts must be one more 64-bit number than there are nodes");
    if (!is_array(&call->targets, sizeof(uint32_t)))
        return refuse("targets must be 32-bit numbers");
    if (starts - 1 >= GRAPH_NODE_MASK)
        return refuse("a graph has less than 2**30 - 1 nodes");
    call->graph = (struct graph){
        .starts = call->starts.buf,
        .targets = call->targets.buf,
        .nodes = (uint32_t)(starts - 1),
        .edges = (uint64_t)call->targets.len / sizeof(uint32_t),
    };
    const char *wrong;
    Py_BEGIN_ALLOW_THREADS
    wrong = graph_check(&call->graph);
    Py_END_ALLOW_THREADS
    return wrong == NULL || refuse(wrong);
}

static bool take_roots(struct call *call)
{
    if (!is_array(&call->roots, sizeof(uint32_t)))
        return refuse("roots must be 32-bit numbers");
    call->from = (struct graph_roots){call->roots.buf, (size_t)call->roots.len / sizeof(uint32_t)};
    const char *wrong = graph_check_roots(&call->graph, &call->from);
    return wrong == NULL || refuse(wrong);
}

static PyObject *raise(int err)
{
    if (err == -ENOMEM)
        return PyErr_NoMemory();
    errno = -err;
    return PyErr_SetFromErrno(PyExc_OSError);
}

/* Two buffers as a tuple, or the error; the buffers are gone either way. */
static PyObject *pair(PyObject *module, int err, struct big_buffer *one, char one_kind,
                      struct big_buffer *other, char other_kind)
{
    if (err != 0) {
        big_close(one);
        big_close(other);
        return raise(err);
    }
    scope(scope_unref) PyObject *first = big_object_take(module, one, one_kind);
    scope(scope_unref) PyObject *second = big_object_take(module, other, other_kind);
    return first == NULL || second == NULL ? NULL : PyTuple_Pack(2, first, second);
}

PyObject *dominators(PyObject *module, PyObject *arguments)
{
    scope(scope_call) struct call call = {0};
    struct big_buffer idom = {0}, order = {0};
    unsigned int strengths;
    int err;

    if (!PyArg_ParseTuple(arguments, "y*y*y*I:dominators", &call.starts, &call.targets, &call.roots,
                          &strengths)
        || !take_graph(&call) || !take_roots(&call))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    err = graph_dominators(&call.graph, &call.from, strengths, &idom, &order);
    Py_END_ALLOW_THREADS
    return pair(module, err, &idom, 'I', &order, 'I');
}

/* What an earlier search has reached: NULL if there was none. */
static bool take_before(const struct call *call, const uint32_t **ret)
{
    *ret = call->before.buf;
    if (*ret == NULL || (is_array(&call->before, sizeof(uint32_t))
                         && (size_t)call->before.len / sizeof(uint32_t) == call->graph.nodes))
        return true;
    return refuse("before must be a 32-bit number for each node");
}

PyObject *reach(PyObject *module, PyObject *arguments)
{
    scope(scope_call) struct call call = {0};
    struct big_buffer parent = {0};
    const uint32_t *before;
    unsigned int strengths;
    int err;

    if (!PyArg_ParseTuple(arguments, "y*y*y*I|y*:reach", &call.starts, &call.targets, &call.roots, &strengths,
                          &call.before)
        || !take_graph(&call) || !take_roots(&call) || !take_before(&call, &before))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    err = graph_reach(&call.graph, &call.from, strengths, before, &parent);
    Py_END_ALLOW_THREADS
    return err != 0 ? raise(err) : big_object_take(module, &parent, 'I');
}

PyObject *reverse(PyObject *module, PyObject *arguments)
{
    scope(scope_call) struct call call = {0};
    struct big_buffer starts = {0}, targets = {0};
    int err;

    if (!PyArg_ParseTuple(arguments, "y*y*:reverse", &call.starts, &call.targets) || !take_graph(&call))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    err = graph_reverse(&call.graph, &starts, &targets);
    Py_END_ALLOW_THREADS
    return pair(module, err, &starts, 'Q', &targets, 'I');
}

PyObject *count_references(PyObject *module, PyObject *arguments)
{
    scope(scope_call) struct call call = {0};
    struct big_buffer counts = {0};
    unsigned int strengths;
    int err;

    if (!PyArg_ParseTuple(arguments, "y*y*I:count_references", &call.starts, &call.targets, &strengths)
        || !take_graph(&call))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    err = graph_count_references(&call.graph, strengths, &counts);
    Py_END_ALLOW_THREADS
    return err != 0 ? raise(err) : big_object_take(module, &counts, 'I');
}

/* The buffers of retained() and dominated(). */
struct tree {
    Py_buffer idom, order, others;
    uint32_t nodes;
    size_t ordered;
};

static void scope_tree(struct tree *tree)
{
    PyBuffer_Release(&tree->idom);
    PyBuffer_Release(&tree->order);
    PyBuffer_Release(&tree->others);
}

/* The functions leave out what is no node of the tree, so its numbers are not checked. */
static bool take_tree(struct tree *tree)
{
    size_t nodes = (size_t)tree->idom.len / sizeof(uint32_t);

    if (!is_array(&tree->idom, sizeof(uint32_t)) || !is_array(&tree->order, sizeof(uint32_t)))
        return refuse("idom and order must be 32-bit numbers");
    if (nodes >= GRAPH_NODE_MASK)
        return refuse("a graph has less than 2**30 - 1 nodes");
    tree->nodes = (uint32_t)nodes;
    tree->ordered = (size_t)tree->order.len / sizeof(uint32_t);
    return true;
}

static bool take_sizes(const struct tree *tree, struct graph_sizes *ret)
{
    size_t bytes = (size_t)tree->others.len;
    size_t width = bytes == tree->nodes                      ? sizeof(uint8_t)
                   : bytes == tree->nodes * sizeof(uint32_t) ? sizeof(uint32_t)
                                                             : sizeof(uint64_t);

    if (bytes != tree->nodes * width || !is_array(&tree->others, width))
        return refuse("sizes must be a byte or a 32-bit or 64-bit number for each node");
    *ret = (struct graph_sizes){tree->others.buf, width};
    return true;
}

PyObject *retained(PyObject *module, PyObject *arguments)
{
    scope(scope_tree) struct tree tree = {0};
    struct graph_sizes sizes;
    struct big_buffer sums = {0};
    int err;

    if (!PyArg_ParseTuple(arguments, "y*y*y*:retained", &tree.idom, &tree.order, &tree.others)
        || !take_tree(&tree) || !take_sizes(&tree, &sizes))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    err = graph_retained(tree.idom.buf, tree.nodes, tree.order.buf, tree.ordered, sizes, &sums);
    Py_END_ALLOW_THREADS
    return err != 0 ? raise(err) : big_object_take(module, &sums, 'Q');
}

PyObject *sums(PyObject *module, PyObject *arguments)
{
    scope(scope_tree) struct tree tree = {0};
    struct graph_sizes sizes;
    struct big_buffer found = {0};
    int err;

    if (!PyArg_ParseTuple(arguments, "y*y*:sums", &tree.idom, &tree.others) || !take_tree(&tree)
        || !take_sizes(&tree, &sizes))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    err = graph_sums(tree.idom.buf, tree.nodes, sizes, &found);
    Py_END_ALLOW_THREADS
    if (err != 0) {
        big_close(&found);
        return raise(err);
    }
    return big_object_take(module, &found, 'Q');
}

PyObject *dominated(PyObject *module, PyObject *arguments)
{
    scope(scope_tree) struct tree tree = {0};
    struct big_buffer inside = {0};
    int err;

    if (!PyArg_ParseTuple(arguments, "y*y*y*:dominated", &tree.idom, &tree.order, &tree.others)
        || !take_tree(&tree)
        || (!is_array(&tree.others, sizeof(uint32_t)) && !refuse("tops must be 32-bit numbers")))
        return NULL;
    struct graph_roots tops = {tree.others.buf, (size_t)tree.others.len / sizeof(uint32_t)};
    Py_BEGIN_ALLOW_THREADS
    err = graph_dominated(tree.idom.buf, tree.nodes, tree.order.buf, tree.ordered, &tops, &inside);
    Py_END_ALLOW_THREADS
    return err != 0 ? raise(err) : big_object_take(module, &inside, 'B');
}

/* What garbage() takes besides the graph. */
struct collection_call {
    Py_buffer refcounts, roles;
    struct graph_collection given;
};

static void scope_collection(struct collection_call *call)
{
    PyBuffer_Release(&call->refcounts);
    PyBuffer_Release(&call->roles);
}

static bool take_collection(struct collection_call *call, uint32_t nodes)
{
    if ((size_t)call->refcounts.len != nodes * sizeof(uint32_t)
        || !is_array(&call->refcounts, sizeof(uint32_t)) || (size_t)call->roles.len != nodes)
        return refuse("refcounts must be a 32-bit number, and roles a byte, for each node");
    call->given.refcounts = call->refcounts.buf;
    call->given.roles = call->roles.buf;
    return true;
}

PyObject *garbage(PyObject *module, PyObject *arguments)
{
    scope(scope_call) struct call call = {0};
    scope(scope_collection) struct collection_call collection = {0};
    struct big_buffer verdicts = {0};
    uint64_t impossible;
    int err;

    if (!PyArg_ParseTuple(arguments, "y*y*y*y*II:garbage", &call.starts, &call.targets,
                          &collection.refcounts, &collection.roles, &collection.given.visited,
                          &collection.given.owned)
        || !take_graph(&call) || !take_collection(&collection, call.graph.nodes))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    err = graph_garbage(&call.graph, &collection.given, &verdicts, &impossible);
    Py_END_ALLOW_THREADS
    if (err != 0) {
        big_close(&verdicts);
        return raise(err);
    }
    scope(scope_unref) PyObject *buffer = big_object_take(module, &verdicts, 'B');
    return buffer == NULL ? NULL : Py_BuildValue("OK", buffer, impossible);
}
