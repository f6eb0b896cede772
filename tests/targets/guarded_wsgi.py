"""A WSGI application that has itself watched before it is forked, and keeps what it is asked."""
import json, os, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "inside"))
from memprobe_inside import get_report, protect, stop

SEEN = []
IS_WATCHED = protect(preset="aggressive", command=os.environ["GUARD_COMMAND"].split())


def keep():
    SEEN.append({"body": "x" * 500})
    return IS_WATCHED


PATHS = {"/": keep, "/report": get_report, "/stop": stop}


def application(environ, start_response):
    answer = PATHS[environ["PATH_INFO"]]()
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({"pid": os.getpid(), "answer": answer}).encode()]
