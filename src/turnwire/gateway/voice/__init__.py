"""The built-in voice model: the server's half of the Realtime API over WebSocket.

Written from the protocol's description alone, apart from the client's half, so that each of the two
is a check of the other.  Everything decides without I/O; ``endpoint.py`` has the socket.
"""
