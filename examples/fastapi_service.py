"""A FastAPI service that is healthy, and leaks in nine ways when it is asked to.

    python examples/fastapi_service.py 8000
    curl -X POST localhost:8000/leaks/caches/100
    sudo memprobe attach PID
"""

from __future__ import annotations

import os
import sys

import uvicorn
from fastapi import FastAPI, HTTPException

import leaks

app = FastAPI()


@app.get("/items/{number}")
def item(number: int) -> dict[str, object]:
    """Answer, and forget nothing but the answer."""
    return {"number": number, "digits": [int(digit) for digit in str(number**20)]}


@app.post("/leaks/{kind}/{count}")
def leak(kind: str, count: int) -> dict[str, object]:
    """Leak so many things of a kind."""
    try:
        leaks.leak(kind, count)
    except ValueError as error:
        raise HTTPException(404, str(error)) from error
    return {"kind": kind, "leaked": count}


@app.get("/ready")
def ready() -> dict[str, int]:
    """Tell who this is."""
    return {"pid": os.getpid()}


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), log_level="warning")
