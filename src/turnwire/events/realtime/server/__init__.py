"""The server events, under the official SDK's class and attribute names.

Everything else becomes :class:`UnknownEvent`: never an exception, never mistaken for another type.
What has a default may be missing; what has none makes the event what it is.
"""

from typing import Final, get_args

from turnwire.events.realtime.base import RealtimeEvent
from turnwire.events.realtime.server.input_audio import InputAudioEvents
from turnwire.events.realtime.server.items import ItemEvents
from turnwire.events.realtime.server.mcp import McpEvents
from turnwire.events.realtime.server.output import OutputEvents
from turnwire.events.realtime.server.responses import ResponseEvents
from turnwire.events.realtime.server.session import SessionEvents

KnownEvent = (
    SessionEvents | InputAudioEvents | ItemEvents | ResponseEvents | OutputEvents | McpEvents
)
CLASS_OF_TYPE: Final[dict[str, type[RealtimeEvent]]] = {
    str(cls.__struct_config__.tag): cls for cls in get_args(KnownEvent)
}
