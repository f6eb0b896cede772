"""Statements over many lines, names in other scripts, code made at run time."""


def expression(block):
    return [
        1 +
        len(str(
            block(),
        )),
        2,
    ]
def handlers(block):
    try:
        raise ValueError
    except ValueError:
        try:
            pass
        finally:
            [len(word) for word in ("α",) if block() or True]
def class_body(block):
    class Body:
        class Inner: attribute = {key: block() for key in "k"}
TEXT = "\n\ndef später():\n  return (\n    block())\nspäter()"
def größe_名前(block): return {(lambda ß: ß())(block) for 𝒳 in "x"}
def made(block): exec(compile(TEXT, "<кухня 𝒳>", "exec"), {"block": block})
def evaluated(block): return eval("(lambda: [block() for _ in 'x'])()", {"block": block})
def assertion(block): assert not isinstance(block(), str), "never"
SHAPES = [expression, handlers, class_body, größe_名前, made, evaluated, assertion]
