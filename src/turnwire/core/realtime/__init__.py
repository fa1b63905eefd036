"""The Realtime transport's decisions: the session, its turns, what was heard, what survives."""
