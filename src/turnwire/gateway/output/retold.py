"""The events of a stored response, told again from what it came to.

For those who stream a response whose own events are not here: another gateway showed them, or they
have made room.  They are fewer, so their numbers are not the ones that were shown at first; whoever
has seen some of those cannot go on with these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from turnwire.gateway.output.unstreamed import whole_item_events

if TYPE_CHECKING:
    from turnwire.gateway.json_shapes import Json


def retold(response: Json) -> list[Json]:
    """Return all events of a response that has ended, without numbers."""
    began: Json = response | {
        "status": "in_progress",
        "completed_at": None,
        "error": None,
        "incomplete_details": None,
        "output": [],
        "usage": None,
    }
    status = response["status"]
    # A cancelled response has no event of its own name.
    kind = status if status in {"completed", "failed"} else "incomplete"
    return [
        {"type": "response.created", "response": began},
        {"type": "response.in_progress", "response": began},
        *(
            event
            for index, item in enumerate(response["output"])
            for event in whole_item_events(item, index)
        ),
        {"type": f"response.{kind}", "response": response},
    ]
