# holder: ~.RESULT._result
"""The result of a concurrent.futures.Future."""
import concurrent.futures
from marks import prize

RESULT = concurrent.futures.Future()
RESULT.set_result(prize())
