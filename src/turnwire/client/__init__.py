"""The client: what people and programs call."""
