"""How the names of the shapes are shown in a path: few, for most are shown as they are."""

from __future__ import annotations

TRANSPARENT = {
    "<mapping>",
    "<h_root>",
    "<ctx_vars>",
    "<mbuf>",
    "<dummies>",
    "<localdicts>",
    "tb_frame",
    "gi_frame",
    "cr_frame",
    "ag_frame",
}
"""Members that go without saying."""

OTHERWISE = {
    "<master.obj>": ".obj",
    "<fut_callback0>": "._callbacks[0][0]",
    "<task_callback0>": "._callbacks[0][0]",
    "<fut_context0>": "._callbacks[0][1]",
    "<task_context0>": "._callbacks[0][1]",
    "<fut_cancelled_exc>": "._cancelled_exc",
    "<task_cancelled_exc>": "._cancelled_exc",
    "<fut_awaited_by>": "._asyncio_awaited_by",
    "<task_awaited_by>": "._asyncio_awaited_by",
    "<task_context>": "._context",
    "<sw_task>": ".__self__",
    "<ww_task>": ".__self__",
    "<it_seq>": ".<iterated>",
    "<di_dict>": ".<iterated>",
    "<si_set>": ".<iterated>",
    "<en_sit>": ".<iterated>",
    "<it>": ".<iterated>",
    "<iters>": ".<iterated>",
    "<ittuple>": ".<iterated>",
    "<lst>": ".<queue>",
    "<cached>": ".<cache>[…]",
    "<notes>": ".__notes__",
    "<dict>": ".__dict__",
}
"""Names that a person knows otherwise."""

ITERATORS = {
    "list_iterator",
    "tuple_iterator",
    "str_iterator",
    "bytes_iterator",
    "list_reverseiterator",
    "reversed",
    "array.arrayiterator",
}
"""Types whose one member is what they iterate over."""


def shown(type_name: str, name: str) -> str:
    """Return what is put behind an object of a type to get to a member of it."""
    if name in TRANSPARENT:
        return ""
    if type_name in ITERATORS:
        return ".<iterated>"
    return OTHERWISE.get(name, f".{name}" if name else "")
