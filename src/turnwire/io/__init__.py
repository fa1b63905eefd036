"""Sockets, tasks and clocks: the only ``await`` below the client and the gateway."""
