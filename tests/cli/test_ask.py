"""``turnwire ask``, as users run it: streams and exit codes."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import pytest

from cli.command import COMMAND, EMBEDDED, Done, finish, run, start, start_any
from turnwire.gateway import Gateway
from turnwire.testing import (
    Gate,
    Peer,
    Turns,
    answer,
    call,
    completed,
    deltas,
    drop,
    emit,
    error,
    incomplete,
    refuse,
    wait,
)

if TYPE_CHECKING:
    from pathlib import Path

    from turnwire.testing import Step

pytestmark = [pytest.mark.io, pytest.mark.slow]


async def ask(peer: Peer, *arguments: str) -> Done:
    return await run("ask", "--model", "m", "--base-url", peer.base_url, *arguments, "Hi")


async def test_the_embedded_gateway_answers_and_says_so() -> None:
    assert await run("ask", "Say hello") == Done(
        0, 'You said: "Say hello". The context holds 1 item.\n', EMBEDDED
    )


@pytest.mark.parametrize("arguments", [["-"], []])
async def test_the_prompt_comes_from_stdin(arguments: list[str]) -> None:
    done = await run("ask", *arguments, stdin="Grüße\n".encode())
    assert done.out == 'You said: "Grüße". The context holds 1 item.\n'


@pytest.mark.parametrize(
    ("stdin", "said"),
    [(b"", "the prompt is empty"), (b" \n", "the prompt is empty"), (b"ab\xff", "byte 2 is not")],
)
async def test_a_prompt_that_is_none_is_refused(stdin: bytes, said: str) -> None:
    done = await run("ask", stdin=stdin)
    assert (done.code, done.out) == (2, "")
    assert said in done.err


@pytest.mark.parametrize("transport", ["websocket", "http"])
async def test_json_is_the_events_and_nothing_else(transport: str) -> None:
    done = await run("ask", "--json", "--transport", transport, "WORDS 2")
    events = [json.loads(line) for line in done.out.splitlines()]
    assert (done.code, done.err) == (0, EMBEDDED)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert (events[0]["type"], events[-1]["type"]) == ("response.created", "response.completed")
    said = [event["delta"] for event in events if event["type"] == "response.output_text.delta"]
    assert "".join(said) == "one lane"


async def test_the_model_uses_the_files_below_the_root(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "a.txt").write_text("the needle\n")
    (tmp_path / "b.txt").write_text("outside\n")
    prompt = (
        'CALL search_text {"text": "needle"}\nCALL read_file {"path": "../b.txt"}\n'
        'THEN CALL list_files {}\nTHEN CALL read_file {"path": 5}'
    )
    done = await run("ask", "--tools", "files", "--root", "root", prompt, cwd=tmp_path)
    assert done == Done(
        0,
        "FINAL after tool: \n"
        "a.txt:1: the needle\n"
        "Error: PermissionError: ../b.txt leads out of the folder; give a path below it\n"
        "a.txt  11\n"
        "Error: the arguments do not fit read_file: Expected `str`, got `int` - at `$.path`;"
        " follow its schema\n",
        EMBEDDED + '→ search_text {"text": "needle"}\n→ read_file {"path": "../b.txt"}\n'
        '→ list_files {}\n→ read_file {"path": 5}\n',
    )


@pytest.mark.parametrize("transport", ["websocket", "http"])
async def test_model_instructions_and_key_go_to_the_server_and_the_key_nowhere_else(
    transport: str,
) -> None:
    async with Peer() as peer:
        done = await run(
            *("ask", "--transport", transport, "--instructions", "Be brief.", "Hi"),
            OPENAI_BASE_URL=peer.base_url,
            OPENAI_MODEL="from-environment",
            OPENAI_API_KEY="sk-secret",
        )
        assert done == Done(0, "Hi\n", "")
        request = peer.creates[0]
        assert (request["model"], request["instructions"]) == ("from-environment", "Be brief.")
        sent = peer.handshakes[0] if transport == "websocket" else peer.posts[0].headers
        assert sent["Authorization"] == "Bearer sk-secret"


async def test_a_model_must_be_named() -> None:
    done = await run("ask", "--base-url", "http://127.0.0.1:9/v1", "Hi")
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "error: no model is named; give one with --model or OPENAI_MODEL"
        " (`turnwire serve` takes --model turnwire-demo)\n"
    )


async def test_a_server_without_websocket_mode_answers_over_http_and_it_is_said() -> None:
    async with Peer(handshake=426) as peer:
        done = await run("ask", "-m", "m", "--base-url", peer.base_url, "Hi")
    assert (done.code, done.out) == (0, "Hi\n")
    assert "over HTTP: the server refused the WebSocket upgrade with HTTP 426" in done.err


@pytest.mark.parametrize("transport", ["websocket", "http"])
async def test_a_server_that_is_not_there(transport: str) -> None:
    url = "http://127.0.0.1:9/v1"
    done = await run("ask", "-m", "m", "--transport", transport, "--base-url", url, "Hi")
    assert (done.code, done.out) == (3, "")
    assert done.err.endswith("; check --base-url, and that the server runs\n")
    assert done.err.count("\n") == 1


async def test_a_key_that_is_refused_is_not_shown() -> None:
    body = {"error": {"message": "Wrong key: sk-secret", "type": "x", "code": "invalid_api_key"}}
    async with Peer(handshake=refuse(401, body)) as peer:
        done = await run(
            "ask", "-m", "m", "Hi", OPENAI_API_KEY="sk-secret", OPENAI_BASE_URL=peer.base_url
        )
    assert (done.code, done.out) == (3, "")
    assert "Wrong key: ***; check OPENAI_API_KEY" in done.err


@pytest.mark.parametrize(
    ("steps", "code", "out", "said"),
    [
        ([error("server_error", 500)], 1, "", "the same may succeed later"),
        ([error("bad", 400)], 1, "", "(status 400, code bad)"),
        ([deltas(2), drop(after="response.output_text.delta")], 4, "word \n", "cut off"),
        ([answer("half"), incomplete("max_output_tokens")], 4, "half\n", "max_output_tokens"),
        ([call("nobody", "{}")], 1, "", "--max-turns"),
    ],
)
async def test_a_turn_that_ends_badly(steps: list[Step], code: int, out: str, said: str) -> None:
    async with Peer(Turns(then=steps)) as peer:
        done = await ask(peer, "--tools", "files", "--max-turns", "2")
    assert (done.code, done.out) == (code, out)
    assert said in done.err.splitlines()[-1]


async def test_an_answer_without_deltas_is_printed() -> None:
    whole = {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": "All at once.", "annotations": []}],
    }
    async with Peer(Turns([completed([whole])])) as peer:
        assert await ask(peer) == Done(0, "All at once.\n", "")


async def test_a_time_limit() -> None:
    done = await run("ask", "--timeout", "0.3", "PACE 60\nWORDS 5")
    assert (done.code, done.out) == (4, "")
    assert done.err.endswith("give it more with --timeout\n")


async def test_text_comes_as_it_is_said_and_ctrl_c_ends_it() -> None:
    gate = Gate()
    steps = [deltas(3), wait(gate, after="response.output_text.delta")]
    async with Peer(Turns(steps)) as peer:
        process = await start("ask", "-m", "m", "--base-url", peer.base_url, "Hi")
        assert process.stdout is not None
        assert await process.stdout.readexactly(5) == b"word "  # the rest is still at the gate
        process.send_signal(signal.SIGINT)
        assert await finish(process) == Done(130, "\n", "")


async def test_a_reader_that_leaves_is_no_error() -> None:
    process = await start("ask", "WORDS 50000")
    assert process.stdout is not None
    assert process.stderr is not None
    await process.stdout.readexactly(10)
    process.stdout._transport.close()  # type: ignore[attr-defined]  # as `head` does
    assert await process.stderr.read() == EMBEDDED.encode()
    assert await process.wait() == 141


async def test_an_unknown_event_changes_nothing() -> None:
    async with Peer(Turns([emit("response.of.tomorrow"), answer("ok")])) as peer:
        assert await ask(peer) == Done(0, "ok\n", "")


async def test_several_turns_go_over_one_socket_and_send_only_what_is_new() -> None:
    async with Gateway() as gateway:
        await run(
            *("ask", "-m", "m", "--base-url", gateway.base_url, "--tools", "files"),
            "CALL list_files {}\nTHEN CALL list_files {}",
        )
        counts = gateway.statistics()
    assert (counts.sockets, counts.turns) == (1, 3)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--tools", "nope", "Hi"], "'nope' is not one of 'files'"),
        (["--timeout", "0", "Hi"], "Invalid value for '--timeout'"),
        (["--tools", "files", "--root", "nope", "Hi"], "there is no folder 'nope'"),
        (["--base-url", "ftp://x", "-m", "m", "Hi"], "base_url must look like"),
        (["--nope", "Hi"], "No such option"),
        (["Hi", "there"], "the prompt is one argument; quote it"),
    ],
)
async def test_wrong_options_are_refused(arguments: list[str], said: str) -> None:
    done = await run("ask", *arguments, COLUMNS="200")
    assert (done.code, done.out) == (2, "")
    assert said in done.err


@pytest.mark.parametrize("arguments", [["ask", "Hi"], ["ask", "--json", "Hi"], ["--version"]])
async def test_a_stdout_that_cannot_be_written(arguments: list[str], tmp_path: Path) -> None:
    unwritable = tmp_path / "out"
    unwritable.touch()
    command = ["sh", "-c", 'exec "$@" 1<out', "sh", *COMMAND, *arguments]
    process = await start_any(*command, cwd=tmp_path)
    done = await finish(process)
    assert (done.code, done.out, done.err.count("error: ")) == (5, "", 1)
    assert "error: stdout cannot be written: Bad file descriptor; let it go elsewhere\n" in done.err


@pytest.mark.parametrize("arguments", [["ask", "Hi"], ["serve", "--port", "0"]])
async def test_a_stdout_that_is_closed(arguments: list[str]) -> None:
    command = ["sh", "-c", 'exec "$@" >&-', "sh", *COMMAND, *arguments]
    done = await finish(await start_any(*command))
    said = "error: stdout is closed; let it go somewhere, such as > answer.txt\n"
    assert (done.code, done.out, done.err.endswith(said)) == (5, "", True)


async def test_a_stdin_that_is_closed() -> None:
    done = await finish(await start_any("sh", "-c", 'exec "$@" <&-', "sh", *COMMAND, "ask"))
    assert (done.code, done.err) == (
        2,
        'error: no prompt; try: turnwire ask "What is new?", or pipe it in\n',
    )
