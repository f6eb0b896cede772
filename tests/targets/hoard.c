/* A C extension that holds objects in every way that the collector does not see. */
#define Py_LIMITED_API 0x03080000
#include <Python.h>

static PyObject *kept;

typedef struct {
	PyObject_HEAD
	PyObject *content;
} Box;

static PyObject *keep(PyObject *module, PyObject *object)
{
	(void)module;
	Py_INCREF(object);
	kept = object;
	Py_RETURN_NONE;
}

static PyObject *forget(PyObject *module, PyObject *object)
{
	(void)module;
	Py_INCREF(object); /* and never decref */
	Py_RETURN_NONE;
}

static PyObject *fill(PyObject *module, PyObject *list)
{
	(void)module;
	if (PyList_Append(list, Py_None))
		return NULL;
	Py_RETURN_NONE;
}

static PyObject *box_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
	PyObject *content;
	Box *box;

	(void)keywords;
	if (!PyArg_ParseTuple(arguments, "O", &content))
		return NULL;
	box = (Box *)((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0);
	if (box) {
		Py_INCREF(content);
		box->content = content;
	}
	return (PyObject *)box;
}

static PyMethodDef methods[] = {
	{"keep", keep, METH_O, NULL},
	{"forget", forget, METH_O, NULL},
	{"fill", fill, METH_O, NULL},
	{NULL, NULL, 0, NULL},
};
static PyType_Slot slots[] = {{Py_tp_new, box_new}, {0, NULL}};
static PyType_Spec spec = {"hoard.Box", sizeof(Box), 0, Py_TPFLAGS_DEFAULT, slots};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "hoard", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_hoard(void)
{
	PyObject *module = PyModule_Create(&definition);

	if (module)
		PyModule_AddObject(module, "Box", PyType_FromSpec(&spec));
	return module;
}
