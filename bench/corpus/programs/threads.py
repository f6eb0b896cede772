"""Threads that wait for ever, and executors that nobody shuts down."""
import concurrent.futures
import queue
import threading

from service import serve


def wait_for_reply(reply):
    reply.wait()


class Stuck:
    """A thread per request that waits for a reply; the healthy program gets it."""

    def __init__(self, healthy):
        self.healthy = healthy

    def serve(self, number):
        reply = threading.Event()
        thread = threading.Thread(target=wait_for_reply, args=(reply,), daemon=True)
        thread.start()
        if self.healthy:
            reply.set()
            thread.join()

    def held(self):
        return threading.active_count()


class Executors:
    """An executor per request."""

    def __init__(self, healthy):
        self.healthy = healthy
        self.executors = []

    def serve(self, number):
        executor = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="job")
        executor.submit(len, "job").result()
        if self.healthy:
            executor.shutdown()
        else:
            self.executors.append(executor)

    def held(self):
        return threading.active_count()


class Mailbox(threading.Thread):
    def __init__(self):
        super().__init__(daemon=True)
        self.messages = queue.Queue()

    def run(self):
        while self.messages.get() is not None:
            pass


class Mailboxes:
    """A subclass of Thread with a queue of its own; the healthy program says when it is over."""

    def __init__(self, healthy):
        self.healthy = healthy

    def serve(self, number):
        mailbox = Mailbox()
        mailbox.start()
        mailbox.messages.put("hello")
        if self.healthy:
            mailbox.messages.put(None)
            mailbox.join()

    def held(self):
        return threading.active_count()


BEHAVIOURS = {"stuck": Stuck, "executors": Executors, "mailboxes": Mailboxes}

if __name__ == "__main__":
    serve(BEHAVIOURS)
