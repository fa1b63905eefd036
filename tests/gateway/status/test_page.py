"""The status page in a real browser: what operators see of turns, and that it is well made."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from msgspec.structs import replace

from gateway.status.browser import Page, browser
from gateway.support import Puppet, Talk, talk
from turnwire.gateway import Gateway, Settings
from turnwire.gateway.access.keys import hash_of
from turnwire.gateway.observing.adding import NOTHING
from turnwire.gateway.observing.figures import Bar, Whole
from turnwire.gateway.observing.version import installed_version
from turnwire.gateway.store import MemoryStore
from turnwire.gateway.upstreams import UpstreamFailed
from turnwire.gateway.upstreams.deltas import UsageReport

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

pytestmark = [pytest.mark.io, pytest.mark.slow, pytest.mark.servers]

STATE = "#latest tr:nth-child({row}) td:nth-child(4)"


async def opened(page: Page, here: Talk) -> None:
    await page.goto(here.gateway.url + "/")
    await page.until("document.querySelector('#link')?.dataset.state === 'live'")


async def says(page: Page, selector: str, text: str) -> None:
    await page.until(f"document.querySelector({selector!r})?.innerText === {text!r}")


async def bars(page: Page) -> list[str]:
    """Return the kinds of the parts of all bars, in order."""
    return await page.value("[...document.querySelectorAll('.turn i')].map(part => part.className)")


@pytest.fixture
async def page() -> AsyncGenerator[Page]:
    async with browser() as page:
        yield page
        assert page.complaints == []


async def test_a_turn_is_seen_from_its_wait_to_its_end(page: Page) -> None:
    model = Puppet()
    async with talk(model) as here:
        await opened(page, here)
        await says(page, "#latest td", "None in the last minute.")
        client = await here.dial()
        for _ in range(2):
            await client.create(model="puppet", input="secret", stream_id="secret")
        run = await model.run()
        await says(page, STATE.format(row=2), "waits for the first output")
        await says(page, STATE.format(row=1), "waits for its lane")
        assert (await page.texts("#active, #waiting, #sockets, #lanes")) == [
            "1", "2 lanes", "1", "1 wait for a lane",
        ]  # fmt: skip
        run.say("secret")
        await says(page, STATE.format(row=2), "streams")
        assert sorted(await bars(page)) == ["queued", "quiet", "streaming"]
        run.say(UsageReport(input_tokens=1200, output_tokens=34))
        run.finish()
        response = (await client.terminal())["response"]
        await says(page, STATE.format(row=2), "completed")
        await says(page, "#tokens", "34")
        (await model.run()).finish()
        await client.terminal()
        await client.create(
            model="puppet", input="x", stream_id="secret", previous_response_id=response["id"]
        )
        (await model.run()).finish()
        await says(page, "#chains", "100%")
        text = await page.value("document.documentElement.outerHTML")
        assert "secret" not in text
        assert [row.split("\t")[1:3] for row in await page.texts("#latest tr")] == [
            ["socket 1, lane 1", "puppet"]
        ] * 3  # fmt: skip


async def test_errors_are_seen_in_words_and_in_the_bar(page: Page) -> None:
    model = Puppet()
    async with talk(model) as here:
        await opened(page, here)
        await says(page, "#errors", "None.")
        client = await here.dial()
        await client.create(input="x")
        (await model.run()).fail(UpstreamFailed("secret", status=503, code="overloaded"))
        await client.terminal()
        await says(page, STATE.format(row=1), "error: overloaded")
        assert await bars(page) == ["quiet", "failed"]
        assert await page.texts("#errors li") == ["overloaded\n1"]
        await here.get("/v1/responses/resp_gone")
        await page.until("document.querySelectorAll('#errors li').length === 2")
        assert await page.texts("#errors .name") == ["overloaded", "HTTP 404"]
        assert await page.texts("#upstreams li") == ["puppet\nhealthy · 0 running"]


async def test_turns_by_post_and_turns_that_were_stopped(page: Page) -> None:
    model = Puppet()
    async with talk(model) as here:
        await opened(page, here)
        client = await here.dial()
        await client.create(input="x")
        run = await model.run()
        run.say("half")
        await client.until("response.output_text.delta")
        client.raw._response.close()
        await run.stopped.wait()
        await says(page, STATE.format(row=1), "stopped: nobody wanted it")
        assert await bars(page) == ["quiet", "streaming", "stopped"]
        await here.post(model="x", input="x", previous_response_id="resp_gone")
        await page.until("document.querySelectorAll('.row').length === 2")
        assert await page.texts(".row > span") == ["socket 1", "POST"]
        assert await page.texts("#chains, #chains-more") == ["0%", "0 found, 1 not"]


async def test_the_page_needs_nobody_else_and_says_so(page: Page) -> None:
    async with talk() as here:
        await opened(page, here)
        assert {url.partition(here.gateway.url)[:2] for url in page.requested} == {
            ("", here.gateway.url)
        }
        async with here.session.get(here.gateway.url + "/") as answer:
            policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        await page.value("document.body.append(document.createElement('script'))")
        await page.value("document.body.lastChild.src = 'data:text/javascript,document.title=1'")
        await page.until("document.title === 'turnwire gateway'")
        refused = [each for each in page.complaints if "Content Security Policy" in each]
        assert len(refused) == len(page.complaints)
        page.complaints.clear()


async def test_a_gateway_that_stops_is_missed_and_found_again(page: Page) -> None:
    async with talk() as here:
        await opened(page, here)
        port = here.gateway.port
    await page.until("document.querySelector('#link').dataset.state === 'lost'")
    assert (await page.texts("#link"))[0] == "not connected: trying again"
    async with talk(port=port) as here:
        await here.post(input="Hello")
        await page.until("document.querySelector('#link').dataset.state === 'live'")
        await says(page, STATE.format(row=1), "completed")
    # A server that is not there cannot be asked quietly.
    gone = [each for each in page.complaints if "ERR_" in each]
    assert len(gone) == len(page.complaints)
    page.complaints.clear()


async def test_an_operator_with_a_key_sees_it(page: Page) -> None:
    async with talk(status="key", operator_key=hash_of("the key")) as here:
        assert (await here.get("/"))[0] == 401
        assert (await here.get("/status/events"))[0] == 401
        await page.ask("Network.setExtraHTTPHeaders", headers={"Authorization": "Bearer the key"})
        await opened(page, here)


async def test_keys_and_names_reach_it(page: Page) -> None:
    """Everything that can be acted on has the focus in turn, and everything drawn has words."""
    async with talk() as here:
        await opened(page, here)
        focused: list[str] = []
        for _ in range(2):
            await page.press_tab()
            focused.append(
                await page.value(
                    "document.activeElement.className || document.activeElement.tagName"
                )
            )
        assert focused == ["skip", "scroll"]
        await page.ask("Accessibility.enable")
        tree = await page.ask("Accessibility.getFullAXTree")
        named = {
            (node["role"]["value"], node.get("name", {}).get("value", ""))
            for node in tree["nodes"]
            if not node["ignored"]
        }
        assert {
            ("heading", f"turnwire {installed_version()} · process {os.getpid()}"),
            ("heading", "Turns of the last minute"),
            ("region", "Latest turns"),
            ("columnheader", "First output"),
        } <= named
        (timeline,) = (name for role, name in named if role == "image" and "Timeline" in name)
        assert timeline.startswith("Timeline: 0 turns run, 0 wait")


CONTRAST = """
(() => {
  const linear = (part) => part <= .04045 ? part / 12.92 : ((part + .055) / 1.055) ** 2.4;
  const light = (color) => {
    const [r, g, b] = color.match(/[\\d.]+/g).map((number) => linear(number / 255));
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const paper = (element) => {
    for (; element; element = element.parentElement) {
      const color = getComputedStyle(element).backgroundColor;
      if (color !== "rgba(0, 0, 0, 0)") return color;
    }
    return "rgb(255, 255, 255)";
  };
  const isText = (node) => node.nodeType === 3 && node.data.trim();
  return [...document.querySelectorAll("body *")]
    .filter((element) => [...element.childNodes].some(isText))
    .filter((element) => element.checkVisibility())
    .map((element) => {
      const [a, b] = [getComputedStyle(element).color, paper(element)].map(light);
      return [(Math.max(a, b) + .05) / (Math.min(a, b) + .05), element.outerHTML.slice(0, 80)];
    })
    .filter(([ratio]) => ratio < 4.5);
})()
"""


@pytest.mark.parametrize("dark", [False, True])
async def test_everything_can_be_read(page: Page, *, dark: bool) -> None:
    async with talk() as here:
        await page.appear(dark=dark, width=420)
        await opened(page, here)
        client = await here.dial()
        await client.respond(input="Hello")
        await client.refused(input="x", previous_response_id="resp_gone")
        await page.until("document.querySelectorAll('#latest tr').length === 2")
        assert await page.value(CONTRAST) == []
        # Nothing is wider than a small screen, and the table scrolls by itself.
        assert await page.value("document.documentElement.scrollWidth") == 420
        assert (await page.screenshot()).startswith(b"\x89PNG")


async def test_rows_and_parts_of_the_timeline(page: Page) -> None:
    async with talk() as here:
        await opened(page, here)
        turn = {
            "id": "1", "worker": None, "socket": None, "lane": None, "received": 0, "started": 0,
            "first_event": None, "ended": None, "outcome": None,
        }  # fmt: skip
        turns: list[dict[str, Any]] = [
            turn | {"received": 0, "ended": 5},
            turn | {"received": 1, "ended": 2},
            turn | {"received": 3},
            turn | {"socket": 10, "lane": 0},
            turn | {"socket": 9, "lane": 2},
            turn | {"socket": 9, "lane": 1},
            turn | {"socket": 9, "lane": 1},
        ]
        rows = (
            f"inRows({turns!r}".replace("None", "null")
            + ").map(row => [row.label, row.turns.length])"
        )
        assert await page.value(rows) == [
            ["socket 9 · lane 1", 2],
            ["socket 9 · lane 2", 1],
            ["socket 10", 1],
            ["POST", 1],
            ["POST", 2],
        ]


async def test_a_store_that_does_not_answer_is_told_of(page: Page) -> None:
    store = MemoryStore(2**20, 10)
    async with talk(store=store) as here:
        await opened(page, here)
        await says(page, "#sockets", "0")
        visible = "document.querySelector('#store').checkVisibility()"
        assert await page.value(visible) is False
        store.available = False  # type: ignore[attr-defined]
        await page.until(visible)
        assert (await page.texts("#store"))[0].startswith("The store does not answer")


class Two:
    """A sibling that answers or does not, with turns that nobody has to run."""

    number = 1
    count = 2

    def __init__(self) -> None:
        self.answering = {1: 11, 2: 12}

    async def whole(self, *, bars: bool, seconds_old: float = 0.0) -> Whole:
        assert bars
        assert seconds_old > 0, "pages look often: the others are not asked each time"
        now = time.monotonic()
        turns = tuple(
            Bar(f"{worker}-1", worker, socket, lane, "websocket", "m", now - 3, now - 2)
            for worker in self.answering
            for socket, lane in ((1, 0), (1, 1), (None, None))
        )
        return Whole(replace(NOTHING, turns_running=len(turns), bars=turns), 2, self.answering)


async def test_several_workers_are_one_page_and_a_silent_one_is_missed(page: Page) -> None:
    others = Two()
    async with (
        Gateway(settings=Settings(port=0), siblings=others) as gateway,
        aiohttp.ClientSession() as session,
    ):
        await opened(page, Talk(gateway, session))
        await says(page, "#active", "6")
        assert await page.texts("#version") == [f"{installed_version()} · 2 of 2 workers"]
        assert await page.texts(".row > span") == [
            "socket 1-1", "socket 1-1 · lane 1", "socket 2-1", "socket 2-1 · lane 1",
            "POST", "POST",
        ]  # fmt: skip
        assert "worker 2, socket 1, lane 1" in await page.texts("#latest td:nth-child(2)")
        assert await page.value("document.querySelector('#silent').checkVisibility()") is False
        del others.answering[2]
        await page.until("document.querySelector('#silent').checkVisibility()")
        assert await page.texts("#silent, #active") == [
            "1 of 2 workers do not answer: what is open and what runs there is missing here.",
            "3",
        ]
