"""The service as a whole: real processes, real databases, real sockets, and what can happen to them."""
