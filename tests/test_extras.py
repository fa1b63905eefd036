"""A package that is not there is missed in words that say how to get it."""

from __future__ import annotations

import pytest

from turnwire.extras import missing_extra, needs


def test_a_missing_package_names_its_extra() -> None:
    with (
        pytest.raises(ModuleNotFoundError) as raised,
        needs("livekit", "livekit-agents", module="turnwire.adapters.livekit"),
    ):
        import no_such_package.llm  # noqa: F401  # pyright: ignore[reportMissingImports]
    assert str(raised.value) == (
        'turnwire.adapters.livekit needs livekit-agents: pip install "turnwire[livekit]" '
        "(there is no module named no_such_package)"
    )
    assert raised.value.name == "no_such_package"
    assert isinstance(raised.value.__cause__, ModuleNotFoundError)


def test_the_extra_names_the_package_and_the_module_unless_told() -> None:
    error = missing_extra(ModuleNotFoundError(name="httpx2"), "httpx2")
    assert str(error) == (
        'turnwire.httpx2 needs httpx2: pip install "turnwire[httpx2]" '
        "(there is no module named httpx2)"
    )


def test_a_package_without_the_name_is_another_version() -> None:
    with pytest.raises(ImportError) as raised, needs("tools", "griffelib"):
        from email import no_such_name  # noqa: F401  # pyright: ignore[reportAttributeAccessIssue]
    assert type(raised.value) is ImportError
    assert raised.value.name == "email"
    text = str(raised.value)
    assert text.startswith(
        'turnwire.tools needs another version of griffelib: pip install "turnwire[tools]" --upgrade'
        " (cannot import name 'no_such_name' from 'email'"
    )


def test_what_is_there_is_imported_and_other_errors_pass() -> None:
    with needs("json"):
        import json
    assert json.loads("1") == 1
    with pytest.raises(ZeroDivisionError), needs("json"):
        raise ZeroDivisionError
