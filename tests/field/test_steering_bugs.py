"""What the field gets wrong about steering: docs/field-bugs.md."""

from __future__ import annotations

import asyncio

import pytest

import turnwire
from turnwire.testing import Gate, Peer, Turns, VirtualLoop, accept, answer, reject, wait

pytestmark = pytest.mark.io


async def test_row_81_a_refused_steer_ends_nothing() -> None:
    gate = Gate()
    script = Turns([answer("one"), wait(gate, after="response.output_text.delta"), answer(" two")])
    async with (
        Peer(script, steer=[reject("response_not_active")]) as peer,
        turnwire.AsyncClient(base_url=peer.base_url) as client,
        client.responses.stream(model="any", input="go") as turn,
    ):
        await gate.wait_reached()
        with pytest.raises(turnwire.SteerFailed):
            await turn.steer("left").wait()
        gate.open()
        assert (await turn.get_final_response()).output_text == "one two"


async def test_row_81_acknowledgements_find_their_steers() -> None:
    gate = Gate()

    def judge(steer: object) -> list[object]:
        return [reject("invalid_input")] if "bad" in str(steer) else [accept(interrupts=False)]

    script = Turns(
        [answer("one"), wait(gate, after="response.output_text.delta"), answer(" two")],
        [answer("three")],
    )
    async with (
        Peer(script, steer=judge) as peer,  # type: ignore[arg-type]  # a plain function will do
        turnwire.AsyncClient(base_url=peer.base_url) as client,
        client.responses.stream(model="any", input="go") as turn,
    ):
        await gate.wait_reached()
        steers = [turn.steer(text) for text in ("good", "bad", "good too")]
        with pytest.raises(turnwire.SteerFailed):
            await steers[1].wait()
        gate.open()
        await turn.get_final_response()
    assert [steer.state for steer in steers] == ["committed", "failed", "committed"]
    assert (steers[0].id, steers[2].id) == ("steer_" + "1".zfill(32), "steer_" + "3".zfill(32))


def test_row_81_an_accepted_steer_is_no_failure_however_long_it_takes() -> None:
    async def story() -> None:
        script = Turns(
            [answer("one"), wait(600, after="response.output_text.delta"), answer(" two")],
            [answer("three")],
        )
        async with (
            Peer(script, steer=[accept(interrupts=False)]) as peer,
            turnwire.AsyncClient(base_url=peer.base_url) as client,
            client.responses.stream(model="any", input="go") as turn,
        ):
            steer = turn.steer("left")
            assert (await turn.get_final_response()).output_text == "three"
            assert steer.state == "committed"

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(story())
