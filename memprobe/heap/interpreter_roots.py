"""What the states of interpreters and threads refer to, beside the modules and the frames."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from memprobe.target.cpython.fields import Fields
from memprobe.target.cpython.interpreters import Interpreter
from memprobe.target.cpython.objects import UNREADABLE, BadObject, is_pointer
from memprobe.target.cpython.python import Python

_WORD = 8
_MAXIMUM_EXIT_FUNCTIONS = 10_000
_MAXIMUM_STATIC_TYPES = 1_000
_MAXIMUM_TYPES = 200_000
_MAXIMUM_EXCEPTIONS = 1_000
_CACHE_ENTRIES = 4096
_CACHE_ENTRY = np.dtype([("version", "<u8"), ("name", "<u8"), ("value", "<u8")])
"""The cache of attributes of types is the same from 3.8 to 3.15, but for where it is."""

_EXIT_FIELDS = ("func", "args", "kwargs")

_INTERPRETER = {
    "modules_by_index": ("modules_by_index", "imports.modules_by_index"),
    "importlib": ("importlib", "imports.importlib"),
    "import_func": ("import_func", "imports.import_func"),
    "dict": ("dict",),
    "builtins_copy": ("builtins_copy",),
    "codec_search_path": ("codec_search_path", "codecs.search_path"),
    "codec_search_cache": ("codec_search_cache", "codecs.search_cache"),
    "codec_error_registry": ("codec_error_registry", "codecs.error_registry"),
    "audit_hooks": ("audit_hooks",),
    "before_forkers": ("before_forkers",),
    "after_forkers_parent": ("after_forkers_parent",),
    "after_forkers_child": ("after_forkers_child",),
    "warnings_filters": ("warnings.filters",),
    "warnings_once_registry": ("warnings.once_registry",),
    "warnings_default_action": ("warnings.default_action",),
    "warnings_context": ("warnings.context",),
}
"""Name, and the fields that have had it. The collector's own lists are reached through the module gc."""

_THREAD = {
    "raised exception": ("curexc_value", "current_exception"),
    "context": ("context",),
    "thread dict": ("dict",),
    "asynchronous exception": ("async_exc",),
    "profile function": ("c_profileobj",),
    "trace function": ("c_traceobj",),
    "first iteration hook": ("async_gen_firstiter",),
    "finalizer hook": ("async_gen_finalizer",),
    "object being freed": ("trash_delete_later", "trash.delete_later", "delete_later"),
    "thread-local key": ("threading_local_key",),
    "thread-local sentinel": ("threading_local_sentinel",),
}
_THREAD_IMPLEMENTATION = {
    "running loop": "asyncio_running_loop",
    "running task": "asyncio_running_task",
}

Named = Iterator[tuple[str, int]]


class InterpreterRoots:
    """Reads the references in interpreter and thread states of one target."""

    def __init__(self, python: Python) -> None:
        layout = python.layout
        self._objects = python.objects
        self._layout = layout
        self._version = layout.version
        self._dictionaries = python.dictionaries
        self._local_symbols = python.local_symbols
        self._static_subclasses: dict[int, int] = {}
        self._exception = Fields(layout, "_PyErr_StackItem", "exc_value", "previous_item")

    def objects(self, interpreter: Interpreter) -> Named:
        """Yield the objects that an interpreter's state refers to, by name."""
        yield from self._fields("PyInterpreterState", interpreter.address, _INTERPRETER)

    def of_thread(self, thread: int) -> Named:
        """Yield the objects that a thread's state refers to, by name."""
        yield from self._exceptions(thread)
        yield from self._fields("PyThreadState", thread, _THREAD)
        for name, field in _THREAD_IMPLEMENTATION.items():
            if self._layout.has(f"_PyThreadStateImpl.{field}"):
                offset = self._layout.offset(f"_PyThreadStateImpl.{field}")
                yield name, self._objects.pointer(thread + offset)

    def exit_functions(self, interpreter: Interpreter) -> Iterator[tuple[int, str, int]]:
        """Yield what atexit will call: number, "func" or "args" or "kwargs", address."""
        if self._version >= (3, 14):
            yield from self._exit_list(interpreter)
            return
        callbacks, count = self._exit_array(interpreter)
        if not 0 <= count <= _MAXIMUM_EXIT_FUNCTIONS:
            raise BadObject(f"{count} functions to call at exit")
        for number in range(count):
            callback = self._objects.pointer(callbacks + number * _WORD)
            if is_pointer(callback):
                # To 3.9 the struct is in no header; it has always begun with these three.
                for index, member in enumerate(_EXIT_FIELDS):
                    yield number, member, self._objects.pointer(callback + index * _WORD)

    def cached_names(self, interpreter: Interpreter) -> list[int]:
        """Return the names that the cache of attributes keeps: of 4096 entries each refers to its own.

        A name that C code makes anew for every call gets a new entry each time, until all are in use.
        """
        start = self._type_cache(interpreter.address)
        if not start:
            return []
        block = self._objects.read(start, _CACHE_ENTRIES * _CACHE_ENTRY.itemsize)
        names: list[int] = np.frombuffer(block, _CACHE_ENTRY)["name"].tolist()
        return [address for address in names if is_pointer(address)]

    def _type_cache(self, interpreter: int) -> int:
        """Return where the cache is; 0 if nobody says so."""
        if self._version >= (3, 12):
            # Behind the version that the next class gets.
            return interpreter + self._layout.offset("PyInterpreterState.types") + _WORD
        if self._version >= (3, 10):
            return interpreter + self._layout.offset("PyInterpreterState.type_cache")
        return self._local_symbols.get("method_cache", 0)

    def static_type_dicts(self, interpreter: Interpreter) -> dict[int, int]:
        """Return the dicts of static types, by type, where the interpreter has them (3.12 and later)."""
        if self._version < (3, 12):
            return {}
        struct = "static_builtin_state" if self._version == (3, 12) else "managed_static_type_state"
        state = Fields(self._layout, struct, "type", "tp_dict", "tp_subclasses")
        size = self._layout.size(struct)
        found = {}
        for start, count in self._static_type_arrays(interpreter.address):
            block = self._objects.read(start, count * size)
            for index in range(count):
                kind, dictionary, subclasses = state.unpack(block, index * size)
                if kind and dictionary:
                    found[kind] = dictionary
                    self._static_subclasses[kind] = subclasses
        return found

    def subclasses(self, interpreter: Interpreter) -> list[int]:
        """Return all types of an interpreter: the subclasses of `object`, theirs, and so on."""
        base = self._layout.offset("PyTypeObject.tp_base")
        found = [self._objects.type_of(self._objects.type_of(interpreter.sys_dict))]
        while is_pointer(above := self._objects.pointer(found[0] + base)) and above not in found:
            found[0] = above
        known = set(found)
        for kind in found:
            for subclass in self._direct_subclasses(kind):
                if subclass not in known and len(found) < _MAXIMUM_TYPES:
                    known.add(subclass)
                    found.append(subclass)
        return found

    def _direct_subclasses(self, kind: int) -> list[int]:
        """Return what is in a type's tp_subclasses: weak references by address."""
        try:
            field = self._objects.pointer(kind + self._layout.offset("PyTypeObject.tp_subclasses"))
            table = self._static_subclasses.get(kind) or field
            items = self._dictionaries.items(table) if is_pointer(table) else []
        except UNREADABLE:
            return []
        place = self._layout.offset("PyWeakReference.wr_object")
        blocks = self._objects.memory.read_many([(reference + place, _WORD) for _, reference in items])
        return [int.from_bytes(block, "little") for block in blocks if len(block) == _WORD]

    def _static_type_arrays(self, interpreter: int) -> Iterator[tuple[int, int]]:
        """Yield where arrays of the states of static types begin, and how many there are."""
        layout, name = self._layout, "PyInterpreterState"
        if self._version == (3, 12):
            places = [("types.builtins", layout.size(f"{name}.types.builtins"))]
        else:
            fields = ("types.builtins.initialized", "types.for_extensions.initialized")
            places = [(field, layout.size(f"{name}.{field}")) for field in fields]
        size = layout.size(
            "static_builtin_state" if self._version == (3, 12) else "managed_static_type_state"
        )
        for field, total in places:
            yield interpreter + layout.offset(f"{name}.{field}"), min(total // size, _MAXIMUM_STATIC_TYPES)

    def _fields(self, struct: str, address: int, names: dict[str, tuple[str, ...]]) -> Named:
        for name, fields in names.items():
            for field in fields:
                if self._layout.has(f"{struct}.{field}"):
                    yield name, self._objects.pointer(address + self._layout.offset(f"{struct}.{field}"))

    def _exceptions(self, thread: int) -> Named:
        """Yield the exceptions that a thread is handling, the newest first."""
        item = self._objects.pointer(thread + self._layout.offset("PyThreadState.exc_info"))
        seen: set[int] = set()
        while is_pointer(item) and item not in seen and len(seen) < _MAXIMUM_EXCEPTIONS:
            seen.add(item)
            value, item = self._exception.unpack(self._objects.read(item, self._exception.end))
            yield "exception", value

    def _exit_array(self, interpreter: Interpreter) -> tuple[int, int]:
        """Return where the array of exit functions is, and how many there are (to 3.13)."""
        if self._layout.has("PyInterpreterState.atexit.callbacks"):
            start = interpreter.address + self._layout.offset("PyInterpreterState.atexit.callbacks")
            count = interpreter.address + self._layout.offset("PyInterpreterState.atexit.ncallbacks")
        else:
            module = interpreter.address + self._layout.offset("PyInterpreterState.pyexitmodule")
            address = self._objects.pointer(module)
            if not address:
                return 0, 0
            start = self._objects.pointer(address + self._layout.offset("PyModuleObject.md_state"))
            count = start + _WORD
        number = int.from_bytes(self._objects.memory.read(count, 4), "little", signed=True)
        return self._objects.pointer(start), number

    def _exit_list(self, interpreter: Interpreter) -> Iterator[tuple[int, str, int]]:
        """Yield exit functions of 3.14 and later: a list of (function, arguments, keywords)."""
        callbacks = interpreter.address + self._layout.offset("PyInterpreterState.atexit.callbacks")
        address = self._objects.pointer(callbacks)
        count = self._objects.pointer(address + self._layout.offset("PyVarObject.ob_size"))
        items = self._objects.pointer(address + self._layout.offset("PyListObject.ob_item"))
        if count > _MAXIMUM_EXIT_FUNCTIONS:
            raise BadObject(f"{count} functions to call at exit")
        first = self._layout.offset("PyTupleObject.ob_item")
        for number in range(count):
            callback = self._objects.pointer(items + number * _WORD)
            for index, member in enumerate(_EXIT_FIELDS):
                yield number, member, self._objects.pointer(callback + first + index * _WORD)
