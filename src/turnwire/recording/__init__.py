"""Recordings: a relay that writes down what passes through it, and the file that it writes.

``Recorder`` stands between a client and a server; ``read_recording`` reads what it wrote, and
``turnwire.testing.Replay`` serves it again.  Nothing here knows what a turn is: messages are
relayed as they are.  docs/howto/recording.md has the format.
"""

from turnwire.recording.reading import Recording, read_recording
from turnwire.recording.recorder import Recorder

__all__ = ["Recorder", "Recording", "read_recording"]
