"""What a gateway's configuration may say, how it is read, and what is built of it."""
