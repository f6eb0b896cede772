"""A task that is kept by who does it; the broker is a folder. As a program: gives tasks until its input ends."""
import os, select, sys

from celery import Celery

FOLDER = os.environ["LEAKING_TASKS"]
QUEUE = {"data_folder_in": FOLDER + "/queue", "data_folder_out": FOLDER + "/queue", "control_folder": FOLDER + "/control"}
app = Celery("leaking_tasks", broker="filesystem://")
app.conf.update(broker_transport_options=QUEUE, task_ignore_result=True, worker_enable_remote_control=False)
SEEN = []


@app.task(name="keep")
def keep(number):
    SEEN.append({"number": number, "body": "x" * 500})
    with open(FOLDER + "/done", "ab") as done:
        done.write(b".")  # one for each


if __name__ == "__main__":
    number = 0
    while not select.select([sys.stdin], [], [], 0.01)[0]:
        number += 1
        keep.delay(number)
    print(number)
