"""One create with everything that will happen to it, and what has happened so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from turnwire.testing.plan import Ending, Event, Plan, response_object, usage
from turnwire.testing.rules import Memory, Node

if TYPE_CHECKING:
    from turnwire.testing.steps import Create, Json

_ITEM_ADDED: Final = "response.output_item.added"
_ITEM_DONE: Final = "response.output_item.done"


@dataclass(slots=True, eq=False)
class AcceptedSteer:
    """Input that was taken over, and waits for a successor."""

    id: str
    input: object  # as it arrived
    items: list[Json]
    interrupts: bool
    is_pending: bool = False


@dataclass(slots=True, eq=False)
class Turn:
    """One turn.

    Attributes:
        create: What is answered.
        response_id: The id of its response; empty if the rules refused it.
        plan: How.
        memory: What its connection remembers.
        goes_on: True if it outlives its connection.
        sent: Its events so far, with numbers, without lanes.
        output: The items that are done.
        steers: Steers of it that wait for a successor.
        ending: How its response ended, if it has.
        is_over: True once nothing follows.
    """

    create: Create
    response_id: str
    plan: Plan
    memory: Memory
    goes_on: bool = False
    sent: list[Json] = field(default_factory=list["Json"])
    output: list[Json] = field(default_factory=list["Json"])
    steers: list[AcceptedSteer] = field(default_factory=list[AcceptedSteer])
    ending: Ending | None = None
    is_over: bool = False

    @property
    def next_number(self) -> int:
        """The number of its next event."""
        return len(self.sent)

    def has(self, number: int) -> bool:
        """Return whether the event of that number was sent, or never will be."""
        return self.next_number > number or self.is_over

    def number(self, event: Json) -> Json:
        """Keep an event as its next one, and return it with its number."""
        numbered = event | {"sequence_number": self.next_number}
        self.sent.append(numbered)
        if event["type"] == _ITEM_DONE and event.get("item") in self.plan.output:
            self.output.append(event["item"])
        return numbered

    @property
    def is_interrupted(self) -> bool:
        """True between two items, if a steer waits for that."""
        if self.ending is not None or not any(steer.interrupts for steer in self.steers):
            return False
        kinds = [event["type"] for event in self.sent]
        last = next((kind for kind in reversed(kinds) if kind in (_ITEM_ADDED, _ITEM_DONE)), None)
        return last == _ITEM_DONE

    def interruption(self) -> Event:
        """Return the terminal event of a response that is steered elsewhere."""
        output = list(self.output)
        response = response_object(self.create, self.response_id, "incomplete") | {
            "incomplete_details": {"reason": "steered"},
            "output": output,
            "usage": usage(len(self.context) - len(output), len(output)),
            "completed_at": 1,
        }
        return Event({"type": "response.incomplete", "response": response}, "steered")

    @property
    def context(self) -> tuple[Json, ...]:
        """All items that lead to its response and are in it so far."""
        return (*self.create.history, *self.create.input, *self.output)

    def settle(self, ending: Ending) -> None:
        """Update what is remembered; before the terminal event leaves: no fork can miss it."""
        self.ending = ending
        lane = self.create.lane
        match ending:
            case "completed" | "steered":
                node = Node(self.response_id, self.context)
                self.memory.keep(lane, node, store=self.create.is_stored)
            case "incomplete":
                self.memory.forget(lane)
            case "failed" | "error":
                self.memory.evict(lane, self.create.request.get("previous_response_id"))

    def response(self) -> Json:
        """Return its response as it is now."""
        if self.ending == "error":
            failed = response_object(self.create, self.response_id, "failed")
            last = self.sent[-1]
            return failed | {"error": {"code": last["code"], "message": last["message"]}}
        shown: list[Json] = [event["response"] for event in self.sent if "response" in event]
        if shown:
            return shown[-1]
        return response_object(self.create, self.response_id, "queued")
