"""What the kernel says of a process: identity, mappings, memory, handles, container."""
