/* Modules/_asynciomodule.c. From 3.14 a process carries the offsets of its own tasks in the
 * section .AsyncioDebug (_AsyncioDebug): those win over these. */

#define FUTURE_HEAD(prefix) \
    PyObject_HEAD \
    PyObject *prefix##_loop, *prefix##_callback0, *prefix##_context0, *prefix##_callbacks; \
    PyObject *prefix##_exception; \
    BETWEEN(10, NOW, PyObject *prefix##_exception_tb;) \
    PyObject *prefix##_result, *prefix##_source_tb; \
    BETWEEN(9, NOW, PyObject *prefix##_cancel_msg;) \
    BETWEEN(13, NOW, PyObject *prefix##_cancelled_exc;) \
    BETWEEN(14, NOW, PyObject *prefix##_awaited_by;) \
    int prefix##_state; \
    BETWEEN(14, NOW, char prefix##_is_task, prefix##_awaited_by_is_set;) \
    BETWEEN(8, 12, int prefix##_log_tb, prefix##_blocking;) \
    BETWEEN(8, 12, PyObject *dict, *prefix##_weakreflist;) \
    BETWEEN(9, 10, _PyErr_StackItem prefix##_cancelled_exc_state;) \
    BETWEEN(11, 12, PyObject *prefix##_cancelled_exc;) \
    BETWEEN(13, NOW, unsigned int prefix##_log_tb : 1, prefix##_blocking : 1;)

typedef struct {
    FUTURE_HEAD(fut)
} FutureObj;

typedef struct {
    FUTURE_HEAD(task)
    BETWEEN(13, NOW, unsigned int task_must_cancel : 1, task_log_destroy_pending : 1;)
    BETWEEN(13, NOW, int task_num_cancels_requested;)
    PyObject *task_fut_waiter, *task_coro, *task_name, *task_context;
    BETWEEN(8, 12, int task_must_cancel, task_log_destroy_pending;)
    BETWEEN(11, 12, int task_num_cancels_requested;)
    BETWEEN(14, NOW, struct llist_node task_node;)
} TaskObj;

typedef struct {
    PyObject_HEAD
    FutureObj *future;
} futureiterobject;

typedef struct {
    PyObject_HEAD
    TaskObj *sw_task;
    PyObject *sw_arg;
} TaskStepMethWrapper;

typedef struct {
    PyObject_HEAD
    TaskObj *ww_task;
} TaskWakeupMethWrapper;

enum { STATE_PENDING, STATE_CANCELLED, STATE_FINISHED };

typedef struct {
    struct {
        uint64_t size, task_name, task_awaited_by, task_is_task, task_awaited_by_is_set, task_coro, task_node;
    } asyncio_task_object;
    struct {
        uint64_t size, asyncio_tasks_head;
    } asyncio_interpreter_state;
    struct {
        uint64_t size, asyncio_running_loop, asyncio_running_task, asyncio_tasks_head;
    } asyncio_thread_state;
} Py_AsyncioModuleDebugOffsets;
