"""``turnwire doctor``: why WebSocket mode works with a server, or why it does not."""
