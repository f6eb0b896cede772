# holder: ~.SPACE[…]
"""A namespace of exec, which is no module."""
from marks import keep

SPACE = {}
exec("class Thing: pass\nthing = Thing()", SPACE)
keep(SPACE["thing"])
