"""What ``turnwire serve`` makes of options and files, without serving."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from turnwire.cli.app import app
from turnwire.cli.serve_config import Told, merged
from turnwire.cli.serve_texts import introduction
from turnwire.errors import ConfigError
from turnwire.gateway import Settings
from turnwire.gateway.access.keys import hash_of
from turnwire.gateway.config.tables import Config, Key, StoreConfig, Tls, UpstreamConfig

HASH = "sha256:" + "0" * 64
FILE = Config(
    workers=2,
    server=Settings(host="0.0.0.0", port=9000, linger=5),
    store=StoreConfig(kind="sqlite", path="there"),
    upstream=(UpstreamConfig(url="http://file/v1"),),
    key=(Key(name="alice", hash=HASH),),
)


def serve(*options: str, **environment: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["serve", *options], env={"COLUMNS": "400", **environment})
    return done.exit_code, done.stdout, done.stderr


def test_without_options_the_file_stands() -> None:
    assert merged(FILE, Told()) == FILE


def test_an_option_wins_over_the_file() -> None:
    told = Told(
        host="127.0.0.1",
        linger=0.0,
        workers=1,
        websocket=False,
        allow_origin=("http://a",),
        allow_host=("b",),
        upstream="http://option/v1",
        kind="chat",
        upstream_key_env="THE_KEY",
        redis="redis://r",
        tls_cert=Path("c"),
        tls_key=Path("k"),
    )
    assert merged(FILE, told) == Config(
        workers=1,
        server=Settings(
            host="127.0.0.1",
            port=9000,
            websocket=False,
            allowed_origins=("http://a",),
            allowed_hosts=("b",),
        ),
        tls=Tls(cert="c", key="k"),
        store=StoreConfig(kind="redis", url="redis://r"),
        upstream=(UpstreamConfig(url="http://option/v1", kind="chat", api_key_env="THE_KEY"),),
        key=FILE.key,
    )


def test_the_scripted_model_can_be_asked_for() -> None:
    assert merged(FILE, Told(kind="scripted")).upstream == (UpstreamConfig(kind="scripted"),)


@pytest.mark.parametrize(
    ("told", "message"),
    [
        (Told(tls_cert=Path("c")), "give --tls-cert and --tls-key"),
        (Told(data=Path("d"), redis="redis://r"), "give --data or --redis, not both"),
        (Told(kind="chat"), "need --upstream"),
        (Told(upstream_key_env="K"), "need --upstream"),
    ],
)
def test_options_that_do_not_go_together(told: Told, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        merged(Config(), told)


def test_check_says_what_a_gateway_would_do(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(
        f"""
        workers = 3
        [server]
        host = "0.0.0.0"
        [store]
        kind = "sqlite"
        path = "data"
        [limits]
        sockets = 5
        [[upstream]]
        name = "vllm"
        kind = "chat"
        url = "http://user:secret@127.0.0.1:8000/v1?token=secret"
        models = ["qwen*", "llama*"]
        [[upstream]]
        name = "spare"
        kind = "scripted"
        [[key]]
        name = "alice"
        hash = "{HASH}"
        limits = {{ requests_per_minute = 60, tokens_per_minute = 1000 }}
        [[key]]
        name = "bob"
        hash = "{HASH.replace("0", "1")}"
        """
    )
    assert serve("--check", str(file), "--port", "0") == (
        0,
        """\
The configuration is in order. The gateway would
  listen on a free port of 0.0.0.0 (WebSocket and HTTP)
  run 3 processes on that port
  ask vllm at http://127.0.0.1:8000/v1 (chat) for qwen*, llama*
  ask spare, the scripted model for any model
  keep responses in a file in data
  let in the keys alice, bob
  allow each key 5 sockets
  allow alice 60 requests a minute, 1000 tokens a minute
  note: what is said can be read on the way: there is no [tls], unless a proxy has it
""",
        "",
    )


def test_check_tells_what_cannot_be_written(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(f'[server]\naccess_log = "{tmp_path}/no/log"\n')
    assert serve("--check", str(file)) == (
        2,
        "",
        f"""\
error: one mistake in the configuration; nothing was started
  server.access_log
    got       {tmp_path}/no, which is not there
    expected  a file that can be written, in a folder that is there
    to do     mend that, give another file, or "-" for stderr
""",
    )


@pytest.mark.parametrize("option", ["--check", "--config"])
def test_every_mistake_is_told_and_nothing_is_started(option: str, tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text("[server]\nprot = 1\n[[upstream]]\nkind = 'chat'\nretries = 99\n")
    code, out, err = serve(option, str(file))
    assert (code, out) == (2, "")
    assert re.sub(r"expected  one of host.*", "expected  …", err) == (
        """\
error: 2 mistakes in the configuration; nothing was started
  server.prot
    got       an unknown field
    expected  …
    to do     did you mean `port`?
  upstream[0].retries
    got       99
    expected  a whole number from 0 to 10
    to do     write a whole number from 0 to 10
"""
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--upstream", "127.0.0.1:8000", "--kind", "chat"], "upstream[0].url"),
        (["--upstream", "http://x/v1", "--upstream-key-env", "NOT_THERE"], "api_key_env"),
        (["--tls-cert", "nowhere", "--tls-key", "nowhere"], "tls.cert\n    got       nowhere,"),
        (["--tls-cert", "/dev/null", "--tls-key", "nowhere"], "tls.key\n    got       nowhere,"),
        (["--tls-cert", "/dev/null", "--tls-key", "/dev/null"], "tls\n    got       /dev/null and"),
        (["--config", "nowhere.toml"], "cannot read nowhere.toml: No such file"),
        (["--linger", "-1"], "Invalid value for '--linger'"),
    ],
)
def test_options_that_cannot_work(options: list[str], message: str) -> None:
    code, out, err = serve(*options)
    assert (code, out) == (2, "")
    assert message in err


def test_an_address_that_stands_for_all_is_named_as_such(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text('[server]\nhost = "0.0.0.0"')
    _, out, _ = serve("--check", str(file))
    assert "listen on http://127.0.0.1:8080/v1 and all other addresses (WebSocket" in out


def test_a_new_key_is_shown_once_and_its_entry_knows_it() -> None:
    code, out, err = serve("--new-key", 'alice "a"')
    assert (code, err) == (0, "")
    (key,) = re.findall(r"^tw-\S+$", out, re.MULTILINE)
    entry = tomllib.loads(out[out.index("[[key]]") :])
    assert entry == {"key": [{"name": 'alice "a"', "hash": hash_of(key)}]}
    assert key not in serve("--new-key", "alice")[1]


@pytest.mark.parametrize("name", ["", "x" * 65, "a\nb"])
def test_a_key_needs_a_name(name: str) -> None:
    code, out, err = serve("--new-key", name)
    assert (code, out) == (2, "")
    assert "a key needs a name" in err


def test_the_schema_is_json() -> None:
    code, out, err = serve("--schema")
    assert (code, err) == (0, "")
    assert msgspec.json.decode(out)["$ref"] == "#/$defs/Config"


def test_the_introduction_names_upstreams_and_that_a_key_is_needed() -> None:
    config = Config(
        upstream=(UpstreamConfig(name="vllm", kind="chat", url="http://127.0.0.1:8000/v1"),),
        key=FILE.key,
    )
    assert introduction("http://127.0.0.1:8080/v1", config) == [
        "turnwire gateway on http://127.0.0.1:8080/v1 (WebSocket and HTTP)",
        "  model   vllm at http://127.0.0.1:8000/v1 (chat)",
        '  ask     turnwire ask --base-url http://127.0.0.1:8080/v1 --model MODEL "Hello"',
        "  or set  OPENAI_BASE_URL=http://127.0.0.1:8080/v1 OPENAI_API_KEY=…",
        "Ctrl-C stops it.",
    ]
