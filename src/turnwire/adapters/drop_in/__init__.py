"""A create as an HTTP library asks for it, answered over a socket as HTTP would answer it."""
