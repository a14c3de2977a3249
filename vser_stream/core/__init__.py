"""Pure stages: no asyncio, threads, sockets, clocks or files."""
