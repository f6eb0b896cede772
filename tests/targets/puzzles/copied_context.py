# holder: ~.SNAPSHOT['tenant']
"""A context that is kept."""
import contextvars
from marks import prize

TENANT = contextvars.ContextVar("tenant")
SNAPSHOT = contextvars.Context()
SNAPSHOT.run(TENANT.set, prize())
