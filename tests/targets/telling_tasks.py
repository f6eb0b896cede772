"""Says on request which tasks asyncio has and how each one stands: fill loops and kept, call serve()."""
import asyncio, gc, json, sys, threading
loops, kept, more = [], [], {}
PREFIXES = {"coroutine": "cr", "generator": "gi", "async_generator": "ag"}
def place(frame):
    code = frame.f_code
    return getattr(code, "co_qualname", code.co_name), code.co_filename, frame.f_lineno or 0
def chain(inner):
    while inner is not None:
        prefix = PREFIXES.get(type(inner).__name__)
        if prefix:
            frame = getattr(inner, prefix + "_frame")
            if frame: yield place(frame)
            inner = getattr(inner, prefix + ("_yieldfrom" if prefix == "gi" else "_await"))
        else:  # what an async generator or __await__ puts between two of them
            between = type(inner).__name__.startswith(("async_generator_", "anext_", "coroutine_wrapper"))
            inner = gc.get_referents(inner)[0] if between else None
def facts(task):
    state = "pending" if not task.done() else "cancelled" if task.cancelled() else "finished"
    stack = [place(frame) for frame in task.get_stack()][::-1]
    name = task.get_name() if hasattr(task, "get_name") else None
    waiter = type(getattr(task, "_fut_waiter", None)).__name__
    # 3.12.1 crashes when an eager task that is done is asked for its coroutine.
    links = [] if task.done() else [*chain(task.get_coro())][::-1]
    return {"name": name, "state": state, "stack": stack, "chain": links, "waiter": waiter}
def tasks():
    known = {task for loop in loops for task in asyncio.all_tasks(loop)}
    return {id(task): facts(task) for task in known.union(kept)}
def named(callback):
    if hasattr(callback, "func"): return "functools.partial(%s)" % named(callback.func)
    kind = callback if hasattr(callback, "__qualname__") else type(callback)
    module = "" if kind.__module__ in (None, "builtins", "_asyncio") else kind.__module__ + "."
    return module + kind.__qualname__
def called(handle): return [named(handle._callback), getattr(handle, "_when", None), handle._cancelled]
def timers(): return [[called(handle) for handle in loop._scheduled] for loop in loops]
def ready(): return [[called(handle) for handle in loop._ready] for loop in loops]
def answer():
    for question in sys.stdin:
        print(json.dumps({"tasks": tasks, "timers": timers, "ready": ready, **more}[question.strip()]()), flush=True)
def serve():
    threading.Thread(target=answer, name="teller", daemon=True).start()
    print("ready", flush=True)
