"""Who may come in, from where, and how much they may use."""
