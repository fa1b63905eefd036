"""The upgrade without a turn, and whether the key is the reason if it is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import aiohttp

from turnwire.cli.doctor.case import Answer
from turnwire.cli.doctor.findings import Skip, note, ok, problem
from turnwire.cli.doctor.secrets import bare_url
from turnwire.cli.doctor.units import milliseconds, seconds_text
from turnwire.cli.doctor.web import UNREAD, words_of
from turnwire.core.backoff import LONGEST_PAUSE, asked_pause
from turnwire.core.failure import RETRYABLE_STATUS, SERVER_ERROR_STATUS
from turnwire.io.describing import describe_dial
from turnwire.io.redirects import describe_redirect, is_redirect
from turnwire.io.websocket import UpgradeRefused

if TYPE_CHECKING:
    from turnwire.cli.doctor.case import Case
    from turnwire.cli.doctor.findings import Result

_FALLS_BACK: Final = '`transport="auto"` goes to HTTP'
_UNAUTHORIZED: Final = 401
_REFUSED_KEY: Final = (_UNAUTHORIZED, 403)

# What turnwire does after an upgrade that was refused, and what an operator can do about it.
# docs/protocol/handshake.md#a-refused-upgrade
_ADVICE: Final = {
    400: f"{_FALLS_BACK}; a proxy between may take the upgrade's headers out",
    401: "turnwire raises AuthenticationError, and does not try HTTP: set the right key",
    403: f"{_FALLS_BACK}; the key, or a proxy between, may not open sockets",
    404: f"{_FALLS_BACK}; check the path of the base URL, most end in /v1",
    405: f"{_FALLS_BACK}; the server takes no GET on this path: it has no WebSocket mode",
    407: "give the proxy's name and password in HTTPS_PROXY, such as http://name:…@host:port",
    426: f"{_FALLS_BACK}; the server, or a proxy that drops upgrades, speaks HTTP alone here",
}
LATE: Final = (
    f"{_FALLS_BACK} after its dial limit (5 s); a proxy between may swallow upgrades: try NO_PROXY"
)


async def handshake(case: Case) -> Result:
    """Open a socket, send nothing on it, and keep it for the checks that follow."""
    endpoint = case.reachable()
    began = case.clock()
    try:
        line = await case.dial()
    except UpgradeRefused as refused:
        status, headers, body = refused.refusal
        case.saw_headers(headers)
        case.upgrade = Answer(status, headers, body, case.clock() - began)
        return _refused(case, case.upgrade)
    except aiohttp.ClientHttpProxyError as error:
        return problem(case.quote(describe_dial(error, endpoint.proxy)), _ADVICE[407])
    except aiohttp.ClientResponseError as error:
        return problem(
            f"the answer is no answer to an upgrade: {case.quote(error.message)}",
            "check that a web server is there, and no other service",
        )
    except (aiohttp.ClientError, OSError) as error:
        return problem(
            f"the upgrade failed: {case.quote(describe_dial(error, endpoint.proxy))}",
            f"{_FALLS_BACK}; a proxy or a firewall between may cut upgrades off",
        )
    seconds = case.clock() - began
    case.keep(line, seconds)
    extensions = case.quote(case.header("sec-websocket-extensions"))
    said = f"101 in {milliseconds(seconds)}; extensions: {extensions or 'none, none were offered'}"
    details = {"status": 101, "seconds": seconds, "extensions": extensions or None}
    if line.url != endpoint.url:
        shown = case.quote(bare_url(line.url))
        return note(
            f"{said}; after a redirect to {shown}",
            "each dial pays for the detour: give that address as the base URL",
            **details,
        )
    return ok(said, **details)


def _refused(case: Case, answer: Answer) -> Result:
    details: dict[str, Any] = {"status": answer.status, "seconds": answer.seconds}
    said = f"refused with HTTP {answer.status}: {words_of(case, answer)}"
    if answer.status in _ADVICE:
        return problem(said, _ADVICE[answer.status], **details)
    if is_redirect(answer.status):
        return problem(said, describe_redirect(answer.status, answer.headers)[2:], **details)
    if answer.status in RETRYABLE_STATUS or answer.status >= SERVER_ERROR_STATUS:
        pause = asked_pause(answer.headers)
        details["retry_after_seconds"] = pause
        if pause is None:
            return problem(said, f"turnwire dials again, then {_FALLS_BACK}", **details)
        asked = f"{said}; try again in {seconds_text(pause)}"
        if pause > LONGEST_PAUSE:
            return problem(asked, f"turnwire waits a minute at most: {_FALLS_BACK}", **details)
        return problem(asked, f"turnwire waits, dials again, then {_FALLS_BACK}", **details)
    return problem(said, f"{_FALLS_BACK}; check the base URL", **details)


async def sign_in(case: Case) -> Result:
    """Tell a key that is missing from one that is refused and one that is accepted."""
    case.reachable()
    answers = {"the upgrade": case.upgrade, "GET …/models": case.models, "the POST": case.posted}
    statuses = {what: answer.status for what, answer in answers.items() if answer is not None}
    if not statuses:
        raise Skip("the server answered nothing")
    if not case.uses_key:
        return _without_key(case, statuses)
    refusals, accepted = _refusals(statuses), _accepted_over_http(statuses)
    if case.is_upgraded and not refusals:
        return await _try_without(case)
    if refusals and not case.is_upgraded and not accepted:
        return problem(
            f"the key is refused: {_listed(refusals)}",
            f"check {case.configuration.key_variable}, that the key is alive, and that --base-url"
            " is the server it belongs to",
            key="refused",
        )
    if refusals:
        kept = "the upgrade" if case.is_upgraded else accepted[0]
        return note(
            f"the key is accepted for {kept}, and not everywhere: {_listed(refusals)}",
            "it may lack a permission; or something between refuses",
            key="accepted",
        )
    if accepted:
        return ok(
            f"the key is accepted for {accepted[0]}; the upgrade did not tell", key="accepted"
        )
    raise Skip(f"no answer tells: {_listed(statuses)}")


def _without_key(case: Case, statuses: dict[str, int]) -> Result:
    refusals = _refusals(statuses)
    if not refusals:
        return ok("no key is sent, and none is asked for", key="not needed")
    only_forbidden = _UNAUTHORIZED not in refusals.values() and _accepted_over_http(statuses)
    if case.is_upgraded or only_forbidden:
        return note(
            f"no key is sent, and not everything goes without: {_listed(refusals)}",
            f"set {case.configuration.key_variable}, if the server gives keys out",
            key="missing",
        )
    return problem(
        f"the key is missing: {_listed(refusals)}",
        f"set {case.configuration.key_variable}, or name its variable with --api-key-env",
        key="missing",
    )


async def _try_without(case: Case) -> Result:
    """Find out whether the server looks at keys at all, by an upgrade without one."""
    try:
        line = await case.dial(signed_in=False)
    except UpgradeRefused as refused:
        status = refused.refusal.status
        return ok(f"the key is accepted; without it the answer is HTTP {status}", key="accepted")
    except (aiohttp.ClientError, OSError):
        return ok("the key is accepted; without it there is no answer", key="accepted")
    await line.close()
    return ok(
        "the key is accepted, but so is none: the upgrade does not look at it",
        key="not checked",
    )


def _refusals(statuses: dict[str, int]) -> dict[str, int]:
    return {what: status for what, status in statuses.items() if status in _REFUSED_KEY}


def _accepted_over_http(statuses: dict[str, int]) -> list[str]:
    """Return where a key passed: all was done, or only the rest was wrong."""
    passed = {200, *UNREAD}
    return [what for what in ("the POST", "GET …/models") if statuses.get(what) in passed]


def _listed(statuses: dict[str, int]) -> str:
    return ", ".join(f"HTTP {status} to {what}" for what, status in statuses.items())
