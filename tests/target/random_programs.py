"""Random program texts: chains of functions, each calling the next one in some other way."""

from __future__ import annotations

from random import Random

# A call may stand in the middle of one or several lines; the text between two "|" is one line.
CALLS = (
    "return {next}(block)",
    "return {next}(||    block|)",
    "return (0 or|    {next}(block))",
    "return [{next}(block) for _ in (1,)]",
    "return {{str({next}(block)): 1 for _ in range(1)}}",
    "return list({next}(block) for _ in (1,))",
    "return (lambda: {next}(block))()",
    "return sorted([2, 1], key=lambda item: ({next}(block), item)[1])",
    "return f'{{{next}(block)}}'",
    "return {next}(block) if block else [|    1,|    2]",
    "for _ in range(1):|    if _ == 0:|        {next}(block)",
    "while True:|    {next}(block)|    break",
    "try:|    {next}(block)|finally:|    block = None",
    "try:|    raise KeyError|except KeyError:|    {next}(block)",
    "try:|    pass|finally:|    return {next}(block)",
    "class Body:|    value = {next}(block)",
    "def generate():|    yield (|        {next}(block))|return list(generate())",
    "def generate():|    yield from delegate()|def delegate():|    yield {next}(block)|return [*generate()]",
    "async def wait():|    return {next}(block)|try:|    wait().send(None)|except StopIteration:|    pass",
    "return dict(|    a=1,|    b=max(|        [1],|        key=lambda item: int(bool({next}(block)))))",
    "x = y = 1; z = {next}(block); return x",
    "assert not isinstance({next}(block), bytes), (|    'never')",
    "return 1 + (|    2 * len(str({next}(block)))|    - 3)",
)  # fmt: skip

# Steps between lines that fit into one byte of a line table, and those that need two or more.
GAPS = (0, 0, 0, 1, 2, 15, 126, 129, 260, 4000)


def random_program(seed: int) -> str:
    """A program whose function f0 leads through others to `block()`."""
    random = Random(seed)
    depth = random.randint(3, 12)
    lines = [""] * random.choice(GAPS)
    for number in range(depth):
        lines.append(f"def f{number}(block):")
        for _ in range(random.randint(0, 3)):
            lines += [*[""] * random.choice(GAPS), "    pass; unused = 'x' * 2"]
        call = random.choice(CALLS).format(next=f"f{number + 1}")
        lines += [f"    {line}" for line in call.split("|")]
        lines += [""] * random.choice((0, 1, 200))
    lines += [f"def f{depth}(block):", "    return (", *[""] * random.choice(GAPS), "        block())", ""]
    return "\n".join(lines)
