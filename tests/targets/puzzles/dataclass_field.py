# holder: ~.OPTIONS.items[0]
"""A field of a dataclass."""
import dataclasses
from marks import prize

@dataclasses.dataclass
class Options:
    name: str
    items: list = dataclasses.field(default_factory=list)

OPTIONS = Options("it")
OPTIONS.items.append(prize())
