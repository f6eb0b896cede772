"""memprobe on behalf of an application: watches the process that asked for it, warns, and answers it."""

from memprobe.guard.guarding import guarded
from memprobe.guard.orders import Orders, parse_orders

__all__ = ["Orders", "guarded", "parse_orders"]
