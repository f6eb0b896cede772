"""Says on request what the threads of this process are: import it, start threads, call serve()."""
import json
import sys
import threading

import standing


def frames(frame):
    while frame is not None:
        code = frame.f_code
        yield getattr(code, "co_qualname", code.co_name), code.co_filename, frame.f_lineno or 0
        frame = frame.f_back


def stacks():
    own = threading.get_ident()
    return {ident: list(frames(frame)) for ident, frame in sys._current_frames().items() if ident != own}


def threads():
    return {one.ident: [one.native_id, one.name, one.daemon] for one in threading.enumerate()}


def answer(stand):
    standing.wait_for(stand)
    print("ready", flush=True)
    for question in sys.stdin:
        print(json.dumps({"stacks": stacks, "threads": threads}[question.strip()]()), flush=True)


def serve(stand=0):  # once so many threads stand
    threading.Thread(target=answer, args=(stand,), name="teller", daemon=True).start()
