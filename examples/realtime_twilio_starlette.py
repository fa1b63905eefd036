"""Answer phone calls with a Realtime model: Starlette, and so FastAPI.

Serve it with any ASGI server, such as ``uvicorn realtime_twilio_starlette:app``, and point a Twilio
number's voice webhook at https://YOUR.HOST/incoming.  Needs OPENAI_API_KEY.
"""

from contextlib import suppress

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from turnwire import realtime
from turnwire.realtime.twilio import TwilioBridge

TWIML = '<Response><Connect><Stream url="wss://{host}/call"/></Connect></Response>'


async def incoming(request: Request) -> Response:
    """Tell Twilio where to send the call."""
    return Response(TWIML.format(host=request.url.netloc), media_type="text/xml")


async def call(socket: WebSocket) -> None:
    """Let a caller and the model talk until one of them ends the call."""
    await socket.accept()

    async def receive() -> str | None:
        return (await socket.receive()).get("text")  # none in the message that says it is closed

    rt = realtime.connect(session={"instructions": "You answer the phone of a bakery. Be brief."})
    rt.on("call_started", lambda _: rt.request_response(instructions="Greet the caller."))
    rt.on("dtmf", lambda key: rt.send_message(f"I pressed {key.digit}."))
    with suppress(WebSocketDisconnect):  # hung up while something was being sent
        await TwilioBridge(rt, receive, socket.send_text).run()
        await socket.close()


app = Starlette(
    routes=[
        Route("/incoming", incoming, methods=["POST"]),
        WebSocketRoute("/call", call),
    ]
)
