"""What was said to a run while it went on, for which the SDK's history has no place.

The runner keeps what the model said; what was said to it in between stays here, and goes back to
where it was when the history comes again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from turnwire.client.steering import AsyncSteer
    from turnwire.client.turn import AsyncTurn
    from turnwire.events import Response


class Asides:
    """The asides of one chain, by the item of the model's that they follow or precede."""

    def __init__(self) -> None:
        self._after: dict[str, list[AsyncSteer]] = {}
        self._before: dict[str, list[AsyncSteer]] = {}

    def copy(self) -> Asides:
        """Return the asides of a fork."""
        other = Asides()
        other._after = {name: steers.copy() for name, steers in self._after.items()}
        other._before = {name: steers.copy() for name, steers in self._before.items()}
        return other

    def note(self, turn: AsyncTurn) -> None:
        """Remember what was said to a turn that has ended well."""
        names = {response.id: _names(response) for response in turn.responses}
        for steer in turn.steers:
            said_to = names.get(steer.response_id or "", [])
            heard_in = names.get(steer.successor_id or "", [])
            if said_to:
                self._after.setdefault(said_to[-1], []).append(steer)
            elif heard_in:
                self._before.setdefault(heard_in[0], []).append(steer)

    def restored(self, history: Sequence[Any]) -> Sequence[Any]:
        """Return a history of the runner's with the asides that the model has heard."""
        if not (self._after or self._before):
            return history
        whole: list[Any] = []
        for item in history:
            name = _name(cast("dict[str, Any]", item)) if isinstance(item, dict) else None
            whole += _heard(self._before.get(name or "", ()))
            whole.append(item)
            whole += _heard(self._after.get(name or "", ()))
        return whole


def merged(responses: Sequence[Response]) -> Response:
    """Return the responses of a turn that was steered as the one that the SDK expects."""
    *earlier, last = responses
    if not earlier:
        return last
    fields = last.to_dict()
    used = [each.to_dict().get("usage") for each in responses]
    fields["usage"] = _sum([each for each in used if each]) or None
    output = [raw for each in responses for raw in each.output_raw or ()]
    return msgspec.structs.replace(last, raw=msgspec.json.encode(fields), output_raw=output)


def _sum(counts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Add counts of tokens up, at every depth."""
    total: dict[str, Any] = {}
    for name in dict.fromkeys(name for each in counts for name in each):
        values = [each[name] for each in counts if each.get(name) is not None]
        if values and all(isinstance(value, dict) for value in values):
            total[name] = _sum(values)
        elif values and all(isinstance(value, int | float) for value in values):
            total[name] = sum(values)
        else:
            total[name] = values[-1] if values else None
    return total


def _heard(steers: Iterable[AsyncSteer]) -> list[dict[str, Any]]:
    return [item for steer in steers if steer.state == "committed" for item in steer.input]


def _names(response: Response) -> list[str]:
    items = (msgspec.json.decode(raw) for raw in response.output_raw or ())
    return [name for item in items if (name := _name(item)) is not None]


def _name(item: dict[str, Any]) -> str | None:
    """Return what an item is known by; an output has the ``call_id`` of its call."""
    if isinstance(item.get("id"), str):
        return str(item["id"])
    call_id = item.get("call_id")
    return f"{item.get('type')} {call_id}" if isinstance(call_id, str) else None
