"""What a turn shows: the response object, its items and parts, and their events."""
