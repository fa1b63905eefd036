"""A worker that cannot learn how the others are."""

from __future__ import annotations

import aiohttp
import msgspec
import pytest

from turnwire.gateway import Gateway, Settings
from turnwire.gateway.observing.figures import SiblingsUnknown, Whole


class Unknown:
    number = 2
    count = 3

    async def whole(self, *, bars: bool, seconds_old: float = 0.0) -> Whole:
        raise SiblingsUnknown("nobody says")


@pytest.mark.io
async def test_the_metrics_are_refused_rather_than_a_part_of_the_sums() -> None:
    async with (
        Gateway(settings=Settings(port=0), siblings=Unknown()) as gateway,
        aiohttp.ClientSession() as session,
        session.get(gateway.url + "/metrics") as answer,
    ):
        body = await answer.json()
        assert (answer.status, body["error"]["message"]) == (503, "nobody says")


@pytest.mark.io
async def test_the_page_shows_this_worker_and_misses_the_others() -> None:
    async with (
        Gateway(settings=Settings(port=0), siblings=Unknown()) as gateway,
        aiohttp.ClientSession() as session,
    ):
        async with session.post(
            gateway.base_url + "/responses", json={"model": "m", "input": "Hello"}
        ) as posted:
            assert posted.status == 200
            await posted.read()
        async with session.get(gateway.url + "/status/events") as answer:
            line = await answer.content.readline()
        state = msgspec.json.decode(line.removeprefix(b"data: "))
        assert state["workers"] == {"all": 3, "answering": 1}
        assert [bar["id"] for bar in state["timeline"]] == ["2-1"]
