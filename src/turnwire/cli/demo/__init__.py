"""``turnwire demo``: one agent's work, done over three transports and measured."""
