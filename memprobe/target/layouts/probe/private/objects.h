/* Types of Objects/ that are private to one .c file. */

/* Objects/dict-common.h to 3.10; later versions have pycore_dict.h. */
#if PY_MINOR_VERSION <= 10
typedef struct {
    Py_hash_t me_hash;
    PyObject *me_key, *me_value;
} PyDictKeyEntry;

struct _dictkeysobject {
    Py_ssize_t dk_refcnt, dk_size;
    void *dk_lookup;
    Py_ssize_t dk_usable, dk_nentries;
    char dk_indices[];
};
#endif

typedef struct _odictnode {
    PyObject *key;
    Py_hash_t hash;
    struct _odictnode *next, *prev;
} _ODictNode;

struct _odictobject {
    PyDictObject od_dict;
    _ODictNode *od_first, *od_last, **od_fast_nodes;
    Py_ssize_t od_fast_nodes_size;
    void *od_resize_sentinel;
    size_t od_state;
    PyObject *od_inst_dict, *od_weakreflist;
};

#if PY_MINOR_VERSION <= 11
typedef struct {
    PyObject_HEAD
    PyObject *prop_get, *prop_set, *prop_del, *prop_doc;
    BETWEEN(10, 11, PyObject *prop_name;)
    int getter_doc;
} propertyobject;
#endif

typedef struct {
    PyObject_HEAD
    PyObject *mapping;
} mappingproxyobject;

typedef struct {
    PyObject_HEAD
    void *descr;
    PyObject *self;
} wrapperobject;

typedef struct {
    PyObject_HEAD
    PyObject *cm_callable, *cm_dict;
} classmethod;

typedef struct {
    PyObject_HEAD
    PyObject *sm_callable, *sm_dict;
} staticmethod;

typedef struct {
    PyObject_HEAD
    PyTypeObject *type;
    PyObject *obj;
    PyTypeObject *obj_type;
} superobject;

typedef struct {
    PyObject_HEAD
    void *pointer, *name, *context, *destructor;
    BETWEEN(13, NOW, void *traverse_func, *clear_func;)
} PyCapsule;

typedef struct {
    PyObject_HEAD
    PyObject *origin, *args, *parameters, *weakreflist;
    BETWEEN(11, NOW, bool starred; void *vectorcall;)
} gaobject;

typedef struct {
    PyObject_HEAD
    PyObject *args;
    BETWEEN(14, NOW, PyObject *hashable_args, *unhashable_args;)
    PyObject *parameters;
    BETWEEN(14, NOW, PyObject *weakreflist;)
} unionobject;

typedef struct {
    PyObject_HEAD
    PyObject *start, *stop, *step, *length;
} rangeobject;

typedef struct {
    PyObject_HEAD
    PyObject *ns_dict;
} _PyNamespaceObject;

#if PY_MINOR_VERSION <= 9
typedef struct {
    PyObject_HEAD
    PyObject *md_dict;
    struct PyModuleDef *md_def;
    void *md_state;
    PyObject *md_weaklist, *md_name;
} PyModuleObject;
#endif

#if PY_MINOR_VERSION <= 11
typedef struct {
    PyObject_VAR_HEAD
    uint32_t b_bitmap;
    PyObject *b_array[1];
} PyHamtNode_Bitmap;
#endif

typedef struct {
    PyObject_HEAD
    PyObject *a_array[32];
    Py_ssize_t a_count;
} PyHamtNode_Array;

typedef struct {
    PyObject_VAR_HEAD
    int32_t c_hash;
    PyObject *c_array[1];
} PyHamtNode_Collision;

typedef struct {
    PyObject_HEAD
    PyCoroObject *cw_coroutine;
} PyCoroWrapper;

struct PyAsyncGenASend {
    PyObject_HEAD
    PyAsyncGenObject *ags_gen;
    PyObject *ags_sendval;
    int ags_state;
};

typedef struct {
    PyObject_HEAD
    PyAsyncGenObject *agt_gen;
    BETWEEN(8, 14, PyObject *agt_args;)
    BETWEEN(15, NOW, PyObject *agt_typ, *agt_tb, *agt_val;)
    int agt_state;
} PyAsyncGenAThrow;

struct _PyAsyncGenWrappedValue {
    PyObject_HEAD
    PyObject *agw_val;
};

#if PY_MINOR_VERSION >= 12
typedef struct {
    PyObject_HEAD
    PyObject *name, *bound, *evaluate_bound, *constraints, *evaluate_constraints;
    BETWEEN(13, NOW, PyObject *default_value, *evaluate_default;)
    bool covariant, contravariant, infer_variance;
} typevarobject;

typedef struct {
    PyObject_HEAD
    PyObject *name, *bound;
    BETWEEN(13, NOW, PyObject *default_value, *evaluate_default;)
    bool covariant, contravariant, infer_variance;
} paramspecobject;

typedef struct {
    PyObject_HEAD
    PyObject *name;
    BETWEEN(15, NOW, PyObject *bound;)
    BETWEEN(13, NOW, PyObject *default_value, *evaluate_default;)
    BETWEEN(15, NOW, bool covariant, contravariant, infer_variance;)
} typevartupleobject;

typedef struct {
    PyObject_HEAD
    PyObject *name;
    BETWEEN(15, NOW, PyObject *qualname;)
    PyObject *type_params, *compute_value, *value, *module;
} typealiasobject;
#endif

#if PY_MINOR_VERSION >= 15
typedef struct {
    PyObject_HEAD
    PyObject *lz_builtins, *lz_from, *lz_attr;
    PyCodeObject *lz_code;
    int lz_instr_offset, lz_active;
} PyLazyImportObject;
#endif
