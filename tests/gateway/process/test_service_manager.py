"""systemd is told when the gateway listens."""

import asyncio
import os
import socket
import sys
from pathlib import Path

import pytest

from turnwire.gateway.process.service_manager import READY, tell_service_manager


def test_without_a_service_manager_nobody_is_told() -> None:
    assert not tell_service_manager(READY, {})
    assert not tell_service_manager(READY, {"NOTIFY_SOCKET": "vsock:2:1234"})


def test_a_socket_that_is_not_there_is_no_reason_to_stop(tmp_path: Path) -> None:
    assert not tell_service_manager(READY, {"NOTIFY_SOCKET": str(tmp_path / "gone")})


@pytest.mark.io
def test_sockets_without_a_file_have_a_name_with_an_at_sign() -> None:
    name = f"turnwire-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0" + name)
        assert tell_service_manager(READY, {"NOTIFY_SOCKET": "@" + name})
        assert manager.recv(100) == b"READY=1"


@pytest.mark.io
@pytest.mark.slow
async def test_the_command_tells_it_once_it_listens(tmp_path: Path) -> None:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        manager.settimeout(0)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "turnwire", "serve", "--port", "0"),
            env={**os.environ, "NOTIFY_SOCKET": str(path)},
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            said = await asyncio.get_running_loop().sock_recv(manager, 100)
        finally:
            process.terminate()
            out, _ = await process.communicate()
    assert said == b"READY=1"
    assert out.startswith(b"turnwire gateway on http://127.0.0.1:")
