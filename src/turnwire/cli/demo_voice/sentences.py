"""Says in words what the numbers say."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from turnwire.cli.demo_voice.findings import Findings, WallClock


def sentences(found: Findings) -> list[str]:
    """Return what is to be learnt, a sentence each."""
    after = found.interrupted_at_ms - found.spoke_at_ms
    silence = (
        f"The loudspeaker was silent {after:.0f} ms after the user's first sound."
        f" The transport took {found.reaction_ms:.2f} ms of that, from the arrival of"
        " speech_started; most of the rest the server listens before it calls it speech."
    )
    cut = found.cut
    said = "" if cut is None else cut.heard_words
    believes = f"The model believes now that it said “{said}”, and no more."
    return [silence, believes, *_others(found.wall_clock)]


def _others(reckoned: WallClock) -> list[str]:
    """Return what clients would have told that have no ledger."""
    rule = (
        "By the wall clock since the first delta of the newest item, as openai-agents 0.24 for"
        " Python reckons,"
    )
    if reckoned.item is None:
        return [f"{rule} everything would have been heard, and nothing cut."]
    whole = "" if reckoned.item == 1 else ", and item 1 left whole"
    wrong = (
        f"{rule} item {reckoned.item} would have been cut at {reckoned.audio_end_ms} ms, of which"
        f" {_amount(reckoned.sounded_ms)} heard{whole}."
    )
    nothing = (
        "A client that forgets an item once all of it has arrived, as openai-agents for JavaScript"
        f" does, would have sent nothing: that was {reckoned.silent_for_ms:.0f} ms before."
    )
    return [wrong, nothing]


def _amount(ms: float) -> str:
    return f"{ms:.0f} ms were" if ms else "nothing was"
