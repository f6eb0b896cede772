"""One thread for each program text of a JSON list: run its f0 until it blocks."""
import json
import sys
import threading

import telling


def run(source, name):
    namespace = {}
    exec(compile(source, name, "exec"), namespace)
    for _ in range(50):
        namespace["f0"](int)
    held = threading.Lock()
    held.acquire()
    namespace["f0"](held.acquire)


with open(sys.argv[1], encoding="utf-8") as file:
    for number, source in enumerate(json.load(file)):
        threading.Thread(target=run, args=(source, "program %d" % number), daemon=True).start()
telling.serve()
threading.Lock().acquire() and threading.Event().wait()
