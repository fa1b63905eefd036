"""What type checkers are told about Realtime; checked by mypy and pyright, never run."""

from typing import assert_type

from turnwire.events.realtime import AudioEvent, RealtimeEvent, RealtimeResponse
from turnwire.realtime import RealtimeTransport, Transcript, connect, sync


async def correct() -> None:
    async with connect(model="m", session={"voice": "marin"}, api_key=lambda: "key") as rt:
        assert_type(rt, RealtimeTransport)
        async for event in rt:
            assert_type(event, RealtimeEvent)
        async for piece in rt.audio():
            assert_type(piece, AudioEvent)
        async for words in rt.transcripts():
            assert_type(words, Transcript)
        assert_type(await rt.request_response(), RealtimeResponse)
        assert_type(await rt.send_message("hello"), RealtimeEvent)
        assert_type(await rt.send({"type": "response.cancel"}), RealtimeEvent | None)

        @rt.on("audio")
        async def hear(event: AudioEvent) -> None:
            assert_type(event.data, bytes)

        assert_type(await rt.wait_played(), None)
        assert callable(hear)
        rt.on("audio", lambda _: None)()


def correct_without_asyncio() -> None:
    with sync.connect(model="m", overflow="block") as rt:
        assert_type(rt, sync.SyncRealtimeTransport)
        for event in rt:
            assert_type(event, RealtimeEvent)
        for piece in rt.audio():
            assert_type(piece, AudioEvent)
        assert_type(rt.request_response().result(timeout=1), RealtimeResponse)
        assert_type(rt.send_message("hello").result(), RealtimeEvent)
        assert_type(rt.send({"type": "response.cancel"}).result(), RealtimeEvent | None)


def wrong() -> None:
    connect(modle="m")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    connect("m")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    connect(timeout="long")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    connect(overflow="drop")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    sync.connect(modle="m")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


async def wrong_use(rt: RealtimeTransport) -> None:
    rt.session.update(voice="ash")  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    rt.send_message("hello", responds=False, role=3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    rt.send_audio("text")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
