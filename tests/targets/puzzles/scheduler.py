# holder: ~.JOBS._queue[0].argument[0]
# holder: ~.JOBS._queue[0][N][0]
"""A job of sched.scheduler."""
import sched
from marks import prize

JOBS = sched.scheduler()
JOBS.enter(3600, 1, print, (prize(),))
