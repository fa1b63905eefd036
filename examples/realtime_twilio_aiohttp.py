"""Answer phone calls with a Realtime model: aiohttp.

Point a Twilio number's voice webhook at https://YOUR.HOST/incoming.  Needs OPENAI_API_KEY, and
PORT (8080 by default) to be reachable from outside, through a tunnel for instance.
"""

import os

from aiohttp import WSMsgType, web

from turnwire import realtime
from turnwire.realtime.twilio import TwilioBridge

TWIML = '<Response><Connect><Stream url="wss://{host}/call"/></Connect></Response>'


async def incoming(request: web.Request) -> web.Response:
    """Tell Twilio where to send the call."""
    return web.Response(text=TWIML.format(host=request.host), content_type="text/xml")


async def call(request: web.Request) -> web.WebSocketResponse:
    """Let a caller and the model talk until one of them ends the call."""
    socket = web.WebSocketResponse()
    await socket.prepare(request)

    async def receive() -> str | None:
        message = await socket.receive()
        return message.data if message.type is WSMsgType.TEXT else None

    rt = realtime.connect(session={"instructions": "You answer the phone of a bakery. Be brief."})
    rt.on("call_started", lambda _: rt.request_response(instructions="Greet the caller."))
    rt.on("dtmf", lambda key: rt.send_message(f"I pressed {key.digit}."))
    await TwilioBridge(rt, receive, socket.send_str).run()
    await socket.close()
    return socket


app = web.Application()
app.add_routes([web.post("/incoming", incoming), web.get("/call", call)])

if __name__ == "__main__":
    web.run_app(app, port=int(os.environ.get("PORT", "8080")))
