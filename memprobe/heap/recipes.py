"""What C needs to build a graph: the recipes of types, and where tables keep what."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from memprobe.heap.shapes import Shapes, packed
from memprobe.target.cpython.objects import UNREADABLE, Objects

_OFFSETS = {
    "values_start": "PyDictValues.values",
    "values_capacity": "PyDictValues.capacity",
    "values_embedded": "PyDictValues.embedded",
    "values_valid": "PyDictValues.valid",
    "set_fill": "PySetObject.fill",
    "frame_names": "_PyInterpreterFrame.f_locals",
    "frame_object": "_PyInterpreterFrame.frame_obj",
    "frame_locals": "_PyInterpreterFrame.localsplus",
    "frame_stack_top": "_PyInterpreterFrame.stacktop",
    "frame_stack_pointer": "_PyInterpreterFrame.stackpointer",
    "frame_owner": "_PyInterpreterFrame.owner",
    "frame_of_object": "PyFrameObject.f_frame",
    "frame_value_stack": "PyFrameObject.f_valuestack",
    "frame_value_stack_top": "PyFrameObject.f_stacktop",
    "frame_value_stack_depth": "PyFrameObject.f_stackdepth",
    "deque_block_data": "BLOCK.data",
    "deque_block_right": "BLOCK.rightlink",
    "link_next": "lru_list_elem.next",
    "link_key": "lru_list_elem.key",
    "link_result": "lru_list_elem.result",
    "definition_size": "PyModuleDef.m_size",
}
_CONSTANTS = {
    "managed_dict": "MANAGED_DICT_OFFSET",
    "managed_values": "MANAGED_VALUES_OFFSET",
    "flag_inline_values": "Py_TPFLAGS_INLINE_VALUES",
    "flag_long": "Py_TPFLAGS_LONG_SUBCLASS",
    "frame_owned_by_object": "FRAME_OWNED_BY_FRAME_OBJECT",
    "frame_cleared": "FRAME_CLEARED",
    "deque_block_length": "BLOCKLEN",
}
_LAST_WITH_LOOKUP = (3, 10)
_OLD_VALUES = 0x030D00F0


def edges_plan(objects: Objects, type_type: int, hexversion: int | None) -> dict[str, int]:
    """Return what the edges need beside scan_plan; `type_type` is the address of `type`."""
    layout = objects.layout
    # Seen in 3.13.15, 3.14.8 and 3.15.0; in 3.13.0 instances visit values that their dict has, too.
    plan_by_patch = {"values_by_dict": int(hexversion is None or hexversion > _OLD_VALUES), "values_start": 0}
    plan = plan_by_patch | {
        name: layout.offset(field) for name, field in _OFFSETS.items() if layout.has(field)
    }
    plan |= {name: layout.constant(macro) for name, macro in _CONSTANTS.items() if layout.has(macro)}
    if layout.version >= (3, 11):
        code = "f_executable" if layout.version >= (3, 13) else "f_code"
        function = "f_funcobj" if layout.version >= (3, 12) else "f_func"
        plan["frame_executable"] = layout.offset(f"_PyInterpreterFrame.{code}")
        plan["frame_function"] = layout.offset(f"_PyInterpreterFrame.{function}")
    if layout.version <= _LAST_WITH_LOOKUP:
        # Without it the keys of every dict count as owned, not visited.
        with suppress(*UNREADABLE):
            plan["lookup_general"] = _lookup_general(objects, type_type)
    return plan


def _lookup_general(objects: Objects, type_type: int) -> int:
    """Return the address of lookdict: to 3.10 a table with this function has keys that are not str.

    The subclasses of `object` are kept in a dict by address, with int keys, from the start.
    """
    layout = objects.layout
    base = objects.pointer(type_type + layout.offset("PyTypeObject.tp_base"))
    subclasses = objects.pointer(base + layout.offset("PyTypeObject.tp_subclasses"))
    keys = objects.pointer(subclasses + layout.offset("PyDictObject.ma_keys"))
    return objects.pointer(keys + layout.offset("PyDictKeysObject.dk_lookup"))


def recipes(shapes: Shapes) -> Callable[[int], bytes]:
    """Return what gives the recipe of a type by its address; of what cannot be read it is empty."""

    def recipe(address: int) -> bytes:
        try:
            return packed(shapes.of_type(address))
        except UNREADABLE:
            return b""

    return recipe
