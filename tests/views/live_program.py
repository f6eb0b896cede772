"""Shows a made-up run on the live view until q is pressed: for a terminal."""

from __future__ import annotations

import time

from memprobe.ledger import Ledger
from memprobe.views.history import History
from memprobe.views.live_screen import live_view
from memprobe.views.story import Story
from views.made_up_report import report
from views.made_up_story import batch


def main() -> None:
    ledger, history, live = Ledger(), History(), live_view()
    try:
        for number in range(10_000):
            seen = batch(number, 1.0, 50)
            history.fold(ledger, ledger.fold(seen), seen.samples)
            live.show(Story(report(), ledger, history))
            time.sleep(0.05)
            if not live.tick():
                break
    finally:
        live.erase()
    print("ended well", flush=True)


if __name__ == "__main__":
    main()
