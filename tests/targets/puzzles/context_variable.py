# holder: <thread N 'MainThread'> context['request']
"""A context variable of the main thread."""
import contextvars
from marks import prize

REQUEST = contextvars.ContextVar("request")
REQUEST.set(prize())
