"""The file tools: what a model may see of a folder, and that it sees nothing else."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from turnwire.cli.files import FileTools
from turnwire.cli.files import tools as limits
from turnwire.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "nobody may read this"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a folder beside one with a secret."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.txt").write_text(SECRET)
    root = tmp_path / "root"
    (root / "guides").mkdir(parents=True)
    (root / "guides" / "guide.md").write_text("Lanes are planned here.\nNothing else.\n")
    (root / "main.py").write_text("print('lanes')\n")
    (root / ".env").write_text(f"KEY={SECRET} lanes")
    return root


def refusal(tools: FileTools, path: str) -> str:
    """Return what each tool says about a path that it must not follow."""
    said: set[str] = set()
    for ask in (
        lambda: tools.read_file(path),
        lambda: tools.list_files(path),
        lambda: tools.search_text("may", path),
    ):
        with pytest.raises((OSError, ValueError)) as caught:
            ask()
        said.add(str(caught.value))
    assert len(said) == 1, said
    return said.pop()


def test_a_listing_names_files_with_sizes_and_folders_with_a_slash(root: Path) -> None:
    tools = FileTools(root)
    assert tools.list_files() == "guides/\nmain.py  15\n[left out: 1 hidden]"
    assert tools.list_files("guides") == "guides/guide.md  38"
    assert tools.list_files(str(root / "guides")) == "guides/guide.md  38"


def test_an_empty_folder_says_so(tmp_path: Path) -> None:
    assert FileTools(tmp_path).list_files() == "[the folder is empty]"


def test_a_search_ignores_case_and_says_where(root: Path) -> None:
    tools = FileTools(root)
    assert tools.search_text("LANES") == (
        "guides/guide.md:1: Lanes are planned here.\n"
        "main.py:1: print('lanes')\n[left out: 1 hidden]"
    )
    assert tools.search_text("lanes", "main.py") == "main.py:1: print('lanes')"
    assert tools.search_text("absent", "guides") == "[no line contains 'absent']"


@pytest.mark.parametrize("text", ["", " \n"])
def test_a_search_for_nothing_is_refused(root: Path, text: str) -> None:
    with pytest.raises(ValueError, match="text to look for is empty"):
        FileTools(root).search_text(text)


@pytest.mark.parametrize(
    "path", ["..", "../outside/secret.txt", "guides/../../outside/secret.txt", "/", "/etc/passwd"]
)
def test_no_path_leads_out(root: Path, path: str) -> None:
    assert refusal(FileTools(root), path) == f"{path} leads out of the folder; give a path below it"


def test_a_path_may_go_up_as_long_as_it_stays_inside(root: Path) -> None:
    assert FileTools(root).read_file("guides/../main.py") == "print('lanes')\n"


def test_no_link_leads_out(root: Path) -> None:
    (root / "file").symlink_to(root.parent / "outside" / "secret.txt")
    (root / "folder").symlink_to(root.parent / "outside")
    (root / "chained").symlink_to(root / "folder")
    (root / "relative").symlink_to("../outside/secret.txt")
    tools = FileTools(root)
    for path in ("file", "folder/secret.txt", "chained/secret.txt", "relative"):
        assert "leads out of the folder" in refusal(tools, path)
    listed = tools.list_files()
    assert listed == "guides/\nmain.py  15\n[left out: 1 hidden, 4 linked to elsewhere]"
    assert SECRET not in tools.search_text("nobody")


def test_a_folder_beside_the_root_with_a_longer_name_is_outside(root: Path) -> None:
    (root.parent / "root-too").mkdir()
    (root.parent / "root-too" / "secret.txt").write_text(SECRET)
    assert "leads out" in refusal(FileTools(root), "../root-too/secret.txt")


def test_links_inside_work_and_loops_end(root: Path) -> None:
    (root / "same").symlink_to("main.py")
    (root / "guides" / "up").symlink_to("..")
    (root / "round").symlink_to("round")
    (root / "gone").symlink_to("nowhere")
    tools = FileTools(root)
    assert tools.read_file("same") == "print('lanes')\n"
    assert tools.list_files() == (
        "guides/\nmain.py  15\nsame  15\n[left out: 1 hidden, 2 linked to nowhere]"
    )
    assert tools.search_text("print").splitlines()[:2] == [
        "main.py:1: print('lanes')",
        "same:1: print('lanes')",
    ]


@pytest.mark.parametrize("path", [".env", "guides/../.env", ".git/config"])
def test_hidden_files_are_refused(root: Path, path: str) -> None:
    assert "hidden files cannot be read here" in refusal(FileTools(root), path)


def test_a_link_does_not_unhide(root: Path) -> None:
    (root / "plain").symlink_to(".env")
    assert "hidden files cannot be read here" in refusal(FileTools(root), "plain")
    assert SECRET not in FileTools(root).search_text("nobody")


@pytest.mark.parametrize(
    ("path", "said"),
    [("a\0b", "contains a NUL character"), ("x" * 5000, "cannot be read: file name too long")],
)
def test_what_is_no_path_is_refused(root: Path, path: str, said: str) -> None:
    with pytest.raises((ValueError, OSError), match=said):
        FileTools(root).read_file(path)


@pytest.mark.parametrize(
    ("tool", "path", "said"),
    [
        ("read_file", "nope", "there is no file nope; list_files says what there is"),
        ("read_file", "guides", "guides is a folder; use list_files"),
        ("list_files", "main.py", "main.py is a file; use read_file"),
        (
            "list_files",
            "nope",
            "there is no folder nope; list_files without a path says what there is",
        ),
    ],
)
def test_errors_say_what_to_do(root: Path, tool: str, path: str, said: str) -> None:
    with pytest.raises(OSError) as caught:  # noqa: PT011  # the message is compared below
        getattr(FileTools(root), tool)(path)
    assert str(caught.value) == said


def test_what_the_system_refuses_does_not_name_the_real_path(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, *_: object) -> int:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(OSError, match="main") as caught:
        FileTools(root).read_file("main.py")
    assert str(caught.value) == "main.py cannot be read: permission denied"


def test_a_pipe_is_not_waited_for(root: Path) -> None:
    os.mkfifo(root / "pipe")
    with pytest.raises(OSError, match="no plain file"):
        FileTools(root).read_file("pipe")
    assert "1 not readable" in FileTools(root).search_text("lanes")


def test_binary_files_are_not_shown(root: Path) -> None:
    (root / "image.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0lanes")
    tools = FileTools(root)
    with pytest.raises(ValueError, match=r"image.png is a binary file of 15 bytes"):
        tools.read_file("image.png")
    assert tools.search_text("lanes").endswith("[left out: 1 hidden, 1 binary]")


def test_what_is_not_utf_8_is_shown_as_far_as_it_goes(root: Path) -> None:
    (root / "latin.txt").write_bytes(b"caf\xe9 lanes\n")
    tools = FileTools(root)
    assert tools.read_file("latin.txt") == (
        "caf\ufffd lanes\n[not UTF-8: what could not be read is shown as \ufffd]"
    )
    assert "latin.txt:1: caf\ufffd lanes" in tools.search_text("lanes")


def test_a_replacement_character_of_the_file_itself_is_not_reported(root: Path) -> None:
    (root / "odd.txt").write_text("\ufffd\n")
    assert FileTools(root).read_file("odd.txt") == "\ufffd\n"


def test_a_long_file_is_read_in_parts_and_nothing_is_lost(root: Path) -> None:
    lines = [f"{number} {'é' * 400}\n" for number in range(1, 201)]
    (root / "long.txt").write_text("".join(lines))
    tools = FileTools(root)
    first, parts = 1, ""
    while True:
        text = tools.read_file("long.txt", first)
        assert len(text.encode()) <= limits.READ_BYTES + 200
        kept, cut, note = text.partition("[cut: ")
        parts += kept
        if not cut:
            break
        assert note.startswith(f"lines {first} to ")
        first = int(note.rpartition("first_line=")[2].rstrip("]"))
    assert parts == "".join(lines)


def test_a_huge_line_is_cut_between_two_characters(root: Path) -> None:
    (root / "line.txt").write_text("x" + "é" * limits.READ_BYTES + "\nend\n")
    text = FileTools(root).read_file("line.txt")
    assert text == (
        "x" + "é" * (limits.READ_BYTES // 2 - 1) + "\n"
        f"[cut: line 1 is {2 * limits.READ_BYTES + 2} bytes long]\n"
        "[cut: lines 1 to 1 of 2; go on with first_line=2]"
    )
    assert FileTools(root).read_file("line.txt", 2) == "end\n"


def test_a_huge_file_is_read_to_a_limit(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SCANNED_BYTES", 100)
    (root / "huge.txt").write_text("1234567\n" * 1000)
    text = FileTools(root).read_file("huge.txt", 12)
    assert text == "1234567\n1234\n[cut: only the first 100 of 8000 bytes can be read]"


@pytest.mark.parametrize("first_line", [0, -1, 3])
def test_a_line_that_is_not_there_is_refused(root: Path, first_line: int) -> None:
    with pytest.raises(ValueError, match=f"first_line is {first_line}"):
        FileTools(root).read_file("guides/guide.md", first_line)


def test_an_empty_file_says_so(root: Path) -> None:
    (root / "empty").touch()
    assert FileTools(root).read_file("empty") == "[the file is empty]"


def test_long_listings_are_cut_and_say_so(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LISTED_ENTRIES", 1)
    assert FileTools(root).list_files() == (
        "guides/\n[cut: 1 of 2 entries are shown]\n[left out: 1 hidden]"
    )


def test_searches_are_cut_and_say_so(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = FileTools(root)
    monkeypatch.setattr(limits, "FOUND_LINES", 1)
    assert tools.search_text("lanes", "guides/../").splitlines()[1] == (
        "[cut: the first 1 lines found are shown]"
    )
    monkeypatch.setattr(limits, "SEARCHED_FILES", 1)
    assert tools.search_text("absent").splitlines()[1] == (
        "[cut: only 1 files were searched; name a folder]"
    )
    monkeypatch.setattr(limits, "SEARCHED_FILE_BYTES", 20)
    monkeypatch.setattr(limits, "SEARCHED_FILES", 10)
    assert "1 larger than 20 bytes" in tools.search_text("lanes")
    monkeypatch.setattr(limits, "FOUND_LINE_CHARACTERS", 5)
    assert tools.search_text("lanes", "main.py") == "main.py:1: print…"


def test_generated_folders_are_not_searched(root: Path) -> None:
    (root / "__pycache__").mkdir()
    (root / "__pycache__" / "x.txt").write_text("lanes")
    assert tools_note(FileTools(root).search_text("lanes")) == "[left out: 1 hidden, 1 generated]"


def tools_note(text: str) -> str:
    """Return the last line."""
    return text.splitlines()[-1]


def test_names_cannot_break_out_of_their_line(root: Path) -> None:
    (root / "two\nlines").write_text("lanes")
    assert "two?lines  5" in FileTools(root).list_files().splitlines()


@pytest.mark.parametrize("name", ["nope", "main.py"])
def test_the_root_must_be_a_folder(root: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=r"there is no folder .*--root"):
        FileTools(root / name)


def test_a_model_is_offered_three_described_tools(root: Path) -> None:
    from turnwire import FunctionTool

    offered = [FunctionTool.from_function(each) for each in FileTools(root).functions()]
    assert [each.name for each in offered] == ["list_files", "read_file", "search_text"]
    for each in offered:
        assert each.description
        assert all(about["description"] for about in each.parameters["properties"].values())
