"""As many open files as it is told; opens and closes more when told so."""
import os
import resource
import sys

count = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
held = [os.open("/etc/passwd", os.O_RDONLY) for _ in range(count)]
print("ready", flush=True)
for line in sys.stdin:
    for descriptor in held:
        os.close(descriptor)
    held = [os.open("/etc/hostname", os.O_RDONLY) for _ in range(int(line))]
    print("done", flush=True)
