"""Callbacks that are registered and never removed, and those that are."""
import atexit
import logging
import weakref

from service import serve


class Bus:
    def __init__(self):
        self._handlers = {}

    def subscribe(self, name, handler):
        self._handlers.setdefault(name, []).append(handler)

    def unsubscribe(self, name, handler):
        self._handlers[name].remove(handler)


BUS = Bus()


class Widget:
    def __init__(self, number):
        self.number = number
        self.pixels = bytearray(500)

    def on_change(self):
        self.number += 1


class Methods:
    """Bound methods of widgets that nobody else knows any more."""

    def __init__(self, healthy):
        self.healthy = healthy

    def serve(self, number):
        widget = Widget(number)
        BUS.subscribe("change", widget.on_change)
        if self.healthy:
            BUS.unsubscribe("change", widget.on_change)

    def held(self):
        return len(BUS._handlers.get("change", ()))


class Signal:
    receivers = []

    def connect(self, receiver):
        self.receivers.append(receiver)
        return receiver

    def disconnect(self, receiver):
        self.receivers.remove(receiver)


class Closures:
    """A new function for every request."""

    def __init__(self, healthy):
        self.healthy = healthy
        self.signal = Signal()

    def serve(self, number):
        receiver = self.signal.connect(lambda: number)
        if self.healthy:
            self.signal.disconnect(receiver)

    def held(self):
        return len(Signal.receivers)


def reload_settings():
    """The same function, registered again and again."""


class Repeated:
    """One function, many times."""

    def __init__(self, healthy):
        self.healthy = healthy
        self.hooks = []

    def serve(self, number):
        if not self.healthy or reload_settings not in self.hooks:
            self.hooks.append(reload_settings)

    def held(self):
        return len(self.hooks)


class Topic:
    def __init__(self):
        self.weak = []

    def connect(self, method, forget):
        self.weak.append(weakref.WeakMethod(method, self.weak.remove if forget else None))


class Dead:
    """Weak references to methods of widgets that are long gone."""

    def __init__(self, healthy):
        self.healthy = healthy
        self.topic = Topic()

    def serve(self, number):
        self.topic.connect(Widget(number).on_change, self.healthy)

    def held(self):
        return len(self.topic.weak)


class Filters:
    """A filter for every request on one logger."""

    def __init__(self, healthy):
        self.healthy = healthy
        self.logger = logging.getLogger("work")

    def serve(self, number):
        filter_ = logging.Filter("request.%d" % number)
        self.logger.addFilter(filter_)
        if self.healthy:
            self.logger.removeFilter(filter_)

    def held(self):
        return len(self.logger.filters)


class Client:
    alive = 0

    def __init__(self):
        Client.alive += 1
        self.buffer = bytearray(500)

    def __del__(self):
        Client.alive -= 1

    def close(self):
        del self.buffer


class AtExit:
    """Something to be called at the end, for every client."""

    def __init__(self, healthy):
        self.healthy = healthy

    def serve(self, number):
        client = Client()
        atexit.register(client.close)
        if self.healthy:
            atexit.unregister(client.close)

    def held(self):
        return Client.alive


BEHAVIOURS = {
    "methods": Methods,
    "closures": Closures,
    "repeated": Repeated,
    "dead": Dead,
    "filters": Filters,
    "at-exit": AtExit,
}

if __name__ == "__main__":
    serve(BEHAVIOURS)
