"""Which field of the tables holds what an interpreter tells about its types."""

from __future__ import annotations

DICTIONARIES = {
    "PyFunctionObject": "func_dict",
    "PyModuleObject": "md_dict",
    "_PyNamespaceObject": "ns_dict",
    "classmethod": "cm_dict",
    "staticmethod": "sm_dict",
    "PyBaseExceptionObject": "dict",
    "partialobject": "dict",
    "lru_cache_object": "dict",
    "_odictobject": "od_inst_dict",
    "fileio": "dict",
    "buffered": "dict",
    "rwpair": "dict",
    "bytesio": "dict",
    "stringio": "dict",
    "textio": "dict",
    "FutureObj": "dict",
    "TaskObj": "dict",
}
"""Where a type keeps the dictionary of its instances."""

WEAK_REFERENCES = {
    "PySetObject": "weakreflist",
    "PyFunctionObject": "func_weakreflist",
    "PyMethodObject": "im_weakreflist",
    "PyCFunctionObject": "m_weakreflist",
    "PyModuleObject": "md_weaklist",
    "PyContext": "ctx_weakreflist",
    "dequeobject": "weakreflist",
    "_odictobject": "od_weakreflist",
    "partialobject": "weakreflist",
    "lru_cache_object": "weakreflist",
    "localobject": "weakreflist",
    "simplequeueobject": "weakreflist",
    "fileio": "weakreflist",
    "buffered": "weakreflist",
    "rwpair": "weakreflist",
    "bytesio": "weakreflist",
    "stringio": "weakreflist",
    "textio": "weakreflist",
    "arrayobject": "weakreflist",
    "mmap_object": "weakreflist",
    "gaobject": "weakreflist",
    "unionobject": "weakreflist",
    "teeobject": "weakreflist",
    "FutureObj": "fut_weakreflist",
    "TaskObj": "task_weakreflist",
}
"""Where a type keeps the weak references to its instances."""
