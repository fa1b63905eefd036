"""Where clients dial the voice model, and what they are told where there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from turnwire.gateway.access.keys import CALLER
from turnwire.gateway.refusal import RequestRefused
from turnwire.gateway.voice.defaults import DEFAULT_MODEL
from turnwire.gateway.voice.endpoint import VoiceSocket
from turnwire.gateway.voice.settings import VoiceSettings
from turnwire.gateway.voice.tones import TonesVoice

if TYPE_CHECKING:
    from aiohttp import web

    from turnwire.gateway.config.settings import Settings
    from turnwire.gateway.downstream.open_work import OpenWork
    from turnwire.gateway.observing.statistics import Statistics

REALTIME_PATHS: Final = ("/v1/realtime", "/realtime")


class RealtimeRoute:
    """Serves the built-in voice model.

    Args:
        offered: False answers 404: what stands before other model servers does not hear.
    """

    def __init__(
        self, settings: Settings, statistics: Statistics, work: OpenWork, *, offered: bool
    ) -> None:
        self._settings = settings
        self._voice_settings = VoiceSettings(max_age=settings.max_age)
        self._statistics = statistics
        self._work = work
        self._offered = offered
        self._voice = TonesVoice()

    async def connect(self, request: web.Request, protocols: tuple[str, ...]) -> web.StreamResponse:
        """Serve one socket.

        Raises:
            RequestRefused: There is no voice model here, or no upgrade was asked for.
        """
        self._check(request)
        allowance = request[CALLER].allowance
        socket = VoiceSocket(
            self._voice,
            self._voice_settings,
            self._settings,
            self._statistics,
            model=request.query.get("model", DEFAULT_MODEL),
            protocols=protocols,
            allowance=allowance,
        )
        with allowance.socket(), self._work.socket(socket):
            return await socket.serve(request)

    def _check(self, request: web.Request) -> None:
        if not self._offered:
            raise RequestRefused(
                "This gateway has no voice model: it stands before other model servers, and only"
                " the built-in model speaks. Start one without an upstream: `turnwire serve`.",
                status=404,
                code="realtime_not_served",
            )
        upgrade = request.headers.get("Upgrade", "").strip().lower() == "websocket"
        if not upgrade or not self._settings.websocket:
            message = (
                "GET on this path opens a WebSocket; send `Upgrade: websocket`."
                if self._settings.websocket
                else "WebSocket is switched off here, and the Realtime API has no other transport."
            )
            raise RequestRefused(message, status=426, code="upgrade_required")
        for name in ("call_id", "intent"):
            if name in request.query:
                raise RequestRefused(
                    f"`{name}` is not served here. Dial with `?model=` alone.",
                    code="unsupported_parameter",
                    param=name,
                )
