"""Objects in each generation, frozen ones, and a collector with settings of its own."""
import gc
import json
import threading

gc.disable()
frozen = [[] for _ in range(4000)]
gc.freeze()
frozen_count = gc.get_freeze_count()
gc.set_threshold(1234, 56, 7)
for _ in range(3):
    cycle = []
    cycle.append(cycle)
    del cycle
    gc.collect()
old = [[] for _ in range(3000)]
gc.collect()
gc.collect(1)
middle = [[] for _ in range(2000)]
gc.collect(0)
young = [[] for _ in range(1000)]
stats = [[one[key] for one in gc.get_stats()] for key in ("collections", "collected", "uncollectable")]
truth = {"stats": stats, "thresholds": gc.get_threshold(), "frozen": frozen_count}
truth["objects"] = [len(gc.get_objects(generation=number)) for number in range(3)]
truth["counts"] = gc.get_count()
print("ready", json.dumps(truth), flush=True)
threading.Event().wait()
