"""What a turn is asked: its parameters, its items, and how much that is."""
