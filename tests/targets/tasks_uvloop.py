"""Tasks in a loop of uvloop, which keeps its timers and callbacks in C."""
import asyncio, socket, sys
sys.path.append(sys.argv[1])
import telling_tasks, uvloop
async def sleeps(n): await asyncio.sleep(10_000 + n)
async def reads(reader, writer): await reader.read(1)
async def receives(loop, end): await loop.sock_recv(end, 1)
async def main():
    loop = asyncio.get_running_loop()
    ends = socket.socketpair()
    ends[0].setblocking(False)
    server = await asyncio.start_server(reads, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    tasks = [loop.create_task(sleeps(n)) for n in range(20)]
    tasks += [loop.create_task(reader.read(1)), loop.create_task(receives(loop, ends[0]))]
    await asyncio.sleep(0.1)
    telling_tasks.loops.append(loop)
    loop.call_later(0.2, telling_tasks.serve)
    await asyncio.gather(*tasks)
uvloop.new_event_loop().run_until_complete(main())
