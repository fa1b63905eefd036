"""Configuration files: what they may say, and how mistakes in them are told."""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from turnwire.errors import ConfigError
from turnwire.gateway import Settings
from turnwire.gateway.config.building import build, build_store, build_upstream
from turnwire.gateway.config.readable import unreadable_in
from turnwire.gateway.config.reading import Mistake, read_config
from turnwire.gateway.config.rules import mistakes_in, notes_on
from turnwire.gateway.config.schema import TABLES, fields_of, meanings, schema
from turnwire.gateway.config.tables import (
    STORE_URL_VARIABLE,
    Config,
    Key,
    Limits,
    StoreConfig,
    Tls,
    UpstreamConfig,
)
from turnwire.gateway.config.writable import unwritable_in
from turnwire.gateway.store import MemoryStore
from turnwire.gateway.store.sqlite import SqliteStore
from turnwire.gateway.upstreams.routed import RoutedUpstream
from turnwire.gateway.upstreams.scripted import ScriptedUpstream

HASH = "sha256:" + "0" * 64
SECRET = "sk-what-nobody-may-see"
PAGE = Path(__file__).parents[3] / "docs" / "reference" / "gateway-config.md"


def mistakes(text: str) -> tuple[Mistake, ...]:
    found = read_config(text)
    assert isinstance(found, tuple), "this was to be wrong"
    return found


def right(text: str) -> Config:
    found = read_config(text)
    assert isinstance(found, Config), found
    return found


def test_an_empty_file_is_the_default() -> None:
    assert right("") == Config()


def test_every_kind_of_table() -> None:
    text = f"""
        workers = 4
        [server]
        host = "0.0.0.0"
        max_age = 60
        allowed_origins = ["http://localhost:3000"]
        [tls]
        cert = "cert.pem"
        key = "key.pem"
        [store]
        kind = "sqlite"
        path = "data"
        [limits]
        sockets = 5
        [[upstream]]
        name = "a"
        kind = "chat"
        url = "http://127.0.0.1:8000/v1"
        models = ["qwen*"]
        chat = {{ model = "qwen3", extra_body = {{ top_k = 5 }} }}
        [[upstream]]
        name = "b"
        url = "http://127.0.0.1:9000/v1"
        api_key_env = "B_KEY"
        [[key]]
        name = "alice"
        hash = "{HASH}"
        limits = {{ tokens_per_minute = 1000 }}
    """
    config = right(text)
    assert config.server == Settings(
        host="0.0.0.0", max_age=60.0, allowed_origins=("http://localhost:3000",)
    )
    assert (config.workers, config.tls) == (4, Tls(cert="cert.pem", key="key.pem"))
    assert config.store == StoreConfig(kind="sqlite", path="data")
    assert config.limits == Limits(sockets=5)
    assert config.key == (Key(name="alice", hash=HASH, limits=Limits(tokens_per_minute=1000)),)
    first, second = config.upstream
    assert (first.name, first.kind, first.models) == ("a", "chat", ("qwen*",))
    assert (first.chat.model, first.chat.extra_body) == ("qwen3", {"top_k": 5})
    assert second == UpstreamConfig(name="b", url="http://127.0.0.1:9000/v1", api_key_env="B_KEY")


def test_every_mistake_is_told_at_once() -> None:
    found = mistakes(
        """
        workers = 0
        [server]
        port = "eighty"
        max_age = -1
        websocket = "no"
        [[upstream]]
        kind = "chatt"
        retries = 99
        [[key]]
        name = ""
        """
    )
    assert found == (
        Mistake(
            "workers", "0", "a whole number from 1 to 256", "write a whole number from 1 to 256"
        ),
        Mistake("server.port", "a text, 6 long", "a whole number", "write a whole number"),
        Mistake("server.websocket", "a text, 2 long", "true or false", "write true or false"),
        Mistake("server.max_age", "-1", "a number above 0", "give a number above 0"),
        Mistake(
            "upstream[0].kind",
            '"chatt"',
            'one of "auto", "chat", "responses", "scripted", "websocket"',
            'write one of "auto", "chat", "responses", "scripted", "websocket"',
        ),
        Mistake(
            "upstream[0].retries",
            "99",
            "a whole number from 0 to 10",
            "write a whole number from 0 to 10",
        ),
        Mistake(
            "key[0].name",
            "an empty text",
            "text of 1 to 64 characters",
            "write text of 1 to 64 characters",
        ),
        Mistake("key[0].hash", "nothing", "`sha256:` and 64 hexadecimal digits", "add it"),
    )


@pytest.mark.parametrize(
    ("text", "field", "advice"),
    [
        ("[sever]\nport = 1", "sever", "did you mean `server`?"),
        ("[server]\nprot = 1", "server.prot", "did you mean `port`?"),
        ("[server]\nzzz = 1", "server.zzz", "remove it"),
        ("[server]\nworkers = 2", "server.workers", "it stands at the top of the file"),
        ("[[upstream]]\napi_key = 'x'", "upstream[0].api_key", "did you mean `api_key_env`?"),
        ("[server]\napi_key = 'x'", "server.api_key", "name an environment variable"),
        ("[[upstream]]\nchat = { modle = 'x' }", "upstream[0].chat.modle", "you mean `model`?"),
        ("[key]\nname = 'x'", "key", "write `[[key]]`"),
        ("tls = 5", "tls", "write `[tls]`"),
        ("[server]\nallowed_hosts = 'x'", "server.allowed_hosts", 'write ["…"]'),
        ("[server]\nport = 70000", "server.port", "a number up to 65535"),
        ("[server]\nlinger = -1", "server.linger", "0 or more"),
        ("[server]\nmax_age = nan", "server.max_age", "a number above 0"),
        ("[server]\nmax_age = 2026-01-01", "server.max_age", "write a number"),
        ("a = [\n", "end of document", "mend what is there"),
        ("a = 1\nb = ?", "line 2, column 5", "invalid value"),
    ],
)
def test_a_mistake_says_where_it_is_and_what_to_do(text: str, field: str, advice: str) -> None:
    (mistake,) = mistakes(text)
    assert mistake.field == field
    assert advice in mistake.advice


@pytest.mark.parametrize(
    "text",
    [
        f"[[upstream]]\napi_key = '{SECRET}'",
        f"[[upstream]]\napi_key_env = '{SECRET}'",
        f"[[upstream]]\nurl = ['{SECRET}']",
        f"[[upstream]]\n'{SECRET}-and-very-long-at-that' = 1",
        f"[[key]]\nname = 'a'\nhash = '{SECRET}'",
        f"[[key]]\nname = '{SECRET * 5}'\nhash = '{HASH}'",
        f"[server]\noperator_key = '{SECRET}'",
    ],
)
def test_what_may_be_secret_is_not_repeated(text: str) -> None:
    assert SECRET not in repr(mistakes(text))


def wrong_together(config: Config, **environment: str) -> list[tuple[str, str]]:
    return [(each.field, each.advice) for each in mistakes_in(config, environment)]


CHAT = UpstreamConfig(name="a", kind="chat", url="http://127.0.0.1:8000/v1")
ALICE = Key(name="alice", hash=HASH)


@pytest.mark.parametrize(
    ("config", "field"),
    [
        (Config(upstream=(CHAT, CHAT)), "upstream[1].name"),
        (
            Config(
                upstream=tuple(
                    msgspec.structs.replace(CHAT, name=name, default=True) for name in "ab"
                )
            ),
            "upstream[1].default",
        ),
        (Config(upstream=(UpstreamConfig(),)), "upstream[0].url"),
        (Config(upstream=(UpstreamConfig(url="127.0.0.1:8000"),)), "upstream[0].url"),
        (Config(upstream=(UpstreamConfig(url="http://[::1"),)), "upstream[0].url"),
        (Config(upstream=(UpstreamConfig(kind="scripted", url="http://x"),)), "upstream[0].url"),
        (
            Config(upstream=(msgspec.structs.replace(CHAT, api_key_env="NO_KEY"),)),
            "upstream[0].api_key_env",
        ),
        (
            Config(upstream=(msgspec.structs.replace(CHAT, credentials="client"),), key=(ALICE,)),
            "upstream[0].credentials",
        ),
        (Config(store=StoreConfig(kind="sqlite")), "store.path"),
        (Config(store=StoreConfig(kind="redis")), "store.url"),
        (Config(store=StoreConfig(path="x")), "store.path"),
        (Config(store=StoreConfig(kind="sqlite", path="x", url="redis://x")), "store.url"),
        (Config(key=(ALICE, Key(name="alice", hash=HASH.replace("0", "1")))), "key[1].name"),
        (Config(key=(ALICE, Key(name="bob", hash=HASH))), "key[1].hash"),
        (Config(server=Settings(status="key")), "server.status"),
    ],
)
def test_fields_that_do_not_go_together(config: Config, field: str) -> None:
    assert [place for place, _ in wrong_together(config)] == [field]


@pytest.mark.parametrize(
    ("url", "got"),
    [
        ("", "nothing"),
        ("localhost:8000", "an address without http:// or https://"),
        ("ftp://x", "an address without http:// or https://"),
        ("http://:8000", "an address with a host or a port that is none"),
        ("http://x:88011", "an address with a host or a port that is none"),
        ("http://x/v1?a=b", "an address with a query"),
    ],
)
def test_what_is_wrong_with_an_address(url: str, got: str) -> None:
    mistakes = mistakes_in(Config(upstream=(UpstreamConfig(url=url),)), {})
    assert [(mistake.field, mistake.got) for mistake in mistakes] == [("upstream[0].url", got)]


@pytest.mark.parametrize("url", ["HTTP://x", "wss://x/v1", "http://u:p@[::1]:8000/v1"])
def test_an_address_that_can_be_used(url: str) -> None:
    assert mistakes_in(Config(upstream=(UpstreamConfig(url=url),)), {}) == ()


def test_a_configuration_that_is_in_order_has_no_mistakes() -> None:
    config = Config(
        upstream=(msgspec.structs.replace(CHAT, api_key_env="A_KEY"),),
        store=StoreConfig(kind="redis"),
        key=(ALICE,),
    )
    environment = {"A_KEY": SECRET, STORE_URL_VARIABLE: "redis://127.0.0.1"}
    assert wrong_together(config, **environment) == []
    assert [field for field, _ in wrong_together(config)] == [
        "upstream[0].api_key_env",
        "store.url",
    ]


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (Config(), []),
        (Config(server=Settings(host="localhost")), []),
        (Config(server=Settings(host="127.0.0.2")), []),
        (
            Config(server=Settings(host="0.0.0.0")),
            ["whoever reaches this address can use it", "read on the way"],
        ),
        (Config(server=Settings(host="10.1.2.3"), key=(ALICE,)), ["read on the way"]),
        (
            Config(server=Settings(host=""), key=(ALICE,), tls=Tls(cert="c", key="k")),
            [],
        ),
        (Config(workers=2), ["each worker has a memory of its own"]),
        (
            Config(
                workers=2,
                store=StoreConfig(kind="sqlite", path="x"),
                server=Settings(status="off"),
            ),
            [],
        ),
        (
            Config(upstream=(UpstreamConfig(name="far", kind="websocket", url="http://h"),)),
            ["turns at upstream far cannot be steered"],
        ),
        (
            Config(
                workers=3,
                store=StoreConfig(kind="redis", url="x"),
                key=(msgspec.structs.replace(ALICE, limits=Limits(sockets=1)),),
            ),
            [],
        ),
    ],
)
def test_what_an_operator_should_know(config: Config, words: list[str]) -> None:
    notes = notes_on(config)
    assert len(notes) == len(words)
    assert all(word in note for word, note in zip(words, notes, strict=True))


def test_a_worker_is_told_the_same_configuration() -> None:
    config = Config(
        workers=2,
        server=replace(Settings(), allowed_hosts=("a",)),
        upstream=(CHAT,),
        key=(ALICE,),
        tls=Tls(cert="c", key="k"),
    )
    assert msgspec.json.decode(msgspec.json.encode(config), type=Config) == config


# From the configuration to what serves it


def test_without_upstreams_the_scripted_model_answers() -> None:
    parts = build(Config(), {})
    assert isinstance(parts.upstream, ScriptedUpstream)
    assert isinstance(parts.store, MemoryStore)
    assert (parts.settings, parts.keyring.open, parts.ssl_context) == (Settings(), True, None)


def test_upstreams_are_routed_by_model() -> None:
    upstream = build_upstream(
        (
            CHAT,
            msgspec.structs.replace(CHAT, name="b", kind="responses", models=("gpt-5", "o*")),
            UpstreamConfig(name="c", kind="websocket", url="https://x.example/v1"),
            UpstreamConfig(name="d", kind="scripted"),
        ),
        {},
    )
    assert isinstance(upstream, RoutedUpstream)
    assert [state.name for state in upstream.states()] == ["a", "b", "c", "d"]
    assert "gpt-5" in upstream.models


def test_the_store_that_is_named(tmp_path: Path) -> None:
    store = StoreConfig(kind="sqlite", path=str(tmp_path))
    assert isinstance(build_store(store, Settings(), {}), SqliteStore)


def test_files_that_are_not_there_are_a_clear_error() -> None:
    with pytest.raises(ConfigError, match="the certificate nowhere cannot be read"):
        build(Config(tls=Tls(cert="nowhere", key="nowhere")), {})


def test_files_that_cannot_be_read_are_named_by_their_fields(tmp_path: Path) -> None:
    (tmp_path / "there").touch()
    cert, key = str(tmp_path / "cert"), str(tmp_path / "there")
    (mistake,) = unreadable_in(Config(tls=Tls(cert=cert, key=key)))
    assert (mistake.field, mistake.got) == (
        "tls.cert", f"{cert}, which cannot be read: No such file or directory",
    )  # fmt: skip
    none = unreadable_in(Config(tls=Tls(cert=cert, key=cert)))
    assert [each.field for each in none] == ["tls.cert", "tls.key"]
    (mistake,) = unreadable_in(Config(tls=Tls(cert=key, key=key)))
    assert (mistake.field, mistake.advice) == ("tls", "check both files")
    assert unreadable_in(Config()) == ()


# The schema and the page


def test_every_field_is_explained() -> None:
    for name, kind in TABLES.items():
        fields = [field.name for field, _ in fields_of(kind)]
        assert list(meanings(kind)) == fields, name


def test_the_schema_knows_every_table_and_nothing_else_is_allowed() -> None:
    tables = schema()["$defs"]
    assert sorted(tables) == sorted(kind.__name__ for kind in TABLES.values())
    for name, table in tables.items():
        assert table["additionalProperties"] is False, name
        assert all(field["description"] for field in table["properties"].values())


def test_the_example_on_the_page_is_in_order() -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    config = right(example)
    assert wrong_together(config, OPENAI_API_KEY="x") == []
    given: dict[str, Any] = tomllib.loads(example)
    assert len(given["upstream"]) == len(config.upstream)


def test_no_password_and_no_hash_of_the_operators_key_is_shown() -> None:
    url = "http://user:secret@127.0.0.1/v1"
    config = Config(
        server=Settings(operator_key=HASH),
        store=StoreConfig(kind="redis", url="redis://:secret@127.0.0.1"),
        upstream=(UpstreamConfig(url=url),),
    )
    shown = repr(config) + str(config) + str(config.store.__rich_repr__())
    assert ("secret" in shown, HASH in shown) == (False, False)
    assert repr(config.store) == "StoreConfig(kind='redis', path='', prefix='turnwire', ttl=None)"


@pytest.mark.parametrize(
    ("table", "field", "got"),
    [
        ('[server]\naccess_log = "{}/there/log"', "server.access_log", "{}/there, which is not"),
        ('[server]\naccess_log = "{}"', "server.access_log", "{}, which is a folder"),
        ('[server]\naccess_log = "{}/file/log"', "server.access_log", "{}/file, which is no"),
        ('[store]\nkind = "sqlite"\npath = "{}/file/data"', "store.path", "{}/file, which is no"),
        ('[store]\nkind = "sqlite"\npath = "{}/file"', "store.path", "{}/file, which is no"),
        ('[store]\nkind = "sqlite"\npath = "{}/taken"', "store.path", "{}/taken/responses.sqlite3"),
    ],
)
def test_files_that_cannot_be_written(table: str, field: str, got: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "taken" / "responses.sqlite3").mkdir(parents=True)
    (mistake,) = unwritable_in(right(table.format(tmp_path)))
    assert mistake.field == field
    assert mistake.got.startswith(got.format(tmp_path))


def test_files_that_the_system_protects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "log").touch()
    config = right(
        f'[server]\naccess_log = "{tmp_path}/log"\n[store]\nkind = "sqlite"\npath = "{tmp_path}/a"'
    )
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert [mistake.got for mistake in unwritable_in(config)] == [
        f"{tmp_path}/log, which may not be written",
        f"{tmp_path}, a folder that may not be written",
    ]


@pytest.mark.parametrize("log", ["", "-", "{}/log", "{}/new"])
def test_looking_whether_files_can_be_written_makes_none(log: str, tmp_path: Path) -> None:
    (tmp_path / "log").touch()
    text = f'[server]\naccess_log = "{log.format(tmp_path)}"\n'
    text += f'[store]\nkind = "sqlite"\npath = "{tmp_path}/a/b"'
    assert unwritable_in(right(text)) == ()
    assert [each.name for each in tmp_path.iterdir()] == ["log"]


def test_turns_get_time_to_finish_as_long_as_models_take() -> None:
    assert Settings().drain_timeout == 30
