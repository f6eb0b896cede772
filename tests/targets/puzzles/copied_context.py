# holder: ~.SNAPSHOT['tenant']
"""A copy of a context that is kept after the variable was reset."""
import contextvars
from marks import prize

TENANT = contextvars.ContextVar("tenant")
token = TENANT.set(prize())
SNAPSHOT = contextvars.copy_context()
TENANT.reset(token)
del token
