"""Runs the checks, one after the other; none can hide another or take too long."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp

from turnwire.cli.doctor.case import Case, Limits
from turnwire.cli.doctor.checks import CHECKS
from turnwire.cli.doctor.configuration import configure
from turnwire.cli.doctor.findings import Finding, Result, Skip, Verdict, problem
from turnwire.cli.doctor.line import LineEnded
from turnwire.cli.doctor.units import seconds_text
from turnwire.cli.doctor.verdict import Conclusion, conclude
from turnwire.cli.doctor.web import Unanswered
from turnwire.io.describing import describe_dial
from turnwire.io.websocket import UpgradeRefused, open_session

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import SimpleNamespace

    from turnwire.cli.doctor.case import Told
    from turnwire.cli.doctor.findings import Check


@dataclass(frozen=True, slots=True)
class Examination:
    """All findings, and what they come to."""

    findings: Sequence[Finding]
    conclusion: Conclusion
    seconds: float


async def examine(
    told: Told,
    *,
    limits: Limits | None = None,
    now: Callable[[], float] = time.time,
    on_finding: Callable[[Finding], object] = lambda _: None,
) -> Examination:
    """Do all checks.

    Args:
        told: The options.
        limits: How long things may take.
        now: The time of day; seconds since the epoch.
        on_finding: Called with each finding as it is made.
    """
    limits = limits or Limits()
    clock = asyncio.get_running_loop().time
    began = clock()
    findings: list[Finding] = []
    async with open_session() as session:
        case = Case(
            told=told,
            configuration=configure(told),
            session=session,
            limits=limits,
            now=now,
        )
        _watch(session, case)
        try:
            for check in CHECKS:
                left = began + limits.total - clock()
                finding = Finding(check, _swept(case, await _do(check, case, left)))
                findings.append(finding)
                on_finding(finding)
        finally:
            await case.hang_up()
            case.cut_off()
    return Examination(findings, conclude(case, findings), clock() - began)


async def _do(check: Check, case: Case, left: float) -> Result:
    if left <= 0:
        return _skipped(f"the {seconds_text(case.limits.total)} for all checks were used up")
    limit = min(left, case.limits.upload if check.is_upload else case.limits.check)
    timeout = asyncio.timeout(limit)
    try:
        async with timeout:
            return await check.run(case)
    except Skip as skip:
        return _skipped(str(skip))
    except (Unanswered, LineEnded) as error:
        return problem(case.quote(str(error)))
    except UpgradeRefused as refused:
        return problem(f"a second socket was refused with HTTP {refused.refusal.status}")
    except (aiohttp.ClientError, OSError) as error:
        if timeout.expired():
            return problem(f"no answer within {seconds_text(round(limit, 1))}", check.late)
        return problem(case.quote(describe_dial(error, case.endpoint.proxy)))
    except Exception as error:  # noqa: BLE001  # a mistake of ours must not hide the other checks
        return problem(
            f"the check itself failed: {type(error).__name__}: {case.quote(str(error))}",
            "this is a mistake in turnwire: please report it",
        )


def _skipped(why: str) -> Result:
    return Result(Verdict.SKIPPED, why)


def _swept(case: Case, result: Result) -> Result:
    sweep = case.configuration.secrets.sweep
    details: dict[str, Any] = {name: sweep(value) for name, value in result.details.items()}
    return Result(result.verdict, sweep(result.said), sweep(result.advice), details)


def _watch(session: aiohttp.ClientSession, case: Case) -> None:
    """Let the case see the headers of every answer, an accepted upgrade's included."""
    config = aiohttp.TraceConfig()

    async def ended(
        session: aiohttp.ClientSession,  # noqa: ARG001  # aiohttp calls it so
        context: SimpleNamespace,  # noqa: ARG001
        ended: aiohttp.TraceRequestEndParams,
    ) -> None:
        case.saw_headers(ended.response.headers)
        connection = ended.response.connection
        if connection is not None and connection.transport is not None:
            case.transports.append(connection.transport)

    config.on_request_end.append(ended)
    config.freeze()
    session.trace_configs.append(config)
