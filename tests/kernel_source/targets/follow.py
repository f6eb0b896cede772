"""Follow a process with the kernel source until somebody ends this."""

import sys
import time

from kernel_source.following import following

with following(int(sys.argv[1])) as found:
    print("following", flush=True)
    while True:
        found.poll()
        time.sleep(0.05)
