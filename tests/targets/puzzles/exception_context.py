# holder: ~.LAST.__context__.args[0]
"""The exception that was being handled when another was raised."""
from marks import prize

try:
    try:
        raise ValueError(prize())
    except ValueError:
        raise KeyError("other")
except KeyError as error:
    LAST = error
