"""`python -m memprobe.cli`, for where the command is not installed."""

import sys

from memprobe.cli import main

sys.exit(main())
