"""Threads with all kinds of names, some of which threading does not know."""
import _thread
import threading

import standing
import telling


class Worker(threading.Thread):
    def __init__(self, **attributes):
        super().__init__(target=threading.Event().wait, daemon=True)
        self.__dict__.update(attributes)


class Slotted(threading.Thread):
    __slots__ = ("extra",)


threads = [Worker() for _ in range(3)] + [Slotted(target=threading.Event().wait, name="工人-1", daemon=True)]
threads += [Worker(**{"more%d" % n: n for n in range(60)}), threading.Thread(target=threading.Event().wait)]
threads[0].name = "renamed \u00e9"
threads[1].name = "x" * 300
threads[2].name = "\U0001f40d \x1b[31m"
threads[5].daemon = True
for thread in threads:
    thread.start()
_thread.start_new_thread(standing.place(), ())
telling.serve(1)
threading.Event().wait()
