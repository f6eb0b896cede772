"""The types of Modules/: what their objects refer to (see notation.py).

Numbers are words of structs that no header shows. Where a version has other words, the ranges say so.
"""

from __future__ import annotations

_DATA = "4=_b_base_ 8=_objects"
_FUNCTION_POINTER = f"{_DATA} 12=<thunk> 13=<callable> 14=<converters> 15=argtypes 16=restype 17=<checker> "

SHAPES = {
    # collections, functools, operator, itertools.
    "collections.deque": "dequeobject deque!leftblock=",
    "collections.OrderedDict": "_odictobject odict!od_dict= od_inst_dict=__dict__",
    "collections.defaultdict": "defdictobject default_factory=default_factory",
    "_collections._deque_iterator|_collections._deque_reverse_iterator|collections._deque_iterator"
    "|collections._deque_reverse_iterator": "dequeiterobject deque",
    "_collections._tuplegetter|collections._tuplegetter": "_tuplegetterobject doc=__doc__",
    "functools.partial": "partialobject fn=func args=args kw=keywords dict=__dict__ ~placeholder",
    "functools._lru_cache_wrapper": "lru_cache_object cache func=__wrapped__ kwd_mark lru_list_elem_type "
    "cache_info_type dict=__dict__ lru_links!root=<cached>",
    "functools._lru_list_elem": "lru_list_elem -lru_link!next,key=",
    "functools.KeyWrapper": "keyobject cmp object=obj",
    "functools._PlaceholderType": "PyObject",
    "operator.itemgetter": "itemgetterobject item",
    "operator.attrgetter": "attrgetterobject attr",
    "operator.methodcaller": "- -2=<name>@-9 2=<name>@10- 3=<args> 4=<kwds> 5@14- 6@14-",
    "itertools.accumulate": "- 2 3 4 5",
    "itertools.batched": "- 2=<it>",
    "itertools.chain": "chainobject source active",
    "itertools.combinations|itertools.combinations_with_replacement": "- 2=<pool> 4=<result>",
    "itertools.permutations": "- 2=<pool> 5=<result>",
    "itertools.product": "- 2=<pools> 4=<result>",
    "itertools.compress": "- 2=<data> 3=<selectors>",
    "itertools.count": "- 3=<count> 4=<step>",
    "itertools.cycle": "cycleobject it saved",
    "itertools.dropwhile|itertools.takewhile|itertools.filterfalse|itertools.starmap": "- 2=<func> 3=<it>",
    "itertools.groupby": "groupbyobject it keyfunc tgtkey currkey currvalue",
    "itertools._grouper": "- 2=<parent> 3=<tgtkey>",
    "itertools.islice": "isliceobject it",
    "itertools.pairwise": "- 2=<it> 3=<old> 4=<result>@13-",
    "itertools.repeat": "- 2=<element>",
    "itertools._tee": "teeobject dataobj",
    "itertools._tee_dataobject": "teedataobject it nextlink items_int!values,numread=",
    "itertools.zip_longest": "- 4=<ittuple> 5=<result> 6=<fillvalue>",
    # asyncio.
    "_asyncio.Future": "FutureObj fut_loop=_loop fut_callback0 fut_context0 fut_callbacks=_callbacks "
    "fut_exception=_exception fut_result=_result fut_source_tb=_source_traceback "
    "fut_cancel_msg=_cancel_message fut_cancelled_exc fut_cancelled_exc_state.exc_type "
    "fut_cancelled_exc_state.exc_value fut_cancelled_exc_state.exc_traceback fut_awaited_by dict=__dict__ "
    "fut_exception_tb",
    "_asyncio.Task": "TaskObj task_loop=_loop task_callback0 task_context0 task_callbacks=_callbacks "
    "task_exception=_exception task_result=_result task_source_tb=_source_traceback "
    "task_cancel_msg=_cancel_message task_cancelled_exc task_cancelled_exc_state.exc_type "
    "task_cancelled_exc_state.exc_value task_cancelled_exc_state.exc_traceback task_awaited_by dict=__dict__ "
    "task_exception_tb "
    "task_fut_waiter=_fut_waiter task_coro=_coro task_name=get_name() task_context",
    "_asyncio.FutureIter|FutureIter": "futureiterobject future",
    "TaskStepMethWrapper": "TaskStepMethWrapper sw_task sw_arg",
    "TaskWakeupMethWrapper": "TaskWakeupMethWrapper ww_task",
    "_RunningLoopHolder|_asyncio._RunningLoopHolder": "- -2=<loop>",
    # threads and queues.
    "_thread._local": "localobject -key args kw dummies@-12 -wr_callback localdicts@13- thread_watchdogs",
    "_thread._localdummy": "localdummyobject ~localdict",
    "_thread.lock|_thread.RLock|_thread._ThreadHandle|_multiprocessing.SemLock": "PyObject",
    "_queue.SimpleQueue": "simplequeueobject lst ring!buf.put_idx=",
    "_abc._abc_data|_abc_data": "_abc_data _abc_registry _abc_cache _abc_negative_cache",
    # io.
    "_io.FileIO": "fileio dict=__dict__",
    "_io.BufferedReader|_io.BufferedWriter|_io.BufferedRandom": "buffered raw=raw dict=__dict__",
    "_io.BufferedRWPair": "rwpair -reader@-11 reader@12- -writer@-11 writer@12- dict=__dict__",
    "_io.BytesIO": "bytesio dict=__dict__ -buf@-11 buf@12-",
    "_io._BytesIOBuffer": "- 2=<source>",
    "_io.StringIO": "stringio dict=__dict__ -decoder@-11 decoder@12- -readnl@-11 readnl@12- "
    "-writenl@-11 writenl@12-",
    "_io.TextIOWrapper": "textio buffer=buffer encoding=encoding encoder decoder readnl errors=errors "
    "decoded_chars pending_bytes snapshot raw dict=__dict__",
    "_io.IncrementalNewlineDecoder": "- 2=<decoder> 3=<errors>",
    "_io._IOBase|_io._RawIOBase|_io._BufferedIOBase|_io._TextIOBase": "- 2=__dict__",
    # Numbers, dates, random.
    "array.array|_random.Random|unicodedata.UCD|mmap.mmap|_hashlib.HASH|select.epoll": "PyObject",
    "array.arrayiterator|arrayiterator": "- 3",
    "datetime.datetime": "PyDateTime_DateTime -if!tzinfo,hastzinfo=tzinfo",
    "datetime.time": "PyDateTime_Time -if!tzinfo,hastzinfo=tzinfo",
    "datetime.date|datetime.timedelta|datetime.tzinfo": "PyObject",
    "datetime.timezone": "- -2=<offset> -3=<name>",
    "decimal.Decimal": "PyObject",
    "decimal.Context": "- 8=traps 9=flags ~10=<cached>",
    "decimal.ContextManager": "- 2=<local> 3=<global>",
    "decimal.SignalDictMixin": "PyObject",
    "zoneinfo.ZoneInfo": "- 2=key -3=<file_repr> ?conservative!5,0=",
    "_struct.Struct": "- 5=format",
    "_struct.unpack_iterator|unpack_iterator": "- 2=<so> 4=<buffer>",
    # Text: re, json, csv, pickle, xml, codecs.
    "re.Pattern": "- 4=groupindex 5=<indexgroup> 6=pattern",
    "re.Match": "- 3=string 4=<regs> 5=re",
    "_sre.SRE_Scanner": "- 2=pattern",
    "_sre.SRE_Template": "- 4=<literal>",
    "_json.Scanner": "- 3 4 5 6 7 8@9-12 8@15-",
    "_json.Encoder": "- 2 3 4 5 6 7",
    "_csv.Dialect": "- 5=lineterminator",
    "_csv.reader": "- 2=<input_iter> 3=dialect 4=<fields>",
    "_csv.writer": "- 2=<write> 3=dialect 8=<error_obj>@10-",
    "_pickle.Pdata": "PyObject",
    "_pickle.Pickler": "- 3=<persistent_id> last14@13- last13=dispatch_table last12=reducer_override "
    "last11=<write> -last10 last1=<fast_memo> last=<buffer_callback>",
    "_pickle.Unpickler": "- 2=<stack> 6@-12 conservative!23,224=@-12 conservative!22,240=@13-13 "
    "conservative!25,240=@14-14 conservative!26,248=@15-",
    "_pickle.PicklerMemoProxy|_pickle.UnpicklerMemoProxy": "- 2=<pickler>",
    "_multibytecodec.MultibyteIncrementalDecoder|_multibytecodec.MultibyteIncrementalEncoder"
    "|_multibytecodec.MultibyteStreamReader|_multibytecodec.MultibyteStreamWriter|MultibyteIncrementalDecoder"
    "|MultibyteIncrementalEncoder|MultibyteStreamReader|MultibyteStreamWriter": "- conservative!2,end=",
    "_multibytecodec.MultibyteCodec|MultibyteCodec": "- 3=<module>@12-",
    "xml.etree.ElementTree.Element": "- 2=tag 3=text 4=tail element!5=",
    "xml.etree.ElementTree.TreeBuilder": "- 2=<root> 3=<this> 4=<last> 5=<last_for_tail> 6=<data> "
    "7=<stack> 9=<element_factory> 10=<comment_factory> 11=<pi_factory> 12=<events_append> "
    "13 14 15 16 17 18",
    "xml.etree.ElementTree.XMLParser": "- 3=target 4=entity 5=<names> 6 7 8 9 10 11 12 13 14",
    "_elementtree._element_iterator": "- pairs!2,24=<parents> 5=<root_element> 6=<sought_tag>",
    "pyexpat.xmlparser": "- -7=intern@-12 table!last,22=<handlers>",
    # sqlite3 and ssl.
    "sqlite3.Connection": "- 6=isolation_level@-10 10@-10 11@-10 12@-10 13@-10 14=row_factory@-10 "
    "15=text_factory@-10 16@-10 17@-10 18@-10 19@-10 "
    "8=<statement_cache>@11-11 9=<cursors>@11-11 10=<blobs>@11-11 12=row_factory@11-11 13=text_factory@11-11 "
    "table!14,2@11-11 table!15,2@11-11 table!16,2@11-11 "
    "9=<statement_cache>@12- 10=<cursors>@12- 11=<blobs>@12-14 12=row_factory@15- 13=row_factory@12-14 "
    "14=text_factory@12-14 table!15,2@12-14 table!16,2@12-14 table!17,2@12-14 "
    "11=<blobs>@15- 13=text_factory@15- table!13,2@15- table!14,2@15- table!15,2@15-",
    "sqlite3.Statement": "- 4=<sql>@-10",
    "sqlite3.Cache": "- 3=<mapping> ~4=<factory> 5=<first> 6=<last>",
    "_ssl._SSLContext": "- conservative!5,end=",
    "_ssl._SSLSocket": "- -2=<socket> -4=context -6=<owner> -7=server_hostname 9=<exc>@12-",
    "sqlite3.Row": "- 2=<data> 3=<description>",
    "sqlite3.Cursor": "- 2=connection 3=description 6=lastrowid 8=<statement> 9=row_factory@-10 "
    "9=row_factory@11- 12=<next_row>@-10",
    "sqlite3.Blob": "- 2=<connection>",
    "sqlite3.Node": "- 2=<key> 3=<data> -5=<prev> -6=<next>",
    "sqlite3.PrepareProtocol": "PyObject",
    # ctypes.
    "_ctypes._SimpleCData|_ctypes.Structure|_ctypes.Union|_ctypes.Array|_ctypes._Pointer|_ctypes._CData": f"- {_DATA}",  # noqa: E501
    "_ctypes.CFuncPtr|_ctypes.PyCFuncPtr": f"- {_FUNCTION_POINTER} 18=errcheck 19=<paramflags>",
    "_ctypes.CArgObject|CArgObject": "- 6@-13 8@14-",
    "_ctypes.CField|ctypes.CField": "- 5=<proto>",
    "_ctypes.CThunkObject": "- 10=<converters> 11=<callable> 12=<restype>",
    "_ctypes.DictRemover": "- 2 3",
    "StgDict": "- -12=<proto> -16=<argtypes> -17=<converters> -18=<restype> -19=<checker>",
    "_ctypes.PyCArrayType|_ctypes.PyCFuncPtrType|_ctypes.PyCPointerType|_ctypes.PyCSimpleType"
    "|_ctypes.PyCStructType|_ctypes.UnionType": "PyObject",
    "_ctypes.CType_Type": "- 123@13-13 125@14- 127@13-13 128@13-13 129@13- 130@13- 131@13- 132@14- "
    "133@14- 134@14-",
}
