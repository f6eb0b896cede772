"""Prints what the interpreter says about the layout of its own types, as JSON."""
import array, asyncio, collections, contextvars, datetime, functools, io, itertools, json, mmap
import operator, queue, select, socket, sys, types, weakref
import _abc, _asyncio, _thread, builtins

def generator():
    yield

async def coroutine():
    pass

async def asynchronous():
    yield

def outer():
    return lambda: found
    found = None

masks = json.loads(sys.argv[1])
made = coroutine()
values = {
    "PyObject": object, "PyHeapTypeObject": type, "PyListObject": list, "PyDictObject": dict,
    "PySetObject": set, "PyUnicodeObject": str, "PyFloatObject": float, "PyComplexObject": complex,
    "PySliceObject": slice, "rangeobject": range, "mappingproxyobject": types.MappingProxyType,
    "PyFunctionObject": types.FunctionType, "PyMethodObject": types.MethodType,
    "PyCellObject": type(outer().__closure__[0]), "PyCFunctionObject": type(len),
    "PyMethodDescrObject": type(list.append), "PyMemberDescrObject": type(slice.start),
    "PyGetSetDescrObject": type(types.FunctionType.__code__), "PyWrapperDescrObject": type(int.__add__),
    "wrapperobject": type((1).__add__), "propertyobject": property, "classmethod": classmethod,
    "staticmethod": staticmethod, "superobject": super, "PyCoroWrapper": type(made.__await__()),
    "PyTracebackObject": types.TracebackType, "PyModuleObject": types.ModuleType,
    "_PyNamespaceObject": types.SimpleNamespace, "PyWeakReference": weakref.ref,
    "PyCapsule": type(datetime.datetime_CAPI), "PyByteArrayObject": bytearray,
    "PyContext": contextvars.Context, "PyContextVar": contextvars.ContextVar,
    "PyContextToken": contextvars.Token, "PyBaseExceptionObject": BaseException,
    "PyStopIterationObject": StopIteration, "PySystemExitObject": SystemExit, "PyOSErrorObject": OSError,
    "PyImportErrorObject": ImportError, "PySyntaxErrorObject": SyntaxError,
    "PyUnicodeErrorObject": UnicodeDecodeError, "PyDateTime_DateTime": datetime.datetime,
    "dequeobject": collections.deque, "dequeiterobject": type(iter(collections.deque())),
    "defdictobject": collections.defaultdict, "_odictobject": collections.OrderedDict,
    "partialobject": functools.partial, "lru_cache_object": type(functools.lru_cache()(generator)),
    "lru_list_elem": functools._lru_list_elem if hasattr(functools, "_lru_list_elem") else None,
    "keyobject": type(functools.cmp_to_key(max)), "itemgetterobject": operator.itemgetter,
    "attrgetterobject": operator.attrgetter, "_tuplegetterobject": collections._tuplegetter,
    "_abc_data": _abc._abc_data if hasattr(_abc, "_abc_data") else None, "localobject": _thread._local,
    "simplequeueobject": queue.SimpleQueue, "fileio": io.FileIO, "buffered": io.BufferedReader,
    "rwpair": io.BufferedRWPair, "bytesio": io.BytesIO, "stringio": io.StringIO, "textio": io.TextIOWrapper,
    "PySocketSockObject": socket._socket.socket, "pyEpoll_Object": select.epoll, "arrayobject": array.array,
    "mmap_object": mmap.mmap, "seqiterobject": type(iter(type("S", (), {"__getitem__": 0})())),
    "listiterobject": type(iter([])), "_PyListIterObject": type(iter([])),
    "listreviterobject": type(reversed([])), "tupleiterobject": type(iter(())),
    "_PyTupleIterObject": type(iter(())), "striterobject": type(iter(b"")),
    "unicodeiterobject": type(iter("")), "dictiterobject": type(iter({})), "setiterobject": type(iter(set())),
    "calliterobject": type(iter(int, 1)), "enumobject": enumerate, "reversedobject": reversed,
    "filterobject": filter, "mapobject": map, "zipobject": zip, "chainobject": itertools.chain,
    "cycleobject": itertools.cycle, "isliceobject": itertools.islice, "groupbyobject": itertools.groupby,
    "teeobject": type(itertools.tee(())[0]), "teedataobject": itertools._tee_dataobject,
    "_PyDictViewObject": type({}.keys()), "FutureObj": _asyncio.Future, "TaskObj": _asyncio.Task,
    "gaobject": getattr(types, "GenericAlias", None), "unionobject": getattr(types, "UnionType", None),
    "PyBaseExceptionGroupObject": getattr(builtins, "BaseExceptionGroup", None),
    "PyThreadHandleObject": getattr(_thread, "_ThreadHandle", None),
    "PyFrozenDictObject": getattr(builtins, "frozendict", None),
    "PyNameErrorObject": NameError if hasattr(NameError, "name") else None,
    "PyAttributeErrorObject": AttributeError if hasattr(AttributeError, "name") else None,
}
try:
    import _typing
except ImportError:
    _typing = None
for name, attribute in (("typevarobject", "TypeVar"), ("paramspecobject", "ParamSpec"),
                        ("typevartupleobject", "TypeVarTuple"), ("typealiasobject", "TypeAliasType")):
    values[name] = getattr(_typing, attribute, None)
made.close()
started = generator()
started_async = asynchronous()
facts = {
    "sizes": {name: kind.__basicsize__ for name, kind in values.items() if kind is not None},
    "dictionaries": {name: kind.__dictoffset__ for name, kind in values.items() if kind is not None},
    "weakrefs": {name: kind.__weakrefoffset__ for name, kind in values.items() if kind is not None},
    "heads": {  # the fixed part, up to a flexible tail
        "PyTupleObject.ob_item": tuple.__basicsize__, "PyBytesObject.ob_sval": bytes.__basicsize__ - 1,
        "integer": int.__basicsize__, "generator": type(started).__basicsize__,
        "coroutine": type(made).__basicsize__, "async generator": type(started_async).__basicsize__,
        "code": types.CodeType.__basicsize__, "frame": types.FrameType.__basicsize__,
        "PyMemoryViewObject.ob_array": memoryview.__basicsize__,
    },
    "objects": {
        "list": sys.getsizeof([]), "ascii": sys.getsizeof("a"), "latin": sys.getsizeof("\xe9\xe8"),
        "digits": sys.getsizeof(1 << 300) - sys.getsizeof(1 << 30), "empty set": sys.getsizeof(set()),
    },
    "flags": {
        "Py_TPFLAGS_" + name: bool(kind.__flags__ & mask)
        for name, kind in (("LONG_SUBCLASS", bool), ("LIST_SUBCLASS", list), ("TUPLE_SUBCLASS", tuple),
            ("BYTES_SUBCLASS", bytes), ("UNICODE_SUBCLASS", str), ("DICT_SUBCLASS", collections.OrderedDict),
            ("BASE_EXC_SUBCLASS", OSError), ("TYPE_SUBCLASS", type), ("HAVE_GC", list),
            ("HEAPTYPE", type("Heap", (), {})), ("MANAGED_DICT", type("Heap", (), {})),
            ("INLINE_VALUES", type("Heap", (), {})))
        for mask in [masks.get("Py_TPFLAGS_" + name, 0)]
    },
    "bits_per_digit": sys.int_info.bits_per_digit, "sizeof_digit": sys.int_info.sizeof_digit,
    "hexversion": sys.hexversion,
}
print(json.dumps(facts))
