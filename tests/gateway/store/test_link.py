"""One link as bytes: nothing is lost, and what cannot be read says so."""

from __future__ import annotations

from dataclasses import fields

import msgspec
import pytest

from gateway.store.support import chain, link, told
from turnwire.gateway.context import Context
from turnwire.gateway.store import StoreUnavailable
from turnwire.gateway.store.known_links import KnownLinks
from turnwire.gateway.store.link import FORM, Link, decode_link, encode_link, joined


def test_a_chain_comes_back_from_its_links() -> None:
    whole = chain("a", "b", "c")[-1]
    links = [decode_link(encode_link(each)) for each in whole.lineage()]
    assert told(joined(links, None)) == told(whole)


def test_every_field_of_a_context_is_kept() -> None:
    kept = {"parent" if name == "parent_id" else name for name in Link.__struct_fields__}
    assert kept == {field.name for field in fields(Context)}


def test_a_chain_with_a_gap_is_none() -> None:
    first, second, third = [decode_link(encode_link(each)) for each in chain("a", "b", "c")]
    assert joined([third, first], None) is None
    assert joined([third, second], None) is None
    assert joined([second], link("other")) is None
    assert told(joined([second], link("a"))) == told(chain("a", "b")[-1])


def test_a_link_of_a_newer_form_says_what_to_do() -> None:
    data = bytes([FORM + 1]) + encode_link(link("a"))[1:]
    with pytest.raises(StoreUnavailable) as raised:
        decode_link(data)
    assert str(raised.value) == (
        "This chain was stored by a newer turnwire (form 2; this one reads up to 1). Upgrade this"
        " gateway, or send the full input without `previous_response_id`."
    )
    assert raised.value.status == 503


@pytest.mark.parametrize("data", [b"", b"\x01", encode_link(link("a"))[:-1], b"\x01\x91\x01"])
def test_what_is_no_link_says_so(data: bytes) -> None:
    with pytest.raises(StoreUnavailable, match="cannot be read"):
        decode_link(data)


def test_fields_that_came_later_are_left_alone() -> None:
    fields_now = msgspec.msgpack.decode(encode_link(link("a"))[1:])
    later = bytes([FORM]) + msgspec.msgpack.encode([*fields_now, "new"])
    assert decode_link(later) == decode_link(encode_link(link("a")))


def test_no_more_links_are_read_than_are_new() -> None:
    known = KnownLinks(1000, 10)
    links = chain("a", "b", "c", "d")
    known.use(links[1])
    data = iter([encode_link(each) for each in links[::-1]])
    read: list[Link] = []
    assert known.read(data, read) is links[1]
    assert [each.response_id for each in read] == ["d", "c"]
    assert len(list(data)) == 2, "not even taken"


def test_what_others_keep_alive_is_known_and_what_nobody_keeps_is_not() -> None:
    known = KnownLinks(1000, 1)
    first, second = link("a"), link("b")
    known.use(first)
    known.use(second)
    assert known.get("a") is first
    del first
    assert (known.get("a"), known.get("b"), known.get(None)) == (None, second, None)
    known.forget("b")
    del second
    assert known.get("b") is None
