"""Talk to a Realtime model from a browser: a relay with aiohttp, so that the key stays here.

The page connects to ws://HOST:PORT/talk, sends the microphone's audio as binary messages (PCM,
16 bit, 24 kHz, mono) and plays the binary messages that come.  It says `{"played": BYTES}` each
time that its player has played so many bytes more, and empties its player at `{"clear": true}`.
Needs OPENAI_API_KEY; PORT is 8080 by default.
"""

import asyncio
import json
import os

from aiohttp import WSMsgType, web

from turnwire import realtime


async def listen(rt: realtime.RealtimeTransport, page: web.WebSocketResponse) -> None:
    """Hand on what the page sends, until it goes."""
    async for message in page:
        if message.type is WSMsgType.BINARY:
            rt.send_audio(message.data)
        elif message.type is WSMsgType.TEXT:
            rt.played(int(json.loads(message.data)["played"]))


async def speak(events: realtime.Subscription, page: web.WebSocketResponse) -> None:
    """Hand on what the model says; audio that waits here is gone when somebody interrupts."""
    async for event in events:
        if event.type == "response.output_audio.delta":
            await page.send_bytes(event.audio)
        elif event.type == "audio_interrupted":
            await page.send_json({"clear": True})


async def talk(request: web.Request) -> web.WebSocketResponse:
    """Let a page and the model talk until one of them goes."""
    page = web.WebSocketResponse()
    await page.prepare(request)
    session = {"instructions": "Be brief.", "voice": "marin"}
    async with realtime.connect(session=session, playback="reported") as rt:
        both = [asyncio.create_task(listen(rt, page))]
        both.append(asyncio.create_task(speak(rt.events(), page)))
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)
    await page.close()
    return page


app = web.Application()
app.add_routes([web.get("/talk", talk)])

if __name__ == "__main__":
    web.run_app(app, host="127.0.0.1", port=int(os.environ.get("PORT", "8080")))
