/* Exceptions and tracebacks. */

SIZE(8, NOW, PyBaseExceptionObject)
FIELD(8, NOW, PyBaseExceptionObject, dict)
FIELD(8, NOW, PyBaseExceptionObject, args)
FIELD(11, NOW, PyBaseExceptionObject, notes)
FIELD(8, NOW, PyBaseExceptionObject, traceback)
FIELD(8, NOW, PyBaseExceptionObject, context)
FIELD(8, NOW, PyBaseExceptionObject, cause)
FIELD(8, NOW, PyBaseExceptionObject, suppress_context)

SIZE(11, NOW, PyBaseExceptionGroupObject)
FIELD(11, NOW, PyBaseExceptionGroupObject, msg)
FIELD(11, NOW, PyBaseExceptionGroupObject, excs)
FIELD(13_12, 13, PyBaseExceptionGroupObject, excs_str)
FIELD(14_4, NOW, PyBaseExceptionGroupObject, excs_str)

SIZE(8, NOW, PyStopIterationObject)
FIELD(8, NOW, PyStopIterationObject, value)

SIZE(8, NOW, PySystemExitObject)
FIELD(8, NOW, PySystemExitObject, code)

SIZE(8, NOW, PyOSErrorObject)
FIELD(8, NOW, PyOSErrorObject, myerrno)
FIELD(8, NOW, PyOSErrorObject, strerror)
FIELD(8, NOW, PyOSErrorObject, filename)
FIELD(8, NOW, PyOSErrorObject, filename2)
FIELD(8, NOW, PyOSErrorObject, written)

SIZE(8, NOW, PyImportErrorObject)
FIELD(8, NOW, PyImportErrorObject, msg)
FIELD(8, NOW, PyImportErrorObject, name)
FIELD(8, NOW, PyImportErrorObject, path)
FIELD(12, NOW, PyImportErrorObject, name_from)

SIZE(8, NOW, PySyntaxErrorObject)
FIELD(8, NOW, PySyntaxErrorObject, msg)
FIELD(8, NOW, PySyntaxErrorObject, filename)
FIELD(8, NOW, PySyntaxErrorObject, lineno)
FIELD(8, NOW, PySyntaxErrorObject, offset)
FIELD(8, NOW, PySyntaxErrorObject, text)
FIELD(8, NOW, PySyntaxErrorObject, print_file_and_line)
FIELD(14, NOW, PySyntaxErrorObject, metadata)

SIZE(8, NOW, PyUnicodeErrorObject)
FIELD(8, NOW, PyUnicodeErrorObject, encoding)
FIELD(8, NOW, PyUnicodeErrorObject, object)
FIELD(8, NOW, PyUnicodeErrorObject, start)
FIELD(8, NOW, PyUnicodeErrorObject, end)
FIELD(8, NOW, PyUnicodeErrorObject, reason)

SIZE(10, NOW, PyNameErrorObject)
FIELD(10, NOW, PyNameErrorObject, name)

SIZE(10, NOW, PyAttributeErrorObject)
FIELD(10, NOW, PyAttributeErrorObject, obj)
FIELD(10, NOW, PyAttributeErrorObject, name)

SIZE(8, NOW, PyTracebackObject)
FIELD(8, NOW, PyTracebackObject, tb_next)
FIELD(8, NOW, PyTracebackObject, tb_frame)
FIELD(8, NOW, PyTracebackObject, tb_lasti)
FIELD(8, NOW, PyTracebackObject, tb_lineno)
