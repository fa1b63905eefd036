"""``turnwire voice``: speak to a Realtime session, from a file or live, and keep what it says."""
