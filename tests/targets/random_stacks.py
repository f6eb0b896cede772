"""One thread for each program text of a JSON list: run its f0 until it blocks."""
import json
import sys
import threading

import standing
import telling


def run(source, name):
    namespace = {}
    exec(compile(source, name, "exec"), namespace)
    for _ in range(50):
        namespace["f0"](int)
    namespace["f0"](standing.place())


with open(sys.argv[1], encoding="utf-8") as file:
    programs = json.load(file)
for number, source in enumerate(programs):
    threading.Thread(target=run, args=(source, "program %d" % number), daemon=True).start()
telling.serve(len(programs) + 1)
standing.place()()
