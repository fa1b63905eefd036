"""What importing turnwire costs, and that nobody can tell that its names come late."""

from __future__ import annotations

import ast
import importlib
import importlib.resources
import pickle
import subprocess
import sys
import tomllib

import pytest

import turnwire
from architecture.repository import ROOT, SOURCE

EXTRAS = [
    "agents", "griffe", "httpx", "httpx2", "livekit", "numpy", "openai", "prometheus_client",
    "pybase64", "pydantic", "redis", "rich", "sounddevice", "soxr", "typer",
]  # fmt: skip
NAMES = sorted(turnwire._HOME_OF)


def run(code: str) -> str:
    """Run a program in an interpreter of its own."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=SOURCE.parent
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def without_extras(code: str) -> str:
    """Run a program that has none of the optional packages."""
    return run(f"import sys\nsys.modules.update(dict.fromkeys({EXTRAS!r}))\n{code}")


def imported_by(statement: str) -> set[str]:
    """Return the modules that a statement imports, apart from what Python itself begins with."""
    code = f"import sys; before = set(sys.modules); {statement}; print(*set(sys.modules) - before)"
    return set(run(code).split())


def test_importing_turnwire_imports_nothing_else() -> None:
    loaded = imported_by("import turnwire")
    heavy = {"aiohttp", "asyncio", "dataclasses", "inspect", "msgspec", "ssl", *EXTRAS}
    assert heavy & loaded == set()
    assert {name for name in loaded if name.startswith("turnwire")} == {"turnwire"}


def test_the_client_imports_no_extra() -> None:
    loaded = {name.partition(".")[0] for name in imported_by("from turnwire import *")}
    assert {*EXTRAS, "aiohttp", "turnwire"} & loaded == {"aiohttp", "turnwire"}


def test_everything_works_without_extras() -> None:
    code = """
from turnwire import *
import pydoc, turnwire
assert AsyncClient is turnwire.AsyncClient
assert "get_final_response" in pydoc.render_doc(turnwire)
"""
    without_extras(code)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("httpx", 'turnwire.httpx needs httpx: pip install "turnwire[httpx]"'),
        ("httpx2", 'turnwire.httpx2 needs httpx2: pip install "turnwire[httpx2]"'),
        ("openai_client", 'turnwire.openai_client needs openai: pip install "turnwire[openai]"'),
        (
            "async_openai_client",
            'turnwire.openai_client needs openai: pip install "turnwire[openai]"',
        ),
    ],
)
def test_what_needs_an_extra_says_which(name: str, told: str) -> None:
    code = f"import turnwire\ntry: turnwire.{name}()\nexcept ImportError as error: print(error)"
    assert without_extras(code).startswith(told)


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_the_very_object_that_its_module_has(name: str) -> None:
    home = importlib.import_module(turnwire._HOME_OF[name])
    found = getattr(turnwire, name)
    assert found is getattr(home, name)
    assert pickle.loads(pickle.dumps(found)) is found


def imported_for_checkers() -> dict[str, str]:
    """Return where checkers of types find each name."""
    tree = ast.parse((SOURCE / "__init__.py").read_text(encoding="utf-8"))
    (block,) = (
        node
        for node in tree.body
        if isinstance(node, ast.If) and "not" not in ast.unparse(node.test)
    )
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    return {name.name: str(node.module) for node in imports for name in node.names}


def test_checkers_and_the_interpreter_find_each_name_in_the_same_module() -> None:
    assert imported_for_checkers() == turnwire._HOME_OF


def test_what_needs_no_extra_is_exported_and_listed() -> None:
    need_extras = {"async_openai_client", "openai_client"}
    assert turnwire.__all__ == [name for name in NAMES if name not in need_extras]
    assert set(turnwire.__all__) < set(dir(turnwire))


def test_modules_are_there_without_an_import_of_their_own() -> None:
    assert run("import turnwire; print(turnwire.testing.Peer.__name__)") == "Peer\n"


@pytest.mark.parametrize("name", ["AsyncClint", "no_module", "_private", "__wrapped__"])
def test_an_unknown_name_is_an_attribute_error(name: str) -> None:
    with pytest.raises(AttributeError) as raised:
        getattr(turnwire, name)
    assert str(raised.value) == (
        f"module 'turnwire' has no attribute '{name}'; what it has is in `turnwire.__all__`"
    )


def test_a_misspelt_name_is_guessed() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import turnwire; turnwire.AsyncClint"],
        capture_output=True,
        text=True,
        check=False,
        cwd=SOURCE.parent,
    )
    assert "Did you mean: 'AsyncClient'?" in done.stderr


def test_the_package_says_that_it_is_typed_wherever_it_is_installed() -> None:
    assert importlib.resources.files("turnwire").joinpath("py.typed").is_file()
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]
    # The whole folder, with whatever is in it.
    assert build["build"]["targets"]["wheel"] == {"packages": ["src/turnwire"]}
