"""Towards the gateway's clients: sockets, and requests over HTTP."""
