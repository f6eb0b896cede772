"""Local variables of frames, by their names: those of threads, of generators, and of frame objects.

3.8 - 3.10   a frame is an object; its code has the names in three tuples
3.11 -       a frame is a struct in the data stack, in a generator or in a frame object; its code has
             all names in one tuple; from 3.14 on references carry tags
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from memprobe.target.cpython.fields import Fields
from memprobe.target.cpython.frame_designs import innermost_frame
from memprobe.target.cpython.objects import UNREADABLE, BadObject, is_pointer
from memprobe.target.cpython.python import Python

MAXIMUM_LOCALS = 4096
"""More locals or stack entries of one frame are not looked at."""

MAXIMUM_FRAMES = 10_000
"""More frames of one thread are not looked at."""

_WORD = 8
_TAGS = 3
_NAME_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Local:
    """One reference of a frame."""

    frame: str
    """Module and function: "app.worker:run"."""

    name: str
    """"pending", or "" for what is on the evaluation stack."""

    index: int
    """On the evaluation stack."""

    target: int

    @property
    def text(self) -> str:
        """What is put behind the frame: "local pending", "stack[0]"."""
        return f"local {self.name}" if self.name else f"stack[{self.index}]"


class FrameMembers:
    """Reads the references of frames of one target."""

    def __init__(self, python: Python) -> None:
        layout = python.layout
        self._objects = python.objects
        self._dictionaries = python.dictionaries
        self._version = layout.version
        self._layout = layout
        self._is_struct = layout.version >= (3, 11)
        self._struct = "_PyInterpreterFrame" if self._is_struct else "PyFrameObject"
        code = "f_executable" if layout.has(f"{self._struct}.f_executable") else "f_code"
        link = "previous" if self._is_struct else "f_back"
        self._frame = Fields(layout, self._struct, code, link, "f_globals", "f_locals")
        localsplus = "localsplus" if self._is_struct else "f_localsplus"
        self._localsplus = layout.offset(f"{self._struct}.{localsplus}")
        head, self._indirection = innermost_frame(layout)
        self._head = layout.offset(f"PyThreadState.{head}")
        self._owner = layout.offset(f"{self._struct}.owner") if self._is_struct else 0
        self._by_generator = layout.constant("FRAME_OWNED_BY_GENERATOR") if self._is_struct else -1
        self._ended = layout.constant("FRAME_CLEARED") if self._is_struct else 0
        if layout.has("FRAME_COMPLETED"):
            self._ended = min(self._ended, layout.constant("FRAME_COMPLETED"))
        self._code_type = python.runtime.symbols.get("PyCode_Type", 0)
        self._names: dict[int, tuple[str, ...]] = {}
        self._functions: dict[int, str] = {}
        self._modules: dict[int, str] = {}

    def frames_of_thread(self, thread: int) -> Iterator[int]:
        """Yield the addresses of the frames of a thread, innermost first, given its PyThreadState."""
        address = self._objects.pointer(thread + self._head)
        if self._indirection is not None:
            address = self._objects.pointer(address + self._indirection)
        seen: set[int] = set()
        while is_pointer(address) and address not in seen and len(seen) < MAXIMUM_FRAMES:
            seen.add(address)
            yield address
            address = self._frame.unpack(self._objects.read(address, self._frame.end))[1]

    def of_frame(self, frame: int, *, with_stack: bool = True) -> list[Local]:
        """Return the references of a frame that is given by the address of its struct or object."""
        code, _, namespace, _ = self._frame.unpack(self._objects.read(frame, self._frame.end))
        code &= ~_TAGS
        names = self._variable_names(code)
        title = f"{self._module(namespace)}:{self._function(code)}"
        count = len(names) + (self._stack_depth(frame, len(names)) if with_stack else 0)
        if not 0 <= count <= MAXIMUM_LOCALS:
            raise BadObject(f"a frame of {count} references at {frame:#x}")
        block = self._objects.read(frame + self._localsplus, count * _WORD) if count else b""
        found = []
        for index in range(count):
            word = self._untagged(int.from_bytes(block[index * _WORD : (index + 1) * _WORD], "little"))
            if word:
                name = names[index] if index < len(names) else ""
                found.append(Local(title, name, index - len(names), word))
        return found

    def perhaps_on_stack(self, frame: int) -> list[Local]:
        """Return what lies where the evaluation stack of a frame is that runs: how deep it is nobody says.

        What is beyond its top has been there earlier, and may have been freed since.
        """
        code, *_ = self._frame.unpack(self._objects.read(frame, self._frame.end))
        code &= ~_TAGS
        names = self._variable_names(code)
        if self._stack_depth(frame, len(names)):
            return []
        count = min(self._int32(code + self._offset("co_stacksize")), MAXIMUM_LOCALS)
        start = frame + self._localsplus + len(names) * _WORD
        block = self._objects.read(start, count * _WORD) if count > 0 else b""
        words = (int.from_bytes(block[at : at + _WORD], "little") for at in range(0, len(block), _WORD))
        title = self.title(frame)
        found = ((index, self._untagged(word)) for index, word in enumerate(words))
        return [Local(title, "", index, word) for index, word in found if is_pointer(word)]

    def namespace_of(self, frame: int) -> tuple[int, int]:
        """Return the addresses of a frame's globals and of its dict of locals, if it has one."""
        _, _, namespace, locals_ = self._frame.unpack(self._objects.read(frame, self._frame.end))
        return self._untagged(namespace), self._untagged(locals_)

    def title(self, frame: int) -> str:
        """Return module and function of a frame."""
        code, _, namespace, _ = self._frame.unpack(self._objects.read(frame, self._frame.end))
        return f"{self._module(namespace)}:{self._function(code & ~_TAGS)}"

    def free_variables(self, code: int) -> tuple[str, ...]:
        """Return the names of the variables that a function's closure holds."""
        if not self._is_struct:
            return self._strings_of(self._objects.pointer(code + self._offset("co_freevars")))
        free = self._int32(code + self._offset("co_nfreevars"))
        names = self._variable_names(code)
        return names[len(names) - free :] if 0 < free <= len(names) else ()

    def frame_object(self, frame: int) -> int:
        """Return the frame object of a frame that runs: itself to 3.10, else 0 while nobody asked for it."""
        if not self._is_struct:
            return frame
        return self._objects.pointer(frame + self._layout.offset("_PyInterpreterFrame.frame_obj"))

    def is_in_heap(self, frame: int) -> bool:
        """Say whether a frame is part of an object, which has its references: of a generator."""
        if not self._is_struct:
            return True
        return self._objects.read(frame, self._owner + 1)[-1] == self._by_generator

    def own_frame(self, frame_object: int) -> int:
        """Return where the frame is that a frame object has taken over (3.11 and later), or 0.

        While a frame runs or is suspended, it is the thread or the generator that holds its locals.
        """
        frame = self._objects.pointer(frame_object + self._layout.offset("PyFrameObject.f_frame"))
        owner = frame + self._layout.offset("_PyInterpreterFrame.owner")
        (taken,) = self._objects.memory.read(owner, 1)
        return frame if taken == self._layout.constant("FRAME_OWNED_BY_FRAME_OBJECT") else 0

    def generator_has_frame(self, generator: int, state_offset: int) -> bool:
        """Say whether a generator (3.11 and later) has not ended."""
        state = int.from_bytes(self._objects.memory.read(generator + state_offset, 1), "little", signed=True)
        return state < self._ended

    def _untagged(self, word: int) -> int:
        if self._version < (3, 14):
            return word
        return 0 if word & _TAGS == _TAGS else word & ~_TAGS

    def _stack_depth(self, frame: int, locals_count: int) -> int:
        """Return how many entries the evaluation stack has; 0 while the frame runs."""
        start = frame + self._localsplus
        if self._version >= (3, 14):
            top = self._objects.pointer(frame + self._layout.offset("_PyInterpreterFrame.stackpointer"))
            depth = (top - start) // _WORD - locals_count if top else 0
        elif self._is_struct:
            depth = self._int32(frame + self._layout.offset("_PyInterpreterFrame.stacktop")) - locals_count
        elif self._version == (3, 10):
            depth = self._int32(frame + self._layout.offset("PyFrameObject.f_stackdepth"))
        else:
            top = self._objects.pointer(frame + self._layout.offset("PyFrameObject.f_stacktop"))
            depth = (top - start) // _WORD - locals_count if top else 0
        return depth if 0 <= depth <= MAXIMUM_LOCALS else 0

    def _variable_names(self, code: int) -> tuple[str, ...]:
        """Return the names of all locals, cells and free variables of a code object, in their order."""
        known = self._names.get(code)
        if known is not None:
            return known
        if self._code_type and self._objects.type_of(code) != self._code_type:
            raise BadObject(f"no code object at {code:#x}")
        fields = ("co_localsplusnames",) if self._is_struct else ("co_varnames", "co_cellvars", "co_freevars")
        tuples = [self._objects.pointer(code + self._offset(field)) for field in fields]
        names = tuple(name for address in tuples for name in self._strings_of(address))
        self._names[code] = names
        return names

    def _strings_of(self, address: int) -> tuple[str, ...]:
        """Read a tuple of names."""
        count = self._objects.pointer(address + self._layout.offset("PyVarObject.ob_size"))
        if count > MAXIMUM_LOCALS:
            raise BadObject(f"{count} names at {address:#x}")
        block = self._objects.read(address + self._layout.offset("PyTupleObject.ob_item"), count * _WORD)
        items = [int.from_bytes(block[at : at + _WORD], "little") for at in range(0, count * _WORD, _WORD)]
        strings = self._objects.strings(items, _NAME_CHARACTERS)
        return tuple(strings.get(item, "?") for item in items)

    def _function(self, code: int) -> str:
        if code not in self._functions:
            name = "co_qualname" if self._layout.has("PyCodeObject.co_qualname") else "co_name"
            self._functions[code] = self._name(self._objects.pointer(code + self._offset(name)))
        return self._functions[code]

    def _module(self, namespace: int) -> str:
        """Return `__name__` of a frame's globals."""
        if namespace not in self._modules:
            try:
                found = self._dictionaries.find(namespace, "__name__")
                self._modules[namespace] = self._name(found) if found else "?"
            except UNREADABLE:
                self._modules[namespace] = "?"
        return self._modules[namespace]

    def _name(self, address: int) -> str:
        return self._objects.strings([address], _NAME_CHARACTERS).get(address, "?")

    def _offset(self, field: str) -> int:
        return self._layout.offset(f"PyCodeObject.{field}")

    def _int32(self, address: int) -> int:
        # Not behind `read`: these need not be aligned to words.
        return int.from_bytes(self._objects.memory.read(address, 4), "little", signed=True)
