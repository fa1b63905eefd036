"""A chain as bytes and back: the same history, and no answer that is not proven."""

from __future__ import annotations

import json
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from properties.profiles import PROFILE
from turnwire.core.chain import Chain, ChainMiss, Composed, Head, MissReason, Seat, Unanswerable
from turnwire.core.dump import BadDump, dump, load
from turnwire.core.history import HistoryItem
from turnwire.core.params import Params

Json = dict[str, Any]

USER = HistoryItem.of({"role": "user", "content": "Hi."})
NEXT = HistoryItem.of({"role": "user", "content": "Go on."})
ANSWER = HistoryItem(b'{ "type":"message","role":"assistant","content":"H\xc3\xa4\\u00e4"}')
REASONING = HistoryItem(
    b'{"type":"reasoning","id":"rs","encrypted_content":"terminal"}',
    b'{"type":"reasoning","id":"rs","encrypted_content":"streamed"}',
)
CALL = HistoryItem.of({"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"})
OUTPUT = HistoryItem.of({"type": "function_call_output", "call_id": "c", "output": "4"})

TOOL = {"type": "mcp", "server_label": "s", "authorization": "Bearer secret-of-a-tool"}
PARAMS = Params(
    {"model": "m", "tools": [TOOL], "instructions": "Tell nobody.", "user": "u", "store": True}
)
CHEAPER = Params({"model": "m-mini", "tools": [TOOL]})
SEAT = Seat(connection=7, lane=None, credential="fp", cached=None, open_sockets=(7,))
HTTP = Seat(connection=None, lane=None, credential="fp", cached=None)


def head(response_id: str = "resp_1", **members: Any) -> Head:
    made: Json = {
        "connection": 3,
        "lane": "lane-1",
        "credential": "fp",
        "stored": True,
        "params": PARAMS,
    }
    return Head(response_id, **(made | members))


def chained(*items: HistoryItem, ends_with: Head | None = None) -> Chain:
    """Return a chain with this history."""
    chain = Chain()
    chain.completed(Composed(None, items, None, 0, items), (), ends_with)
    return chain


def dumped(*items: HistoryItem, **members: Any) -> Json:
    """Return the dump of a stored chain as JSON."""
    loaded: Json = msgspec.json.decode(dump(chained(*items, ends_with=head(**members))))
    return loaded


def composed(
    chain: Chain, *given: HistoryItem, seat: Seat = SEAT, params: Params = PARAMS, **how: Any
) -> Any:
    """Return what a chain would send: the link, the items and why it is everything."""
    plan = chain.compose(given, params, seat, **({"whole": False} | how))
    if not isinstance(plan, Composed):
        return plan
    items = [item.encoded for item in plan.items]
    return plan.previous_response_id, items, plan.miss, plan.kept


def forms(chain: Chain) -> list[frozenset[bytes]]:
    return [item.digests for item in chain.items]


def everything(*items: HistoryItem) -> list[bytes]:
    return [item.encoded for item in items]


# What comes back


def test_the_history_comes_back_to_the_byte_with_every_form() -> None:
    chain = chained(USER, REASONING, ANSWER, ends_with=head())
    loaded = load(dump(chain))
    assert everything(*loaded.items) == everything(USER, REASONING, ANSWER)
    assert forms(loaded) == forms(chain)
    assert loaded.size_bytes == chain.size_bytes


@pytest.mark.parametrize("seat", [SEAT, HTTP])
def test_a_stored_head_is_continued_by_the_same_credential(seat: Seat) -> None:
    loaded = load(dump(chained(USER, ANSWER, ends_with=head())))
    assert composed(loaded, NEXT, seat=seat) == ("resp_1", [NEXT.encoded], None, 2)
    assert loaded.head is not None
    assert (loaded.head.connection, loaded.head.lane) == (None, None)


def test_a_stored_head_is_not_continued_by_another_credential() -> None:
    loaded = load(dump(chained(USER, ANSWER, ends_with=head(credential="another"))))
    miss = ChainMiss("credential_changed")
    assert composed(loaded, NEXT) == (None, everything(USER, ANSWER, NEXT), miss, 2)


@pytest.mark.parametrize(
    ("params", "changed"),
    [
        ({"model": "n", "tools": [TOOL]}, "model"),
        ({"model": "m", "tools": [TOOL | {"authorization": "another"}]}, "tools"),
        ({"model": "m"}, "tools"),
        ({"model": "m", "tools": [TOOL], "truncation": "auto"}, "truncation"),
        ({"model": "m", "tools": [TOOL], "instructions": "other", "temperature": 1}, None),
    ],
)
def test_a_stored_head_is_continued_with_the_same_parameters_alone(
    params: Json, changed: str | None
) -> None:
    loaded = load(dump(chained(USER, ANSWER, ends_with=head())))
    link, _, miss, _ = composed(loaded, NEXT, params=Params(params))
    assert (link, miss) == (
        ("resp_1", None)
        if changed is None
        else (None, ChainMiss("parameters_changed", None, changed))
    )


def test_a_head_that_lived_on_a_socket_is_lost_with_it() -> None:
    # Even where a socket of the new process has the same number, and a lane the same response.
    seat = Seat(3, "lane-1", "fp", "resp_1", open_sockets=(3,))
    chain = chained(USER, ANSWER, ends_with=head(stored=False))
    assert composed(chain, NEXT, seat=seat)[0] == "resp_1"
    loaded = load(dump(chain))
    miss = ChainMiss("connection_lost")
    assert composed(loaded, NEXT, seat=seat) == (None, everything(USER, ANSWER, NEXT), miss, 2)


@pytest.mark.parametrize("reason", get_args(MissReason))
def test_why_there_is_no_head_is_told_again(reason: MissReason) -> None:
    chain = chained(USER, ANSWER, ends_with=head())
    chain.clear(reason)
    assert composed(load(dump(chain)), NEXT)[2] == ChainMiss(reason)


def test_a_reason_of_a_later_version_is_no_obstacle() -> None:
    value = dumped(USER) | {"head": None, "why_no_head": "gone_with_the_wind"}
    loaded = load(msgspec.json.encode(value))
    assert composed(loaded, NEXT)[2] == ChainMiss("connection_lost")


def test_calls_that_wait_for_an_answer_wait_on() -> None:
    chain = chained(USER, CALL, ends_with=head())
    loaded = load(dump(chain))
    assert loaded.unanswered == ["c"]
    assert composed(loaded, OUTPUT) == ("resp_1", [OUTPUT.encoded], None, 2)
    assert composed(loaded, NEXT) == composed(chain, NEXT) == Unanswerable(("c",))
    assert load(dump(chained(USER, CALL, OUTPUT))).unanswered == []


def test_a_warm_up_is_continued_without_anything_new() -> None:
    loaded = load(dump(chained(ends_with=head(warm_up=True))))
    assert composed(loaded) == ("resp_1", [], None, 0)
    loaded = load(dump(chained(USER, ANSWER, ends_with=head())))
    assert composed(loaded)[2] == ChainMiss("nothing_new")


def test_an_empty_chain_comes_back_empty() -> None:
    loaded = load(dump(Chain()))
    assert (loaded.items, loaded.head, loaded.unanswered) == ([], None, [])
    assert composed(loaded, USER) == (None, [USER.encoded], None, 0)


def test_a_history_given_whole_is_compared_in_every_form() -> None:
    loaded = load(dump(chained(USER, REASONING, ANSWER, ends_with=head())))
    streamed = HistoryItem(
        b'{"encrypted_content":"streamed","type":"reasoning","id":"rs","summary":[]}'
    )
    given = [USER, streamed, ANSWER, NEXT]
    assert composed(loaded, *given, whole=True) == ("resp_1", [NEXT.encoded], None, 3)


def test_a_loaded_chain_lives_on() -> None:
    loaded = load(dump(chained(USER, ANSWER, ends_with=head())))
    plan = loaded.compose([NEXT], PARAMS, SEAT, whole=False)
    assert isinstance(plan, Composed)
    loaded.completed(plan, [CALL], head("resp_2", params=CHEAPER))
    again = load(dump(loaded))
    assert composed(again, OUTPUT, params=CHEAPER) == ("resp_2", [OUTPUT.encoded], None, 4)


# What is in it


def test_it_is_json_with_a_name_and_a_version() -> None:
    value = dumped(USER, REASONING)
    assert value["head"].pop("history")
    assert value["head"].pop("params").keys() == {"model", "tools"}
    assert value == {
        "format": "turnwire-chain",
        "version": 1,
        "items": [msgspec.json.decode(item.encoded) for item in (USER, REASONING)],
        "alternates": {
            "1": [{"type": "reasoning", "id": "rs", "encrypted_content": "streamed"}],
        },
        "head": {"response_id": "resp_1", "credential": "fp", "length": 2, "warm_up": False},
        "why_no_head": None,
    }


@pytest.mark.parametrize("stored", [True, False])
def test_no_parameter_is_in_it(stored: bool) -> None:  # noqa: FBT001  # a case
    data = dump(chained(USER, ends_with=head(stored=stored)))
    for value in (b"secret-of-a-tool", b"Tell nobody", b"mcp"):
        assert value in PARAMS.encoded
        assert value not in data


def test_only_a_stored_head_is_in_it() -> None:
    assert b"resp_1" not in dump(chained(USER, ends_with=head(stored=False)))


# What is no dump


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no json",
        b"[]",
        b"{}",
        b'{"format":"turnwire-chain"}',
        b'{"format":"another","version":1}',
        b'{"format":"turnwire-chain","version":"1"}',
        b'{"format":"turnwire-chain","version":0}',
        b'{"format":"turnwire-chain","version":1,"items":' + b"[" * 100_000,
        b'{"format":"\xff","version":1}',
        dump(Chain())[:-1],
        dump(Chain()) * 2,
    ],
)
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(BadDump) as caught:
        load(data)
    assert str(caught.value) == ("this is no dump of a chain: give the bytes that `dump` returned")


def test_a_later_version_is_refused_by_its_number() -> None:
    with pytest.raises(BadDump) as caught:
        load(b'{"format":"turnwire-chain","version":2,"all":"is new"}')
    assert str(caught.value) == (
        "the dump has version 2 and this turnwire reads version 1: load it with the turnwire that"
        " wrote it, or a later one"
    )


def test_a_dump_may_be_kept_where_json_is_written_anew() -> None:
    value = json.loads(dump(chained(USER, REASONING, ANSWER, ends_with=head())))
    loaded = load(json.dumps(value, sort_keys=True, indent=2).encode())
    assert composed(loaded, NEXT) == ("resp_1", [NEXT.encoded], None, 3)


def test_what_a_later_turnwire_adds_to_this_version_is_passed_over() -> None:
    value = dumped(USER, ANSWER) | {"written_by": "turnwire 9"}
    assert composed(load(msgspec.json.encode(value)), NEXT)[0] == "resp_1"


@pytest.mark.parametrize(
    ("change", "how"),
    [
        ({"items": None}, "Expected `array`, got `null` - at `$.items`"),
        ({"items": ["text", {}]}, "an item is no object"),
        ({"items": [{}, {}, {}]}, "its head covers another number of items"),
        ({"alternates": {"0": [7]}}, "an item is no object"),
        ({"alternates": {"2": [{}]}}, "another form of an item that is not there"),
        ({"alternates": {"-1": [{}]}}, "another form of an item that is not there"),
        ({"head": None}, "expected either a head or why there is none"),
        ({"why_no_head": "evicted"}, "expected either a head or why there is none"),
        ({"head": {}}, "Object missing required field `response_id` - at `$.head`"),
    ],
)
def test_what_does_not_fit_together_is_refused(change: Json, how: str) -> None:
    value = dumped(USER, REASONING) | change
    with pytest.raises(BadDump) as caught:
        load(msgspec.json.encode(value))
    assert str(caught.value) == (
        f"the dump of the chain is damaged ({how}): take another copy, or begin anew"
    )


@pytest.mark.parametrize(
    ("change", "how"),
    [
        ({"response_id": ""}, "Expected `str` of length >= 1 - at `$.head.response_id`"),
        ({"response_id": 7}, "Expected `str`, got `int` - at `$.head.response_id`"),
        ({"length": 3}, "its head covers another number of items"),
        ({"params": {"model": "m"}}, "the digest of a parameter is not hexadecimal"),
    ],
)
def test_an_odd_head_is_refused(change: Json, how: str) -> None:
    value = dumped(USER, REASONING)
    value["head"] |= change
    with pytest.raises(BadDump) as caught:
        load(msgspec.json.encode(value))
    assert str(caught.value) == (
        f"the dump of the chain is damaged ({how}): take another copy, or begin anew"
    )


@pytest.mark.parametrize(
    "change",
    [
        {"items": [{"role": "user", "content": "Something else."}, {"type": "reasoning"}]},
        {"alternates": {}},
        {"alternates": {"0": [{"role": "user", "content": "Something else."}]}},
    ],
)
def test_a_history_that_was_changed_is_sent_whole(change: Json) -> None:
    value = dumped(USER, REASONING) | change
    loaded = load(msgspec.json.encode(value))
    link, _, miss, _ = composed(loaded, NEXT)
    assert (link, miss) == (None, ChainMiss("history_changed"))


# Any chain

ITEMS = st.sampled_from([USER, ANSWER, REASONING, CALL, OUTPUT, NEXT])
HEADS = st.builds(
    head,
    st.sampled_from(["r1", "r2"]),
    connection=st.sampled_from([None, 3, 7]),
    credential=st.sampled_from(["fp", "fp2", ""]),
    stored=st.booleans(),
    params=st.sampled_from([PARAMS, CHEAPER, Params({})]),
    warm_up=st.booleans(),
)
SEATS = st.builds(
    Seat,
    connection=st.sampled_from([None, 3, 7]),
    lane=st.sampled_from([None, "lane-1"]),
    credential=st.sampled_from(["fp", "fp2", ""]),
    cached=st.sampled_from([None, "r1", "r2"]),
    open_sockets=st.just((3, 7)),
)
ASKED = st.fixed_dictionaries(
    {
        "seat": SEATS,
        "params": st.sampled_from([PARAMS, CHEAPER, Params({}), Params({"model": "m"})]),
        "whole": st.booleans(),
    }
)


@st.composite
def chains(draw: st.DrawFn) -> Chain:
    chain = Chain()
    for _ in range(draw(st.integers(0, 3))):
        given, output = draw(st.lists(ITEMS, max_size=3)), draw(st.lists(ITEMS, max_size=3))
        kept = draw(st.integers(0, len(chain.items)))
        plan = Composed(None, given, ChainMiss("evicted"), kept, given)
        chain.completed(plan, output, draw(st.none() | HEADS))
        if draw(st.booleans()):
            chain.clear(draw(st.sampled_from(get_args(MissReason))))
    return chain


@PROFILE
@given(chains(), st.lists(ITEMS, max_size=8), ASKED)
def test_a_loaded_chain_sends_what_the_chain_itself_would(
    chain: Chain, given_items: list[HistoryItem], asked: Json
) -> None:
    loaded = load(dump(chain))
    if chain.head is not None and not chain.head.stored:
        chain.clear("connection_lost")
    assert composed(loaded, *given_items, **asked) == composed(chain, *given_items, **asked)
    echo = [*chain.items, *given_items]
    asked["whole"] = True
    assert composed(loaded, *echo, **asked) == composed(chain, *echo, **asked)


@PROFILE
@given(chains())
def test_a_dump_of_what_was_loaded_is_the_same_dump(chain: Chain) -> None:
    data = dump(chain)
    loaded = load(data)
    assert dump(loaded) == data
    assert loaded.unanswered == chain.unanswered
    assert forms(loaded) == forms(chain)


@PROFILE
@given(chains(), st.data())
def test_damage_is_refused_or_does_no_harm(chain: Chain, data: st.DataObject) -> None:
    whole = dump(chain)
    place = data.draw(st.integers(0, len(whole) - 1))
    byte = data.draw(st.integers(0, 255))
    damaged = whole[:place] + bytes([byte]) + whole[place + 1 :]
    try:
        loaded = load(damaged)
    except BadDump:
        return
    if loaded.head is not None:
        assert chain.head is not None
        assert forms(loaded) == forms(chain)
