"""What outputs of file tools tell the scripted model."""

import pytest

from turnwire.gateway.upstreams.scripted.findings import Findings, named_paths


@pytest.mark.parametrize(
    ("output", "paths"),
    [
        ("a.py\nsrc/b.py\nMakefile\ndocs/", ["a.py", "src/b.py", "Makefile", "docs/"]),
        ("- a.py\n* b.py\n├── c.py\n│   └── d.py", ["a.py", "b.py", "c.py", "d.py"]),
        ("a.py  120 bytes\nb.py\t7\nc.py (3 lines)", ["a.py", "b.py", "c.py"]),
        ("   120 a.py", ["a.py"]),
        ("a.py:12: x = 1\nb.py: found", ["a.py", "b.py"]),
        ("my notes.txt\nNo files were found.\n3 files\n… and 12 more\nmore...", ["my notes.txt"]),
        ('["a.py", "b.py"]', ["a.py", "b.py"]),
        ('{"files": [{"path": "a.py", "size": 1}, {"name": "b.py"}, 5]}', ["a.py", "b.py"]),
        ('{"error": "no"}', []),
        ("", []),
    ],
)
def test_paths_in_an_output(output: str, paths: list[str]) -> None:
    assert named_paths(output) == paths


def test_listings_name_files_and_folders() -> None:
    found = (
        Findings().after("list_files", "{}", "a.py\nsrc/").after("list_files", "{}", "a.py\nb.py")
    )
    assert found == Findings(files=("a.py", "b.py"), folders=("src/",), lists=2)


def test_searches_name_files() -> None:
    output = "a.py:1: x\na.py:2: y\nb.py:1: z\nc.py:1: z\nd.py:1: z\nno match"
    found = Findings().after("search_text", "{}", output)
    assert found == Findings(hits=("a.py", "b.py", "c.py"), searches=1)


def test_files_that_were_read_name_words() -> None:
    found = Findings().after("read_file", '{"path":"a.py"}', "def a_function(argument_one): pass")
    assert found == Findings(read=("a.py",), words=("a_function", "argument_one"))


def test_an_unknown_tool_tells_nothing() -> None:
    assert Findings().after("other", "{}", "a.py") == Findings()


def test_the_next_file_is_one_that_a_search_found_then_one_that_was_listed() -> None:
    found = Findings(files=("a", "b"), hits=("b", "c"))
    order: list[str] = []
    while name := found.next_file():
        order.append(name)
        found = found.after("read_file", f'{{"path":"{name}"}}', "")
    assert order == ["b", "c", "a"]


def test_arguments_that_are_no_json_are_no_reason_to_stop() -> None:
    assert Findings(files=("a",)).after("read_file", "{", "text").next_file() == "a"
