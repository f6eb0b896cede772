"""asyncio's tasks with their stacks, timers and queues, and the threads beside them."""
