"""Where each interop rule is tested: docs/protocol/interop.md, rule by rule.

Every name here is a test that exists, and every rule of the page is here.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from turnwire.gateway import Settings

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "protocol" / "interop.md"

RULES: dict[str, dict[str, tuple[str, ...]]] = {
    "R1": {
        "downstream/test_websocket": ("test_r1_every_path_takes_the_upgrade",),
        "downstream/test_post": ("test_r1_every_path_takes_a_post",),
        "input/test_parameters": ("test_r1_the_model_of_the_address_is_only_a_default",),
    },
    "R2": {
        "downstream/test_websocket": (
            "test_r2_headers_of_every_client_are_tolerated",
            "test_r2_a_subprotocol_is_taken_and_no_key_is_logged",
        ),
    },
    "R3": {
        "downstream/test_websocket": (
            "test_r3_deflate_is_negotiable_and_optional",
            "test_r10_an_oversize_message_is_answered_on_its_lane_and_the_socket_lives",
        ),
    },
    "R4": {
        "downstream/test_websocket": (
            "test_r4_where_websocket_is_off_the_upgrade_is_answered_with_426",
        ),
        "downstream/test_post": ("test_r4_models_are_listed",),
    },
    "R5": {
        "downstream/test_websocket": (
            "test_r5_pings_are_answered",
            "test_r5_a_client_that_goes_away_stops_its_model_runs",
        ),
        "upstreams/chat/test_upstream": ("test_r5_a_client_that_vanishes_stops_the_model_at_once",),
    },
    "R6": {
        "input/test_parameters": (
            "test_r6_what_clients_send_besides_is_ignored",
            "test_r6_store_is_true_unless_it_is_false",
        ),
    },
    "R7": {
        "input/test_items": (
            "test_r7_a_string_is_a_user_message",
            "test_r7_messages_may_lack_their_type_and_have_plain_content",
            "test_r7_ids_and_types_that_clients_make_are_taken_as_they_are",
        ),
    },
    "R8": {
        "input/test_parameters": ("test_r8_unknown_tool_types_are_taken_as_they_are",),
    },
    "R9": {
        "test_turns": ("test_r9_a_warm_up_is_a_link_of_the_chain",),
        "downstream/test_websocket": ("test_r9_a_warm_up_then_its_turn",),
        "input/test_parameters": ("test_r9_a_warm_up_needs_no_input",),
    },
    "R10": {
        "downstream/test_websocket": (
            "test_r10_every_bad_message_is_answered_and_the_socket_lives",
            "test_r10_text_that_is_not_utf8_is_answered_and_the_socket_lives",
        ),
        "test_steering": ("test_a_bad_steer_gets_its_failure_and_harms_nothing",),
    },
    "R11": {
        "downstream/test_websocket": (
            "test_r11_a_chain_of_many_turns_without_a_store",
            "test_r11_without_a_store_the_chain_ends_with_its_socket",
            "test_r11_a_stored_chain_goes_on_by_another_socket_and_by_post",
        ),
        "downstream/test_post": ("test_r11_a_chain_from_post_to_a_socket",),
    },
    "R12": {
        "test_turns": (
            "test_r12_a_repeated_call_is_answered_as_if_it_came_once",
            "test_r12_repeated_output_items_count_once",
        ),
        "input/test_items": ("test_r12_what_the_parent_said_is_not_said_twice",),
        "upstreams/chat/test_messages": ("test_r12_what_the_chain_holds_already_is_taken_once",),
    },
    "R13": {
        "test_turns": (
            "test_r13_instructions_are_not_inherited",
            "test_r13_tools_are_not_inherited",
        ),
    },
    "R14": {
        "test_turns": ("test_r14_output_items_come_back_as_they_went_out",),
    },
    "R15": {
        "downstream/test_websocket": ("test_r15_every_event_is_numbered_from_zero",),
        "test_event_shapes": (
            "test_r15_every_event_is_what_the_sdk_expects",
            "test_r15_every_response_object_has_every_field",
        ),
        "output/test_responder": ("test_r15_usage_has_its_details_even_if_the_model_reports_none",),
    },
    "R16": {
        "output/test_responder": (
            "test_r16_a_text",
            "test_r16_a_reasoning_summary_then_an_answer",
            "test_r16_calls_side_by_side",
        ),
    },
    "R17": {
        "test_turns": ("test_r17_a_turn_has_one_terminal_event_and_it_is_the_last",),
        "test_steering": ("test_what_a_response_was_told_comes_back_if_it_fails",),
    },
    "R18": {
        "test_event_shapes": (
            "test_r18_every_error_is_nested_and_without_nulls",
            "test_r18_a_refusal_is_nested_and_without_nulls",
        ),
    },
    "R19": {
        "test_turns": ("test_r19_an_unknown_parent_is_refused",),
        "downstream/test_websocket": (
            "test_r19_a_failed_continuation_evicts_its_parent",
            "test_r19_an_old_socket_says_so_and_closes",
            "test_r19_an_old_socket_finishes_its_turns_and_refuses_new_ones",
        ),
        "test_drain": (
            "test_r19_creates_on_open_sockets_get_the_limit_error_and_what_waited_runs",
        ),
        "test_rules": ("test_r19_a_socket_is_old_after_an_hour_unless_it_is_told_otherwise",),
    },
    "R20": {
        "test_turns": (
            "test_r20_an_upstream_that_refuses_is_an_error_with_its_status",
            "test_r20_a_stream_that_is_cut_is_a_failed_response",
        ),
        "downstream/test_post": (
            "test_r20_a_refusal_of_the_upstream_has_its_status",
            "test_r20_an_error_after_the_first_output_has_the_shape_of_streams",
            "test_r20_an_error_after_a_long_silence_has_the_shape_of_streams",
        ),
        "upstreams/chat/test_upstream": (
            "test_r20_an_http_error_keeps_its_status",
            "test_r20_the_clients_see_the_status_and_the_socket_lives",
        ),
        "relay/test_relayed": ("test_r20_a_refusal_keeps_its_status_its_words_and_its_headers",),
    },
    "R21": {
        "downstream/test_websocket": (
            "test_r21_two_lanes_interleave_and_every_event_carries_its_lane",
            "test_r21_the_default_lane_carries_no_name",
            "test_r21_errors_of_a_turn_carry_its_lane",
            "test_r21_turns_of_one_lane_wait_for_each_other",
            "test_r21_sixteen_turns_run_and_the_seventeenth_waits",
            "test_r21_the_33rd_name_is_refused_and_the_others_go_on",
            "test_r21_an_invalid_name_is_not_echoed",
        ),
    },
    "R22": {
        "downstream/test_websocket": ("test_r22_a_steer_gets_its_failure",),
        "test_steering": (
            "test_r22_a_silent_model_is_interrupted_and_a_successor_follows",
            "test_r22_an_upstream_that_cannot_steer_says_so",
            "test_r22_the_official_client_steers",
            "test_r22_the_official_session_finds_the_successor_on_its_lane",
        ),
    },
    "R23": {
        "downstream/test_post": (
            "test_r23_a_stream_of_events",
            "test_r23_a_stream_and_a_document_say_the_same",
            "test_r23_a_chain_over_http_in_both_ways",
            "test_r23_a_compressed_body",
        ),
        "test_encodings": ("test_r23_a_body_in_zstd_where_python_or_the_extra_has_it",),
    },
}


def names_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in tree.body if isinstance(node, functions)}


def test_every_rule_of_the_page_is_tested_and_no_other() -> None:
    page = PAGE.read_text(encoding="utf-8")
    written = re.findall(r"^\| (R\d+) \|", page, re.MULTILINE)
    assert written == [f"R{number}" for number in range(1, 24)]
    assert list(RULES) == written


@pytest.mark.parametrize("rule", RULES)
def test_the_tests_of_a_rule_exist(rule: str) -> None:
    missing = {
        module: gone
        for module, names in RULES[rule].items()
        if (gone := set(names) - names_in(HERE / f"{module}.py"))
    }
    assert missing == {}


def test_names_of_tests_name_rules_that_exist() -> None:
    named = {
        f"R{found[1]}"
        for path in HERE.rglob("test_*.py")
        for name in names_in(path)
        if (found := re.match(r"test_r(\d+)_", name))
    }
    assert named <= RULES.keys()


def test_r19_a_socket_is_old_after_an_hour_unless_it_is_told_otherwise() -> None:
    assert Settings().max_age == 3600.0
    assert Settings(max_age=60).max_age == 60
