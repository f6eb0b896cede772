"""The plan of the C walk: where things lie in this target, by the names that heap_plan.h has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from memprobe.target.layouts import Layout
from memprobe.target.proc.mappings import Mapping

_OFFSETS = {
    "ob_refcnt": "PyObject.ob_refcnt",
    "ob_type": "PyObject.ob_type",
    "ob_size": "PyVarObject.ob_size",
    "pool_count": "pool_header.ref.count",
    "pool_freeblock": "pool_header.freeblock",
    "pool_szidx": "pool_header.szidx",
    "pool_nextoffset": "pool_header.nextoffset",
    "pool_maxnextoffset": "pool_header.maxnextoffset",
    "pool_arenaindex": "pool_header.arenaindex",
    "tp_flags": "PyTypeObject.tp_flags",
    "tp_basicsize": "PyTypeObject.tp_basicsize",
    "tp_itemsize": "PyTypeObject.tp_itemsize",
    "ht_cached_keys": "PyHeapTypeObject.ht_cached_keys",
    "str_length": "PyASCIIObject.length",
    "str_state": "PyASCIIObject.state",
    "str_data": "PyUnicodeObject.data",
    "str_utf8": "PyCompactUnicodeObject.utf8",
    "str_utf8_length": "PyCompactUnicodeObject.utf8_length",
    "str_wstr": "PyASCIIObject.wstr",
    "str_wstr_length": "PyCompactUnicodeObject.wstr_length",
    "long_tag": "PyLongObject.long_value.lv_tag",
    "long_digits": "PyLongObject.ob_digit",
    "list_items": "PyListObject.ob_item",
    "list_allocated": "PyListObject.allocated",
    "tuple_items": "PyTupleObject.ob_item",
    "dict_used": "PyDictObject.ma_used",
    "dict_keys": "PyDictObject.ma_keys",
    "dict_values": "PyDictObject.ma_values",
    "keys_refcnt": "PyDictKeysObject.dk_refcnt",
    "keys_slots": "PyDictKeysObject.dk_size",
    "keys_lookup": "PyDictKeysObject.dk_lookup",
    "keys_log2_size": "PyDictKeysObject.dk_log2_size",
    "keys_log2_index_bytes": "PyDictKeysObject.dk_log2_index_bytes",
    "keys_kind": "PyDictKeysObject.dk_kind",
    "keys_usable": "PyDictKeysObject.dk_usable",
    "keys_nentries": "PyDictKeysObject.dk_nentries",
    "keys_indices": "PyDictKeysObject.dk_indices",
    "set_used": "PySetObject.used",
    "set_mask": "PySetObject.mask",
    "set_table": "PySetObject.table",
    "set_smalltable": "PySetObject.smalltable",
    "bytearray_alloc": "PyByteArrayObject.ob_alloc",
    "bytearray_object": "PyByteArrayObject.ob_bytes_object",
    "deque_leftblock": "dequeobject.leftblock",
    "deque_leftindex": "dequeobject.leftindex",
    "odict_fast_nodes_size": "_odictobject.od_fast_nodes_size",
    "array_allocated": "arrayobject.allocated",
    "array_descr": "arrayobject.ob_descr",
    "code_nlocalsplus": "PyCodeObject.co_nlocalsplus",
    "code_stacksize": "PyCodeObject.co_stacksize",
    "bytesio_buf": "bytesio.buf",
}
_SIZES = {
    "type_size": "PyTypeObject",
    "heap_type_size": "PyHeapTypeObject",
    "str_ascii_size": "PyASCIIObject",
    "str_compact_size": "PyCompactUnicodeObject",
    "str_size": "PyUnicodeObject",
    "keys_size": "PyDictKeysObject",
    "entry_size": "PyDictKeyEntry",
    "unicode_entry_size": "PyDictUnicodeEntry",
    "deque_block_size": "BLOCK",
    "odict_node_size": "_ODictNode",
}
_CONSTANTS = {
    "pool_size": "POOL_SIZE",
    "pool_overhead": "POOL_OVERHEAD",
    "pool_alignment": "ALIGNMENT",
    "size_classes": "NB_SMALL_SIZE_CLASSES",
    "small_limit": "SMALL_REQUEST_THRESHOLD",
    "deque_block_items": "BLOCKLEN",
    "kind_general": "DICT_KEYS_GENERAL",
    "kind_unicode": "DICT_KEYS_UNICODE",
    "kind_split": "DICT_KEYS_SPLIT",
}
_SHIFTS = {
    "str_kind_shift": "PyASCIIObject.state.kind",
    "str_compact_shift": "PyASCIIObject.state.compact",
    "str_ascii_shift": "PyASCIIObject.state.ascii",
    "str_ready_shift": "PyASCIIObject.state.ready",
}

_LOW = 1 << 33
_SHORT_COUNTS = (3, 14)
_IMMORTAL_FROM = 1 << 31
"""Immortal counts begin here: UINT_MAX in 3.12 and 3.13, which a careless extension may have lowered."""


def scan_plan(layout: Layout, type_type: int, mappings: Sequence[Mapping] = ()) -> dict[str, int]:
    """Return all that the walk and the census need; `type_type` is the address of `type`."""
    return {
        **dict(_from_layout(layout)),
        **_by_version(layout),
        **_image(mappings),
        "type_type": type_type,
    }


def _image(mappings: Sequence[Mapping]) -> dict[str, int]:
    """Return where a binary lies that is not position independent: its pointers look like counts."""
    low = [mapping for mapping in mappings if mapping.end <= _LOW and mapping.inode]
    if not low:
        return {}
    end = max(mapping.end for mapping in low)
    # What follows without a gap is its .bss.
    for mapping in mappings:
        if mapping.start == end and not mapping.path:
            end = mapping.end
    return {"image_start": low[0].start, "image_end": end}


def _from_layout(layout: Layout) -> Iterator[tuple[str, int]]:
    """Yield what the table has; what it has not, this version does not have."""
    yield from ((name, layout.offset(field)) for name, field in _OFFSETS.items() if layout.has(field))
    yield from ((name, layout.size(struct)) for name, struct in _SIZES.items() if layout.has(struct))
    yield from ((name, layout.constant(macro)) for name, macro in _CONSTANTS.items() if layout.has(macro))
    yield from ((name, layout.bits(field).shift) for name, field in _SHIFTS.items() if layout.has(field))


def _by_version(layout: Layout) -> dict[str, int]:
    """Return what no header says, but the code of each version."""
    version = layout.version
    plan = {
        "version": version[0] << 8 | version[1],
        # struct arraydescr begins with a char and this int; bytes end with a zero.
        "array_descr_itemsize": 4,
        "bytes_size": layout.offset("PyBytesObject.ob_sval") + 1,
        "refcnt_bits": 32 if version >= _SHORT_COUNTS else 64,
    }
    if version >= (3, 12):
        plan["immortal"] = _IMMORTAL_FROM
    if version >= (3, 11):
        code = "f_code" if layout.has("_PyInterpreterFrame.f_code") else "f_executable"
        frame = layout.offset("PyGenObject.gi_iframe")
        plan["gen_code"] = frame + layout.offset(f"_PyInterpreterFrame.{code}")
    if version == (3, 11):
        plan["values_at"] = layout.constant("MANAGED_DICT_OFFSET") - 8
    if version == (3, 12):
        plan |= {"values_at": layout.constant("MANAGED_DICT_OFFSET"), "values_tag": 1}
    if version >= (3, 13):
        plan["split_values_inline"] = 1
    return plan
