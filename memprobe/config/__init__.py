"""Every option once: default, unit, meaning, where it may be set; files, environment, command line.

settings.py    THE table: sections, defaults, meanings
config.py      all settings of a run as one object
presets.py     other defaults for many of them
setting.py     what is known of one line of it
units.py       what a number is in, and what else it may be written in
places.py      where a value came from
protection.py  what is never reported
values.py      from what was written to a value, or to an error that names the place
lines.py       on which line of a TOML document a key stands
files.py       which files count, and what stands in them
reading.py     all layers put together
plain.py       the settings of a run as its recording keeps them
nearest.py     the right name for a wrong one
"""

from memprobe.config.config import DEFAULTS, Config
from memprobe.config.presets import PRESETS
from memprobe.config.protection import Aspect, Protection
from memprobe.config.reading import Spoken, read_config
from memprobe.config.settings import SETTINGS, Kinds, Recorded, Thresholds

__all__ = [
    "DEFAULTS",
    "PRESETS",
    "SETTINGS",
    "Aspect",
    "Config",
    "Kinds",
    "Protection",
    "Recorded",
    "Spoken",
    "Thresholds",
    "read_config",
]
