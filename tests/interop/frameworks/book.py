"""The scripted model of these tests: a reader that asks for the pages of a book, one by one.

It is told ``Read 19 pages of the red book.``, calls ``read_page(book, page)`` for each page, and
then says how many pages it has seen, with a digest of their text.  So its answer is right only if
every output reached it, unchanged and in its place.
"""

from __future__ import annotations

import hashlib
import json
import re
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from turnwire.testing import Create, Step, answer, call, drop, error, reasoning

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Json = dict[str, Any]

PAGES = 19  # 20 turns: one for each page, and the answer
_TASK = re.compile(r"Read (\d+) pages of the (\w+) book( in pairs)?")
_ABOUT = "Über allen Gipfeln ist Ruh; 山の静けさ. "  # what encoders like to escape


class Fault(StrEnum):
    """What happens once, in the middle of the book."""

    NONE = "none"
    DROP = "drop"  # the socket is cut before the first event
    CUT = "cut"  # the socket is cut once the turn is known, before its output
    LOST_CHAIN = "lost chain"  # previous_response_not_found
    REFUSED_UPGRADE = "refused upgrade"  # 426, from the beginning


def task(pages: int = PAGES, book: str = "red", *, in_pairs: bool = False) -> str:
    """Return what to say to the model."""
    return f"Read {pages} pages of the {book} book{' in pairs' if in_pairs else ''}."


def page_text(book: str, page: int) -> str:
    """Return what stands on a page: about 600 bytes."""
    return f"Page {page} of the {book} book. " + _ABOUT * 10


def digest(texts: Iterable[str]) -> str:
    """Return what tells one sequence of pages from another."""
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:12]


class Reader:
    """The script of a peer.

    Args:
        fault: What goes wrong, once.

    Attributes:
        shown: What the model was shown at each turn that it answered, by book.
        fired: Whether the fault has happened.
    """

    def __init__(self, fault: Fault = Fault.NONE) -> None:
        self.shown: dict[str, list[object]] = {}
        self.fired = False
        self._fault = fault

    def __call__(self, create: Create) -> list[Step]:
        """Answer a create."""
        items = [*create.history, *create.input]
        at = max(at for at, item in enumerate(items) if _TASK.search(_said_by_user(item)))
        found = _TASK.search(_said_by_user(items[at]))
        assert found is not None  # there is a task, or max() has raised
        pages, book, since = int(found[1]), found[2], items[at + 1 :]
        texts = [text for text in map(_output, since) if text.startswith("Page ")]
        if not self.fired and 2 * len(texts) >= pages:
            went_wrong = self._go_wrong(create)
            if went_wrong is not None:
                self.fired = True
                return went_wrong
        self._show(book, _context(create.request, items))
        thought = _thought(create.request, len(texts), f"{book}-{len(items)}")
        if len(texts) < pages:
            return [*thought, *_next(create.request, since, book, len(texts), bool(found[3]))]
        return [*thought, _conclude(create.request, book, texts)]

    def _show(self, book: str, context: object) -> None:
        shown = self.shown.setdefault(book, [])
        if context not in shown[-1:]:  # else it is a turn that was sent twice
            shown.append(context)

    def _go_wrong(self, create: Create) -> list[Step] | None:
        match self._fault:
            case Fault.DROP:
                return [drop()]
            case Fault.CUT:
                return [answer("Lost."), drop(after="response.created")]
            case Fault.LOST_CHAIN if create.request.get("previous_response_id"):
                return [error("previous_response_not_found")]
            case _:
                return None


def _next(request: Json, since: Sequence[Json], book: str, page: int, in_pairs: bool) -> list[Step]:  # noqa: FBT001
    """Ask for a page or two; or, in the middle, hand over if there is somebody."""
    for tool in request.get("tools", []):
        name = tool.get("name", "")
        handed = any(item.get("name") == name for item in since)
        if name.startswith("transfer_to_") and page == 3 and not handed:
            return [call(name, {}, call_id=f"call_{name}")]
    pages = (page, page + 1) if in_pairs else (page,)
    return [
        call("read_page", {"book": book, "page": each}, call_id=f"call_{book}_{each}")
        for each in pages
    ]


def _conclude(request: Json, book: str, texts: Sequence[str]) -> Step:
    """Answer with text, as JSON, or with the call that a framework takes for the answer."""
    found = {"book": book, "pages": len(texts), "digest": digest(texts)}
    if any(tool.get("name") == "final_result" for tool in request.get("tools", [])):
        return call("final_result", found, call_id=f"call_final_{book}")
    if ((request.get("text") or {}).get("format") or {}).get("type") == "json_schema":
        return answer(json.dumps(found))
    return answer(f"The {book} book has {len(texts)} pages: {found['digest']}.")


def _thought(request: Json, page: int, secret: str) -> list[Step]:
    """Think first, as models do that reason."""
    if not str(request.get("model")).startswith("gpt-5"):
        return []
    return [reasoning(f"On to page {page}.", encrypted_content=secret)]


# What the model reads


def text_of(content: Any) -> str:
    """Return the text of a message or of an output, whichever form it has."""
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content or ())


def _said_by_user(item: Json) -> str:
    return text_of(item.get("content")) if item.get("role") == "user" else ""


def _output(item: Json) -> str:
    return text_of(item["output"]) if item.get("type") == "function_call_output" else ""


def _context(request: Json, items: Sequence[Json]) -> object:
    """Return what a turn showed to the model, apart from ids, reasoning, and how it was encoded."""
    tools = [tool.get("name", tool.get("type")) for tool in request.get("tools") or ()]
    return {
        "model": request.get("model"),
        "instructions": request.get("instructions"),
        "tools": tools,
        "items": [said for said in map(_said, items) if said is not None],
    }


def _said(item: Json) -> object:
    match item.get("type", "message"):
        case "message":
            text = text_of(item.get("content"))
            return (item["role"], text) if text else None
        case "function_call":
            return ("call", item["call_id"], item["name"], json.loads(item["arguments"]))
        case "function_call_output":
            return ("output", item["call_id"], text_of(item["output"]))
        case _:
            return None
