"""A server that speaks, hears somebody, and takes the time until it is told what was heard.

Prints its port, and then a line of JSON for each barge-in: the milliseconds, and what was said.
"""

from __future__ import annotations

import asyncio
import json
import time
from base64 import b64encode
from itertools import count
from typing import Any

from aiohttp import WSMsgType, web

DELTAS = 20
_AUDIO = b64encode(bytes(4800)).decode()  # 100 ms
_PATIENCE = 5.0
_IDS = count(1)


async def serve(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse(compress=False)
    await socket.prepare(request)
    session = {"id": "sess_1", "type": "realtime", "audio": {"output": {}}}
    await say(socket, "session.created", session=session)
    waiting: dict[str, Any] = {}
    speaking: set[asyncio.Task[None]] = set()
    async for message in socket:
        if message.type is not WSMsgType.TEXT:
            break
        event = json.loads(message.data)
        if event["type"] == "session.update":
            await say(socket, "session.updated", session={**session, **event["session"]})
        elif event["type"] == "response.create":
            metadata = (event.get("response") or {}).get("metadata")
            task = asyncio.create_task(speak(socket, waiting, metadata))
            speaking.add(task)
            task.add_done_callback(speaking.discard)
        elif event["type"] == "conversation.item.truncate":
            found = waiting.pop(event["item_id"], None)
            if found is not None:
                found.set_result((time.perf_counter(), event["audio_end_ms"]))
    return socket


async def say(socket: web.WebSocketResponse, kind: str, **fields: Any) -> None:
    await socket.send_str(json.dumps({"type": kind, "event_id": f"event_{next(_IDS)}", **fields}))


async def speak(socket: web.WebSocketResponse, waiting: dict[str, Any], metadata: Any) -> None:
    number = next(_IDS)
    response = {"id": f"resp_{number}", "status": "in_progress", "output": [], "metadata": metadata}
    item = {"id": f"item_{number}", "type": "message", "role": "assistant", "content": []}
    place = {"response_id": response["id"], "output_index": 0}
    await say(socket, "response.created", response=response)
    await say(socket, "response.output_item.added", item=item, **place)
    await say(socket, "conversation.item.added", item=item, previous_item_id=None)
    for _ in range(DELTAS):
        await say(
            socket,
            "response.output_audio.delta",
            item_id=item["id"],
            content_index=0,
            delta=_AUDIO,
            **place,
        )
    await asyncio.sleep(0.3)  # some of it is heard
    told = waiting[item["id"]] = asyncio.get_running_loop().create_future()
    begin = time.perf_counter()
    await say(socket, "input_audio_buffer.speech_started", audio_start_ms=0, item_id=f"u{number}")
    try:
        async with asyncio.timeout(_PATIENCE):
            end, heard_ms = await told
        print(json.dumps({"ms": (end - begin) * 1e3, "heard_ms": heard_ms}), flush=True)
    except TimeoutError:
        print(json.dumps({"ms": None, "heard_ms": None}), flush=True)
    done = {**response, "status": "cancelled", "status_details": {"reason": "turn_detected"}}
    await say(socket, "response.done", response=done)


async def main() -> None:
    app = web.Application()
    app.router.add_get("/v1/realtime", serve)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(json.dumps({"port": runner.addresses[0][1]}), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
