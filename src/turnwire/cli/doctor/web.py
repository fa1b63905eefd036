"""HTTP at the same URL, with which ``auto`` would do: the list of models, a POST, the clock."""

from __future__ import annotations

import os
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit, urlunsplit

import aiohttp
import msgspec

from turnwire.cli.doctor.case import Answer
from turnwire.cli.doctor.findings import Skip, note, ok, problem
from turnwire.cli.doctor.units import plural, seconds_text
from turnwire.core.failure import failure_of_json
from turnwire.io.describing import describe_dial
from turnwire.io.proxy import passage
from turnwire.io.redirects import OF_POST, OF_UPGRADE, Redirects, describe_redirect, is_redirect
from turnwire.io.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from turnwire.cli.doctor.case import Case
    from turnwire.cli.doctor.findings import Result

_BODY_BYTES: Final = 4 * 2**20  # the longest lists of models have some hundred KiB
_SKEW_NOTED: Final = 30.0
_SKEW_HARMS: Final = 300.0  # tokens with a lifetime are refused about then
UNREAD: Final = frozenset({400, 413, 415, 422})  # the server looked at the body and refused it
_NOT_THERE: Final = frozenset({404, 405, 410, 501})

# No JSON, no model, no input: there is no server that could run a model for it.
UNRUNNABLE: Final = b"turnwire doctor: this is no JSON"


class _Model(msgspec.Struct):
    id: str


class _Models(msgspec.Struct):
    data: list[_Model] = []


async def models(case: Case) -> Result:
    """GET the list of models, and choose the model of the warm-ups."""
    endpoint = case.reachable()
    named = _named(case)
    if named is not None:
        case.model, case.model_source = named
    case.models = await ask(case, "GET", _models_url(endpoint.url))
    details = {"status": case.models.status, "seconds": case.models.seconds}
    if case.models.status != 200:  # noqa: PLR2004  # as HTTP has it
        return note(
            f"HTTP {case.models.status}: {words_of(case, case.models)}",
            "" if named else "name a model with --model, for the checks that need one",
            **details,
        )
    try:
        names = [each.id for each in msgspec.json.decode(case.models.body, type=_Models).data]
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return note("HTTP 200, and no list of models in it", "name one with --model", **details)
    details |= {"count": len(names)}
    if named is not None:
        return ok(f"HTTP 200, {plural(len(names), 'model')}", **details)
    if not names:
        return note("HTTP 200, and the list is empty", "name a model with --model", **details)
    case.model, case.model_source = names[0], "the first of the list"
    return ok(f"HTTP 200, {plural(len(names), 'model')}", **details)


def _named(case: Case) -> tuple[str, str] | None:
    if case.told.model:
        return case.told.model, "--model"
    name = os.environ.get("OPENAI_MODEL")
    return (name, "OPENAI_MODEL") if name else None


def _models_url(url: str) -> str:
    parts = urlsplit(url)
    path = f"{parts.path.removesuffix('/responses')}/models"
    return urlunsplit((parts.scheme, parts.netloc, path, parts.query, ""))


async def http(case: Case) -> Result:
    """POST something that cannot start a model run, and see whether the resource is there."""
    endpoint = case.reachable()
    case.posted = await ask(case, "POST", endpoint.url, UNRUNNABLE)
    status = case.posted.status
    details = {"status": status, "seconds": case.posted.seconds}
    if status in UNREAD:
        return ok(f"HTTP {status} to a POST that is no JSON, as it should be", **details)
    said = f"HTTP {status} to a POST that is no JSON: {words_of(case, case.posted)}"
    if status in {401, 403}:
        return problem(said, "see the sign-in below", **details)
    if status in _NOT_THERE:
        return problem(said, "there is no Responses API at this URL: check its path", **details)
    if is_redirect(status):
        return problem(said, describe_redirect(status, case.posted.headers)[2:], **details)
    if status in {407, 502, 503, 504}:
        return problem(said, "a proxy answers, the server does not", **details)
    return note(said, "the server is there; whether HTTP works, a turn would show", **details)


async def ask(case: Case, method: str, url: str, data: bytes | None = None) -> Answer:
    """Make one HTTP exchange as a client does: redirects within the server are followed.

    Raises:
        Unanswered: There was no answer.
    """
    endpoint = case.endpoint
    headers, _ = await endpoint.sign_in()
    if data is not None:
        headers["Content-Type"] = "application/json"
    began = case.clock()
    way = Redirects(url, OF_UPGRADE if data is None else OF_POST)
    try:
        while True:
            answer = await _ask_once(case, method, way.url, headers, data)
            if not way.follow(answer):
                return Answer(*answer, case.clock() - began)
    except aiohttp.ClientHttpProxyError as error:
        raise Unanswered(case.quote(describe_dial(error, endpoint.proxy))) from error
    except aiohttp.ClientResponseError as error:
        raise Unanswered(f"the answer is no HTTP: {case.quote(error.message)}") from error
    except (aiohttp.ClientError, OSError) as error:
        raise Unanswered(case.quote(describe_dial(error, endpoint.proxy))) from error


async def _ask_once(
    case: Case, method: str, url: str, headers: Mapping[str, str], data: bytes | None
) -> Refusal:
    async with case.session.request(
        method, url, data=data, allow_redirects=False, **passage(case.endpoint.proxy, headers)
    ) as response:
        named = {name.lower(): value for name, value in response.headers.items()}
        body = bytearray()
        while piece := await response.content.read(_BODY_BYTES - len(body)):
            body += piece
        return Refusal(response.status, named, bytes(body))


class Unanswered(Exception):
    """The server did not answer; the text says how."""


async def clock(case: Case) -> Result:
    """Compare the server's clock with ours."""
    if case.dates is None:
        raise Skip(case.blocked or "no answer had a date")
    date, ours = case.dates
    try:
        server = parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError):
        return note("the server's date cannot be read")
    skew = 0.0 if 0 <= ours - server < 1 else ours - server  # a date has whole seconds
    side = "ahead of" if skew > 0 else "behind"
    said = f"ours is {seconds_text(round(abs(skew)))} {side} the server's"
    if abs(skew) >= _SKEW_HARMS:
        return problem(said, "set this machine's clock: tokens may be refused", seconds=skew)
    if abs(skew) >= _SKEW_NOTED:
        return note(said, "set this machine's clock", seconds=skew)
    return ok("ours and the server's agree", seconds=skew)


def words_of(case: Case, answer: Answer) -> str:
    """Return what an answer says, or what kind of answer it is."""
    kind = answer.headers.get("content-type", "")
    unreadable = f"no reason given ({kind})" if kind else "no reason given"
    return case.quote(failure_of_json(answer.body, unreadable).message)
