"""The object heap of a target, read from outside: census, graph, holders, garbage, tasks."""
