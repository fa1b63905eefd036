"""Overlooks what other people's packages warn of in themselves; warnings of turnwire still fail."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def all_warnings() -> Iterator[None]:
    """Overlook everything: for imports, and what is deprecated."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def pydantic_warnings() -> Iterator[None]:
    """Overlook what pydantic says about models of the official SDK, LangChain and LiteLLM."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning, module="pydantic")
        yield
