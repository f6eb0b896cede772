"""The object heap of a target: census, graph, holders, garbage, tasks; read from outside."""
