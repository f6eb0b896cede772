"""Has frozen objects and others."""

import gc
import os


class Frozen:
    pass


class Free:
    pass


frozen = [Frozen() for _ in range(1000)]
gc.collect()
gc.freeze()
free = [Free() for _ in range(500)]
print("ready", flush=True)
os.read(0, 1)
