"""The types of Objects/ and Python/: what their objects refer to (see notation.py)."""

from __future__ import annotations

SHAPES = {
    # Containers.
    "object|type": "PyObject",
    "list": "PyListObject list!ob_item,ob_size=",
    "tuple": "PyTupleObject tuple!ob_item,ob_size=",
    "dict": "- dict!0=",
    "frozendict": "- dict!0=",
    "set|frozenset": "- set!0=",
    "slice": "PySliceObject start=start stop=stop step=step",
    "range": "rangeobject -start=start -stop=stop -step=step -length",
    "dict_keys|dict_values|dict_items|odict_keys|odict_values|odict_items": "_PyDictViewObject dv_dict=mapping",  # noqa: E501
    "mappingproxy": "mappingproxyobject mapping",
    "cell": "PyCellObject ob_ref=cell_contents",
    "types.SimpleNamespace": "_PyNamespaceObject ns_dict=__dict__",
    "module": "PyModuleObject md_dict=__dict__ -md_name ?module_state!md_state,md_def "
    "?module_state!md_state,md_token",
    "PyCapsule": "PyCapsule",
    "memoryview": "PyMemoryViewObject mbuf",
    "managedbuffer": "_PyManagedBufferObject master.obj",
    "bytearray": "PyByteArrayObject -ob_bytes_object",
    "pickle.PickleBuffer": "- 3=obj",
    # No references at all.
    "int|bool|float|complex|str|bytes|NoneType|NotImplementedType|ellipsis": "PyObject",
    "EncodingMap|Token.MISSING|hamt_missing": "PyObject",
    # Code, functions, methods, descriptors.
    "code": "PyCodeObject -co_consts=co_consts -co_names=co_names -co_code -co_varnames -co_freevars "
    "-co_cellvars -co_filename=co_filename -co_name=co_name -co_qualname=co_qualname -co_lnotab "
    "-co_linetable -co_exceptiontable -co_localsplusnames -co_localspluskinds -_co_code "
    "-table!_co_cached,4@12-",
    "function": "PyFunctionObject func_code=__code__ func_globals=__globals__ func_builtins=__builtins__ "
    "func_defaults=__defaults__ func_kwdefaults=__kwdefaults__ func_closure=__closure__ func_doc=__doc__ "
    "func_name=__name__ func_dict=__dict__ func_module=__module__ func_annotations=__annotations__ "
    "func_annotate=__annotate__ func_qualname=__qualname__ func_typeparams=__type_params__",
    "method": "PyMethodObject im_func=__func__ im_self=__self__",
    "instancemethod": "PyInstanceMethodObject func=__func__",
    "builtin_function_or_method": "PyCFunctionObject m_self=__self__ m_module=__module__",
    "builtin_method": "PyCFunctionObject m_self=__self__ m_module=__module__ 7=__objclass__",
    "method_descriptor|classmethod_descriptor|member_descriptor|getset_descriptor|wrapper_descriptor": "PyDescrObject d_type=__objclass__ -d_name=__name__ -d_qualname",  # noqa: E501
    "method-wrapper": "wrapperobject descr self=__self__",
    "property": "propertyobject prop_get=fget prop_set=fset prop_del=fdel prop_doc=__doc__ prop_name",
    "classmethod": "classmethod cm_callable=__func__ cm_dict=__dict__",
    "staticmethod": "staticmethod sm_callable=__func__ sm_dict=__dict__",
    "super": "superobject type=__thisclass__ obj=__self__ obj_type=__self_class__",
    # Running code.
    "generator": "PyGenObject gi_frame=gi_frame gi_code=gi_code gi_name=__name__ gi_qualname=__qualname__ "
    "gi_exc_state.exc_type gi_exc_state.exc_value gi_exc_state.exc_traceback -gi_origin_or_finalizer "
    "frame!gi_iframe,gi_frame_state=",
    "coroutine": "PyCoroObject cr_frame=cr_frame cr_code=cr_code cr_name=__name__ cr_qualname=__qualname__ cr_exc_state.exc_type cr_exc_state.exc_value "  # noqa: E501
    "cr_exc_state.exc_traceback "
    "-cr_origin cr_origin_or_finalizer frame!cr_iframe,cr_frame_state=",
    "async_generator": "PyAsyncGenObject ag_frame=ag_frame ag_code=ag_code ag_name=__name__ "
    "ag_qualname=__qualname__ ag_exc_state.exc_type ag_exc_state.exc_value "
    "ag_exc_state.exc_traceback ag_finalizer ag_origin_or_finalizer frame!ag_iframe,ag_frame_state=",
    "coroutine_wrapper": "PyCoroWrapper cw_coroutine",
    "async_generator_asend": "PyAsyncGenASend ags_gen ags_sendval",
    "async_generator_athrow": "PyAsyncGenAThrow agt_gen agt_args agt_typ agt_tb agt_val",
    "async_generator_wrapped_value": "- 2",
    "anext_awaitable": "- 2 3",
    "frame": "PyFrameObject f_back=f_back f_code=f_code f_builtins=f_builtins f_globals=f_globals "
    "f_locals=f_locals f_trace=f_trace f_extra_locals f_locals_cache f_overwritten_fast_locals "
    "frame!_f_frame_data= code!f_localsplus,f_valuestack=@-10",
    "FrameLocalsProxy": "PyFrameLocalsProxyObject frame",
    "traceback": "PyTracebackObject tb_next=tb_next tb_frame=tb_frame",
    # Classes, weak references, typing.
    "weakref|weakref.ReferenceType|weakproxy|weakref.ProxyType|weakcallableproxy|weakref.CallableProxyType": "PyWeakReference ~wr_object=() wr_callback=__callback__",  # noqa: E501
    "types.GenericAlias": "gaobject origin=__origin__ args=__args__ parameters=__parameters__",
    "generic_alias_iterator": "- 2",
    "types.UnionType|typing.Union": "unionobject args=__args__ hashable_args unhashable_args "
    "parameters=__parameters__",
    "typing.TypeAliasType": "typealiasobject name=__name__ qualname=__qualname__ "
    "type_params=__type_params__ compute_value value=__value__ module=__module__",
    "typing.TypeVar": "typevarobject name=__name__ bound=__bound__ evaluate_bound "
    "constraints=__constraints__ evaluate_constraints default_value=__default__ evaluate_default",
    "typing.ParamSpec": "paramspecobject name=__name__ bound=__bound__ default_value=__default__ "
    "evaluate_default",
    "typing.TypeVarTuple": "typevartupleobject name=__name__ bound default_value=__default__ "
    "evaluate_default",
    "typing.ParamSpecArgs|typing.ParamSpecKwargs": "- 2=__origin__",
    "typing.Generic|typing.NoDefaultType|typing._ConstEvaluator|_typing._idfunc": "- 2@12-",
    "string.templatelib.Interpolation": "- 2=value 3=expression 4=conversion 5=format_spec",
    "string.templatelib.Template": "- 2=strings 3=interpolations",
    "string.templatelib.TemplateIter": "- 2 3",
    "sentinel": "- 2=__name__ 3=__module__ 4",
    "lazy_import": "PyLazyImportObject lz_builtins lz_from lz_attr lz_code",
    # Context variables.
    "Context|_contextvars.Context": "PyContext ctx_prev ctx_vars",
    "ContextVar|_contextvars.ContextVar": "PyContextVar var_name=name var_default",
    "Token|_contextvars.Token": "PyContextToken tok_ctx tok_var=var tok_oldval=old_value",
    "hamt": "PyHamtObject h_root",
    "hamt_bitmap_node": "PyHamtNode_Bitmap items!b_array,ob_size=",
    "hamt_array_node": "PyHamtNode_Array array!a_array,32=",
    "hamt_collision_node": "PyHamtNode_Collision items!c_array,ob_size=",
    "keys|values|items": "- 2",
    "ast.AST|_ast.AST": "- 2=__dict__",
    # Iterators.
    "iterator": "seqiterobject it_seq",
    "list_iterator|tuple_iterator|str_iterator|str_ascii_iterator|bytes_iterator|bytearray_iterator"
    "|memory_iterator|list_reverseiterator|reversed": "- 3",
    "callable_iterator": "calliterobject it_callable it_sentinel",
    "dict_keyiterator|dict_valueiterator|dict_itemiterator|dict_reversekeyiterator"
    "|dict_reversevalueiterator|dict_reverseitemiterator": "dictiterobject di_dict di_result",
    "set_iterator": "setiterobject si_set",
    "odict_iterator": "- 3=<di_odict> 6=<di_result> 7=<di_current>",
    "enumerate": "enumobject en_sit en_result -en_longindex@-10 en_longindex@11- -one",
    "filter": "filterobject func it",
    "map": "mapobject iters func",
    "zip": "zipobject ittuple result",
    "range_iterator": "PyObject",
    "longrange_iterator": "- -2 -3 -4@-11",
    # Exceptions.
    "BaseException": "PyBaseExceptionObject dict=__dict__ args=args notes traceback=__traceback__ "
    "context=__context__ cause=__cause__",
    "BaseExceptionGroup": "PyBaseExceptionGroupObject msg excs=exceptions excs_str",
    "StopIteration": "PyStopIterationObject value=value",
    "SystemExit": "PySystemExitObject code=code",
    "OSError": "PyOSErrorObject myerrno=errno strerror=strerror filename=filename filename2=filename2",
    "ImportError": "PyImportErrorObject msg=msg name=name path=path name_from=name_from",
    "SyntaxError": "PySyntaxErrorObject msg=msg filename=filename lineno=lineno offset=offset text=text "
    "print_file_and_line metadata 12=end_lineno@10-10 13=end_offset@10-10 13=end_lineno@11- "
    "14=end_offset@11-",
    "UnicodeError": "PyObject",
    "UnicodeEncodeError|UnicodeDecodeError|UnicodeTranslateError": "PyUnicodeErrorObject encoding=encoding object=object reason=reason",  # noqa: E501
    "NameError": "PyNameErrorObject name=name",
    "AttributeError": "PyAttributeErrorObject obj=obj name=name",
}

TYPE = (
    "PyTypeObject tp_base=__base__ tp_dict=__dict__ tp_bases=__bases__ tp_mro=__mro__ tp_cache -tp_subclasses"
)
"""What a class refers to; and because it is a PyHeapTypeObject:"""

HEAP_TYPE = (
    "PyHeapTypeObject -ht_name=__name__ -ht_slots=__slots__ -ht_qualname=__qualname__ "
    "ht_module -dict_keys!ht_cached_keys="
)
