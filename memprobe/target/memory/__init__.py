"""Where the bytes of a target come from: the Memory protocol with three backs.

`live` reads a running process, `image` a file that was saved of one, `fake` what a test made up;
`recording` stands before any of them and remembers what was read, so that it can be saved.
"""
