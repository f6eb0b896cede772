"""Code objects of the target: names, files and lines, cached by address.

An address says little: code objects are freed and their memory is used again. So every use
reads the code object's own header once more (in one batch with all others) and believes the cache
only if the header is still the same.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

from memprobe.target.cpython.fields import Fields
from memprobe.target.cpython.line_tables import NO_LINE, line_at
from memprobe.target.cpython.objects import UNREADABLE, Objects, is_pointer
from memprobe.vocab import Frame

CACHE_LIMIT = 20_000
"""Code objects kept at once; Django with its dependencies has some 15,000."""

CACHE_LIMIT_BYTES = 64 << 20
"""Bytes of their line tables; 20,000 of ordinary size have 3 MB."""

_FRAMES_KEPT = 4096  # offsets of one code object; a hostile target can make up any number


class CodeObject:
    """What a stack needs to know of one code object."""

    __slots__ = (
        "_first_line",
        "_frames",
        "_table",
        "_version",
        "file",
        "first_instruction",
        "first_traceable",
        "function",
        "is_generator",
    )

    def __init__(
        self,
        version: tuple[int, int],
        names: tuple[str, str],
        lines: tuple[int, bytes],
        instructions: tuple[int, int],
        *,
        is_generator: bool,
    ) -> None:
        self.function, self.file = names
        self._version = version
        self._first_line, self._table = lines
        self.first_instruction, self.first_traceable = instructions
        self.is_generator = is_generator
        self._frames: dict[int, Frame] = {}

    @property
    def size_bytes(self) -> int:
        """What its line table takes."""
        return len(self._table)

    def frame(self, offset: int) -> Frame:
        """Return the frame that stands at a byte offset in the instructions."""
        known = self._frames.get(offset)
        if known is None:
            if len(self._frames) >= _FRAMES_KEPT:
                self._frames.clear()
            line = line_at(self._version, self._table, self._first_line, offset)
            known = self._frames[offset] = self.frame_at_line(line)
        return known

    def frame_at_line(self, line: int) -> Frame:
        """Return a frame of this code whose line is known otherwise."""
        return Frame(self.function, self.file, line if line > 0 else NO_LINE)


class CodeObjects:
    """Reads code objects of one target."""

    def __init__(self, objects: Objects, code_type: int = 0) -> None:
        layout = objects.layout
        self._objects = objects
        self._code_type = code_type
        self._version = layout.version
        table = "co_linetable" if layout.has("PyCodeObject.co_linetable") else "co_lnotab"
        name = "co_qualname" if layout.has("PyCodeObject.co_qualname") else "co_name"
        fields = ["co_firstlineno:signed", "co_filename", name, table, "co_flags"]
        kinds = ("CO_GENERATOR", "CO_COROUTINE", "CO_ASYNC_GENERATOR")
        self._generator_flags = sum(layout.constant(kind) for kind in kinds)
        self._instructions = 0
        if layout.version >= (3, 11):
            fields.append("_co_firsttraceable:signed")
            self._instructions = layout.offset("PyCodeObject.co_code_adaptive")
        self._fields = Fields(layout, "PyCodeObject", *fields)
        self._type_offset = layout.offset("PyObject.ob_type")
        self._cache: dict[int, tuple[tuple[int, ...], CodeObject]] = {}
        self._cached_bytes = 0

    def load(self, addresses: Iterable[int]) -> dict[int, CodeObject]:
        """Read many code objects in a few batches; what is no code object is left out."""
        headers = self._headers_of(addresses)
        fresh = {
            address: header
            for address, header in headers.items()
            if address not in self._cache or self._cache[address][0] != header
        }
        loaded = self._read(fresh)
        # One that changed and cannot be read any more is still in the cache as it was.
        kept = {
            address: self._cache[address]
            for address, header in headers.items()
            if address in self._cache and self._cache[address][0] == header
        }
        self._keep(loaded)
        return {address: code for address, (_, code) in (kept | loaded).items()}

    def load_anew(self, addresses: Iterable[int]) -> dict[int, CodeObject]:
        """As load, without what is remembered: a successor may have all its parts at the same addresses."""
        return {address: code for address, (_, code) in self._read(self._headers_of(addresses)).items()}

    def _keep(self, loaded: dict[int, tuple[tuple[int, ...], CodeObject]]) -> None:
        """Put new code objects into the cache, which starts afresh when it is full."""
        if len(self._cache) + len(loaded) > CACHE_LIMIT or self._cached_bytes > CACHE_LIMIT_BYTES:
            self._cache.clear()
            self._cached_bytes = 0
        self._cache.update(loaded)
        self._cached_bytes += sum(code.size_bytes for _, code in loaded.values())

    def _headers_of(self, addresses: Iterable[int]) -> dict[int, tuple[int, ...]]:
        return self._headers([address for address in dict.fromkeys(addresses) if is_pointer(address)])

    def _headers(self, addresses: Sequence[int]) -> dict[int, tuple[int, ...]]:
        """Read the fields that tell one code object from another."""
        size = self._fields.end
        blocks = self._objects.memory.read_many([(address, size) for address in addresses])
        headers = {}
        for address, block in zip(addresses, blocks, strict=True):
            if len(block) == size and self._is_code_type(self._type_in(block)):
                headers[address] = self._fields.unpack(block)
        return headers

    def _type_in(self, block: bytes) -> int:
        (kind,) = struct.unpack_from("<Q", block, self._type_offset)
        return int(kind)

    def _is_code_type(self, kind: int) -> bool:
        """Say whether a type is the one of code objects; it has no subclasses."""
        if not self._code_type:
            try:
                if self._objects.type_name(kind) == "code":
                    self._code_type = kind
            except UNREADABLE:
                return False
        return kind == self._code_type

    def _read(self, headers: dict[int, tuple[int, ...]]) -> dict[int, tuple[tuple[int, ...], CodeObject]]:
        """Read names and line tables of new code objects."""
        names = self._objects.strings(name for header in headers.values() for name in header[1:3])
        tables = self._objects.bytes_objects(header[3] for header in headers.values())
        loaded = {}
        for address, header in headers.items():
            first_line, file, name, table, flags, *traceable = header
            if name not in names or file not in names or table not in tables:
                continue
            first = address + self._instructions
            loaded[address] = (
                header,
                CodeObject(
                    self._version,
                    (names[name], names[file]),
                    (first_line, tables[table]),
                    (first, first + 2 * sum(traceable)),
                    is_generator=bool(flags & self._generator_flags),
                ),
            )
        return loaded
