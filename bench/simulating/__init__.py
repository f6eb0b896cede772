"""What the numbers of a program look like over a day, made up: the healthy ones and those that leak."""
