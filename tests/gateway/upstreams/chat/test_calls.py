"""Fragments of calls: every dialect that servers have, by name."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.support import function
from gateway.upstreams.chat.support import (
    CUSTOM,
    Json,
    call_item,
    called,
    custom_item,
    deltas_of,
    output_of_deltas,
    said,
)
from turnwire.gateway.upstreams.deltas import ArgumentsDelta, CallEnded, CallStarted, Finished

TOOLS = [function("get"), function("get_weather"), function("f"), function("g"), CUSTOM]
END = said("tool_calls")
WEATHER = call_item("c1", "get_weather", '{"a":1}')
F = call_item("c1", "f", '{"a":1}')
G = call_item("c2", "g", '{"b":2}')


def test_the_common_way_is_shown_piece_by_piece() -> None:
    deltas = deltas_of(
        called(index=0, id="c1", name="f", arguments=""),
        called(index=0, arguments='{"a"'),
        called(index=0, arguments=":1}"),
        END,
        tools=TOOLS,
    )
    assert deltas == [
        CallStarted(0, "f", "c1"),
        ArgumentsDelta(0, '{"a"'),
        ArgumentsDelta(0, ":1}"),
        CallEnded(0),
        Finished(),
    ]


DIALECTS: dict[str, tuple[list[Json], list[Json]]] = {
    "the whole call at once": ([called(index=0, id="c1", name="f", arguments='{"a":1}')], [F]),
    "without an index": (
        [called(id="c1", name="f", arguments='{"a"'), called(arguments=":1}")],
        [F],
    ),
    "with the id in every fragment": (
        [called(index=0, id="c1", name="f"), called(index=0, id="c1", arguments='{"a":1}')],
        [F],
    ),
    "with id and name in every fragment": (
        [
            called(index=0, id="c1", name="f", arguments='{"a"'),
            called(index=0, id="c1", name="f", arguments=":1}"),
        ],
        [F],
    ),
    "with a name in every fragment that has no id": (
        [
            called(index=0, id="c1", name="f", arguments='{"a"'),
            called(index=0, id="", name="f", arguments=":1}"),
        ],
        [F],
    ),
    "with nulls": (
        [
            called(index=0, id="c1", name="f", arguments=None),
            called(index=0, id=None, name=None, arguments='{"a":1}'),
        ],
        [F],
    ),
    "with a new id in every fragment": (
        [called(index=0, id="c1", name="f"), called(index=0, id="c9", arguments='{"a":1}')],
        [F],
    ),
    "with a name in two pieces": (
        [
            called(index=0, id="c1", name="get_", arguments=""),
            called(index=0, name="weather"),
            called(index=0, arguments='{"a":1}'),
        ],
        [WEATHER],
    ),
    "with a name whose first piece is a tool": (
        [
            called(index=0, id="c1", name="get"),
            called(index=0, name="_weather"),
            called(index=0, arguments='{"a":1}'),
        ],
        [WEATHER],
    ),
    "with a name that grows": (
        [
            called(index=0, id="c1", name="get_"),
            called(index=0, name="get_weather"),
            called(index=0, arguments='{"a":1}'),
        ],
        [WEATHER],
    ),
    "with arguments before the name": (
        [
            called(index=0, id="c1", arguments='{"a"'),
            called(index=0, name="f"),
            called(index=0, arguments=":1}"),
        ],
        [F],
    ),
    "with the id last": (
        [
            called(index=0, name="get"),
            called(index=0, id="c1", name="_weather"),
            called(index=0, arguments='{"a":1}'),
        ],
        [WEATHER],
    ),
    "with arguments as an object": (
        [called(index=0, id="c1", name="f", arguments={"a": 1})],
        [F],
    ),
    "without arguments": (
        [called(index=0, id="c1", name="f")],
        [call_item("c1", "f", "{}")],
    ),
    "of a tool that nobody declared": (
        [called(index=0, id="c1", name="new"), called(index=0, name="_one", arguments="{}")],
        [call_item("c1", "new_one", "{}")],
    ),
    "of a tool that nobody declared, without arguments": (
        [called(index=0, id="c1", name="new_one")],
        [call_item("c1", "new_one", "{}")],
    ),
    "in two chunks, one call each": (
        [
            called(index=0, id="c1", name="f", arguments='{"a":1}'),
            called(index=1, id="c2", name="g", arguments='{"b":2}'),
        ],
        [F, G],
    ),
    "with the index at 0 again": (
        [
            called(index=0, id="c1", name="f", arguments='{"a"'),
            called(index=0, arguments=":1}"),
            called(index=0, id="c2", name="g", arguments='{"b"'),
            called(index=0, arguments=":2}"),
        ],
        [F, G],
    ),
    "two without an index": (
        [
            called(id="c1", name="f", arguments='{"a"'),
            called(arguments=":1}"),
            called(id="c2", name="g", arguments='{"b"'),
            called(arguments=":2}"),
        ],
        [F, G],
    ),
    "interleaved": (
        [
            called(index=0, id="c1", name="f", arguments="{"),
            called(index=1, id="c2", name="g", arguments='{"b"'),
            called(index=0, arguments='"a":1}'),
            called(index=1, arguments=":2}"),
        ],
        [F, G],
    ),
    "interleaved by id alone": (
        [
            called(id="c1", name="f", arguments="{"),
            called(id="c2", name="g", arguments='{"b"'),
            called(id="c1", arguments='"a":1}'),
            called(id="c2", arguments=":2}"),
        ],
        [F, G],
    ),
    "an index that is a string": (
        [called(index="0", id="c1", name="f"), called(index="0", arguments='{"a":1}')],
        [F],
    ),
}


@pytest.mark.parametrize("name", DIALECTS)
def test_a_call(name: str) -> None:
    chunks, expected = DIALECTS[name]
    assert output_of_deltas(deltas_of(*chunks, END, tools=TOOLS)) == expected


def test_several_in_one_chunk() -> None:
    fragments = [
        {"id": "c1", "function": {"name": "f", "arguments": '{"a":1}'}},
        {"id": "c2", "function": {"name": "g", "arguments": '{"b":2}'}},
    ]
    assert output_of_deltas(deltas_of(said(tool_calls=fragments), END)) == [F, G]


@pytest.mark.parametrize("index", [{}, {"index": 0}])
@pytest.mark.parametrize("together", [True, False])
def test_calls_without_ids_are_told_apart(index: Json, together: bool) -> None:  # noqa: FBT001
    fragments = [
        {**index, "id": "", "function": {"name": "f", "arguments": '{"a":1}'}},
        {**index, "function": {"name": "f", "arguments": '{"a":2}'}},
    ]
    chunks = (
        [said(tool_calls=fragments)]
        if together
        else [said(tool_calls=[each]) for each in fragments]
    )
    output = output_of_deltas(deltas_of(*chunks, END, tools=TOOLS))
    assert [(item["name"], item["arguments"]) for item in output] == [
        ("f", '{"a":1}'),
        ("f", '{"a":2}'),
    ]
    assert len({item["call_id"] for item in output}) == 2


def test_calls_without_arguments_in_one_chunk_are_told_apart() -> None:
    fragments = [{"function": {"name": "f"}}, {"function": {"name": "f"}}]
    output = output_of_deltas(deltas_of(said(tool_calls=fragments), END, tools=TOOLS))
    assert [item["arguments"] for item in output] == ["{}", "{}"]


def test_the_legacy_member() -> None:
    chunks = (
        said(function_call={"name": "f", "arguments": '{"a"'}),
        said(function_call={"arguments": ":1}"}),
        said("function_call"),
    )
    (item,) = output_of_deltas(deltas_of(*chunks, tools=TOOLS))
    assert {**item, "call_id": "c1"} == F


@pytest.mark.parametrize("odd", [None, {}, "f", [None], [{"function": 3}], [[]]])
def test_odd_fragments_fail_nothing(odd: Any) -> None:
    deltas = deltas_of(said(tool_calls=odd), said("stop"))
    assert deltas[-1] == Finished()


def test_a_call_that_was_cut_stays_incomplete() -> None:
    chunks = (
        called(index=0, id="c1", name="f", arguments='{"a":1}'),
        called(index=1, id="c2", name="g", arguments='{"b'),
        said("length"),
    )
    output = output_of_deltas(deltas_of(*chunks, tools=TOOLS))
    assert output == [F, {**G, "status": "incomplete", "arguments": '{"b'}]


# Tools that the chat server knows by another name


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        (
            ['{"input": "*** Begin\\n', '+\\"x\\" \\', "u00e9 \\ud83d", '\\ude00"}'],
            '*** Begin\n+"x" é 😀',
        ),
        (['{"input":"a\nb"}'], "a\nb"),
        (['{"input":"\\d"}'], "\\d"),
        (['{"input":"\\ud83dx"}'], "\ufffdx"),
        (['{"input":"\\u12"}'], "\\u12"),
        (['{"input":"cut'], "cut"),
        (['{"patch":"x"}'], "x"),
        (['{"a":"x","input":"y"}'], "y"),
        (['{"a":1,"b":2}'], '{"a":1,"b":2}'),
        (['"x"'], "x"),
        (["*** Begin", " Patch"], "*** Begin Patch"),
        (["{}"], ""),
        ([""], ""),
        ([{"input": "x"}], "x"),
    ],
)  # fmt: skip
def test_a_custom_tool_gets_its_text(pieces: list[Any], text: str) -> None:
    first, *rest = pieces
    chunks = [called(index=0, id="c1", name="patch", arguments=first)]
    chunks += [called(index=0, arguments=piece) for piece in rest]
    assert output_of_deltas(deltas_of(*chunks, END, tools=TOOLS)) == [
        custom_item("c1", "patch", text)
    ]


def test_the_text_of_a_custom_tool_is_shown_while_it_comes() -> None:
    chunks = (
        called(index=0, id="c1", name="patch", arguments='{"input": "a'),
        called(index=0, arguments="b\\"),
        called(index=0, arguments='nc"}'),
    )
    assert deltas_of(*chunks, END, tools=TOOLS) == [
        CallStarted(0, "patch", "c1", "custom"),
        ArgumentsDelta(0, "a"),
        ArgumentsDelta(0, "b"),
        ArgumentsDelta(0, "\nc"),
        CallEnded(0),
        Finished(),
    ]


def test_a_tool_of_a_namespace_gets_its_own_name_back() -> None:
    tools = [{"type": "namespace", "name": "crm", "tools": [function("find"), CUSTOM]}]
    chunks = (
        called(index=0, id="c1", name="crm__find", arguments="{}"),
        called(index=1, id="c2", name="crm__patch", arguments='{"input":"x"}'),
    )
    assert output_of_deltas(deltas_of(*chunks, END, tools=tools)) == [
        {**call_item("c1", "find", "{}"), "namespace": "crm"},
        {**custom_item("c2", "patch", "x"), "namespace": "crm"},
    ]
