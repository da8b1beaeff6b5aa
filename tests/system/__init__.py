"""System tests: real processes, databases and sockets, with crashes, stops and slow clients."""
