"""``turnwire demo-voice``: somebody interrupts, and the model is told what was heard."""
