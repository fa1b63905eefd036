"""What the demonstration makes of its measurements: medians, disagreements, words, pictures."""

from __future__ import annotations

import io
from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from turnwire.cli.demo.charts import tick_values
from turnwire.cli.demo.compare import Spread, comparison_of, disagreements
from turnwire.cli.demo.display import bar, print_comparison
from turnwire.cli.demo.report import report
from turnwire.cli.demo.units import bytes_text, ratio_text, rtt_text, seconds_text
from turnwire.cli.demo.verdict import is_tie, verdicts
from turnwire.cli.demo.ways import WAYS, Job, Run, Way
from turnwire.cli.files import FileTools

if TYPE_CHECKING:
    from pathlib import Path

    from turnwire.cli.demo.compare import Comparison

FULL, LINKED, SOCKET = WAYS


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job("Where are the <lanes>?", 2, FileTools(tmp_path))


def run_of(way: Way, **changes: Any) -> Run:
    """Return a run of three turns with two tool calls."""
    run = Run(
        way=way,
        calls=(("list_files", "{}"), ("read_file", '{"path":"a"}')),
        outputs=("a  1", "x"),
        answer="FINAL <b>",
        sent=1000,
        received=2000,
        sent_per_turn=(500, 300, 200),
        wall=1.0,
        cpu=0.010,
        linked_turns=0 if way.sends_all else 2,
    )
    return replace(run, **changes)


def runs_of(**of_socket: Any) -> list[Run]:
    return [run_of(FULL), run_of(LINKED), run_of(SOCKET, **of_socket)]


def test_results_keep_the_rounds_in_their_order(job: Job) -> None:
    walls = (3.0, 1.0, 1.5)
    runs = [run_of(way, wall=wall, sent=1000) for wall in walls for way in WAYS]
    comparison = comparison_of(job, 0.05, runs)
    assert (comparison.rounds, comparison.rtt, comparison.disagreements) == (3, 0.05, ())
    assert [result.way for result in comparison.results] == list(WAYS)
    assert comparison.results[0].wall == Spread.of([3.0, 1.0, 1.5])
    assert (comparison.results[2].turns, comparison.results[2].calls) == (3, 2)


def test_runs_that_did_the_same_do_not_disagree(job: Job) -> None:
    assert disagreements(job, runs_of()) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"calls": (("list_files", "{}"),)}, "1 tool calls instead of 2"),
        (
            {"calls": (("list_files", "{}"), ("read_file", '{"path":"b"}'))},
            "other tool calls than HTTP, full history",
        ),
        ({"outputs": ("a  1", "y")}, "a tool said something else; did a file change meanwhile?"),
        ({"answer": "no"}, "another answer than HTTP, full history"),
        ({"linked_turns": 1}, "1 of 3 turns sent only what was new; expected 2"),
    ],
)
def test_runs_that_cannot_be_compared_are_found(
    job: Job, changes: dict[str, Any], said: str
) -> None:
    assert f"WebSocket chain: {said}" in disagreements(job, runs_of(**changes))


def test_a_full_history_that_was_not_sent_is_found(job: Job) -> None:
    runs = [run_of(FULL, linked_turns=2), *runs_of()[1:]]
    assert disagreements(job, runs) == [
        "HTTP, full history: 2 of 3 turns sent only what was new; expected 0"
    ]


VERDICTS = {
    "four times less": (
        {"sent": 250},
        (
            "Bytes sent: the WebSocket chain sent 4.0 times less than HTTP, full history (250 B"
            " against 1.00 kB) and sent 4.0 times less than HTTP, previous_response_id (250 B"
            " against 1.00 kB)."
        ),
    ),
    "slower": (
        {"wall": 1.5},
        (
            "Wall time: the WebSocket chain took 50 % more than HTTP, full history (1.50 s against"
            " 1.00 s) and took 50 % more than HTTP, previous_response_id (1.50 s against 1.00 s)."
        ),
    ),
    "faster": (
        {"wall": 0.75},
        (
            "Wall time: the WebSocket chain took 25 % less than HTTP, full history (750 ms against"
            " 1.00 s) and took 25 % less than HTTP, previous_response_id (750 ms against 1.00 s)."
        ),
    ),
    "a tie": (
        {"cpu": 0.0101},
        (
            "Client CPU: the WebSocket chain ties with HTTP, full history (10.1 ms against 10.0 ms)"
            " and ties with HTTP, previous_response_id (10.1 ms against 10.0 ms)."
        ),
    ),
    "three times more": (
        {"cpu": 0.030},
        (
            "Client CPU: the WebSocket chain used 3.0 times more than HTTP, full history (30.0 ms"
            " against 10.0 ms) and used 3.0 times more than HTTP, previous_response_id (30.0 ms"
            " against 10.0 ms)."
        ),
    ),
}


@pytest.mark.parametrize("case", VERDICTS)
def test_the_verdict_is_what_the_numbers_say(job: Job, case: str) -> None:
    of_socket, expected = VERDICTS[case]
    assert expected in verdicts(comparison_of(job, 0.0, runs_of(**of_socket)))


@pytest.mark.parametrize(
    ("mine", "theirs", "decision"),
    [
        (Spread.of([1.0, 3.0, 1.0]), Spread.of([2.0, 2.0, 2.0]), "tie"),  # not in every round
        (Spread.of([1.0, 1.0, 1.0]), Spread.of([1.05, 1.05, 1.05]), "tie"),
        (Spread.of([1.0, 1.0, 1.0]), Spread.of([1.06, 1.06, 1.06]), "difference"),
        (
            Spread.of([1.0, 1.0, 3.0]),
            Spread.of([2.0, 2.0, 6.0]),
            "difference",
        ),  # a slow round for both
        (Spread.of([2.0, 1.9, 2.1]), Spread.of([1.0, 0.9, 1.1]), "difference"),
    ],
)
def test_a_tie_is_a_difference_that_the_runs_cannot_show(
    mine: Spread, theirs: Spread, decision: str
) -> None:
    assert ("tie" if is_tie(mine, theirs) else "difference") == decision


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.00 kB"), (12_345, "12.3 kB"), (894_354, "894 kB"),
     (999_700, "1.00 MB"), (1_200_000, "1.20 MB"), (2_500_000_000, "2.50 GB")],
)  # fmt: skip
def test_sizes_have_three_digits(value: int, text: str) -> None:
    assert bytes_text(value) == text


def test_durations_and_ratios() -> None:
    assert [seconds_text(each) for each in (0.0005, 0.0123, 0.75, 1.049, 12.5)] == [
        "0.50 ms", "12.3 ms", "750 ms", "1.05 s", "12.5 s",
    ]  # fmt: skip
    assert [ratio_text(5, 10), ratio_text(5, 0)] == ["0.50x", "-"]
    assert [rtt_text(0.05), rtt_text(0)] == [
        "simulated round trip of 50 ms",
        "no simulated round trip",
    ]


@pytest.mark.parametrize(
    ("share", "drawn", "in_ascii"),
    [(1, "████", "####"), (0.5, "██", "##"), (0.28, "█▏", "#"), (0.001, "▏", "#"), (0, "", "")],
)
def test_bars(share: float, drawn: str, in_ascii: str) -> None:
    assert (bar(share, 4), bar(share, 4, ascii_only=True)) == (drawn, in_ascii)


@pytest.mark.parametrize("top", [0.4, 1, 9, 10, 500, 107_136, 125_000, 3e9])
def test_ticks_are_few_and_cover_everything(top: float) -> None:
    ticks = tick_values(top)
    assert ticks[0] == 0
    assert ticks[-1] >= top
    assert ticks[-2] < top
    assert 2 <= len(ticks) <= 6


def compared(job: Job) -> Comparison:
    return comparison_of(job, 0.05, runs_of(sent=250, answer="other & worse"))


def test_table_and_bars_fit_eighty_columns(job: Job) -> None:
    out = io.StringIO()
    print_comparison(Console(file=out, width=80), compared(job))
    table = out.getvalue().splitlines()[:6]
    assert table == [
        "                            turns  calls     sent  received    wall      CPU",
        "HTTP, full history              3      2  1.00 kB   2.00 kB  1.00 s  10.0 ms",
        "HTTP, previous_response_id      3      2  1.00 kB   2.00 kB  1.00 s  10.0 ms",
        "                                            1.00x     1.00x   1.00x    1.00x",
        "WebSocket chain                 3      2    250 B   2.00 kB  1.00 s  10.0 ms",
        "                                            0.25x     1.00x   1.00x    1.00x",
    ]
    assert f"  WebSocket chain            {'█' * 10} 250 B" in out.getvalue()


class Page(HTMLParser):
    """Reads a page and finds what is not closed, and what would be loaded."""

    VOID = frozenset({"meta"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.loads: list[str] = []
        self.text: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loads += [name for name, _ in attrs if name in {"src", "href", "srcset", "xlink:href"}]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_the_report_is_whole_and_loads_nothing(job: Job) -> None:
    page = Page()
    written = report(compared(job), "a <machine>")
    page.feed(written)
    page.close()
    assert (page.open, page.wrong, page.loads) == ([], [], [])
    assert not {"script", "link", "img", "iframe"} & {*page.tags}
    assert page.tags.count("polyline") == 3
    for address in ("http://", "https://", "url(", "@import", "//"):
        assert address not in written


def test_the_report_says_what_the_texts_say_and_not_what_they_would_do(job: Job) -> None:
    page = Page()
    written = report(compared(job), "a <machine>")
    page.feed(written)
    text = "".join(page.text)
    assert "<lanes>" not in written
    for said in ("Where are the <lanes>?", "FINAL <b>", "a <machine>", "0.25x", "another answer"):
        assert said in text
