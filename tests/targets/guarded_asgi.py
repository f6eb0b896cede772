"""An ASGI application whose workers have themselves watched, and leak when they are asked to."""
import asyncio, json, os, threading, time
import memprobe

memprobe.protect(poll_interval_s=0.5, sample_rate=0.5, max_overhead_pct=1, preset="aggressive")
CACHE = {}


def leak():
    while True:
        CACHE[len(CACHE)] = str(len(CACHE))
        time.sleep(0.005)


def start():
    if not CACHE:
        CACHE[0] = "the first one"
        threading.Thread(target=leak, daemon=True).start()


PATHS = {"/leak": start, "/report": memprobe.get_report, "/stop": memprobe.stop}


async def application(scope, receive, send):
    answer = await asyncio.to_thread(PATHS[scope["path"]])
    body = json.dumps({"pid": os.getpid(), "answer": answer}).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})
