# holder: logging.Logger.manager.loggerDict[…].handlers[0].sink
# holder: logging.root.manager.loggerDict[…].handlers[0].sink
"""An attribute of a handler of a logger that nobody else has."""
import logging
from marks import prize

handler = logging.NullHandler()
handler.sink = prize()
logging.getLogger("puzzles.quiet").addHandler(handler)
del handler
