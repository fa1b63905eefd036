"""The demonstration as one HTML page: no script, no network, light and dark, wide and narrow."""

from __future__ import annotations

import base64
import io
import wave
from html import escape
from typing import TYPE_CHECKING, Final

from turnwire.audio import PCM16
from turnwire.audio.tones import samples_of, samples_to_bytes
from turnwire.cli.demo_voice.display import ear_text, error_text, told_text
from turnwire.cli.demo_voice.pictures import curves, time_line
from turnwire.cli.demo_voice.sentences import sentences
from turnwire.cli.demo_voice.style import STYLE
from turnwire.cli.demo_voice.tracks import heard_curve, received_curve

if TYPE_CHECKING:
    from turnwire.cli.demo_voice.findings import Findings, Item
    from turnwire.cli.demo_voice.scene import Scene
    from turnwire.cli.demo_voice.tracks import Tracks

_EVERY: Final = 3  # samples: 8 kHz is enough for tones below 1 kHz, and a third of the page
_STEREO: Final = 2


def report(scene: Scene, found: Findings, tracks: Tracks, machine: str) -> str:
    """Return the page.

    Args:
        scene: What happened.
        found: What was found out.
        tracks: The sounds on one time line.
        machine: What it ran on.
    """
    alarms = "\n".join(
        f'<p class="alarm">Not as it should be: {escape(each)}</p>' for each in found.disagreements
    )
    said = "\n".join(f"<li>{escape(sentence)}</li>" for sentence in sentences(found))
    together = curves(
        received_curve(scene, found), heard_curve(found), tracks.seconds, tracks.cut_at
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>turnwire demo-voice: interrupted, and the model knows where</title>
<style>{STYLE}</style>
</head>
<body>
<h1>Interrupted, and the model knows where</h1>
<p class="lead">{escape(_lead(found))}</p>
{alarms}
{_cards(found)}
<section><h2>Both sides on one time line</h2>
{time_line(tracks, found)}
<audio controls preload="none" src="{_sound(tracks)}"></audio>
</section>
<section><h2>What had arrived, and what was heard</h2>
{together}
</section>
<section><h2>What the model believes that it said</h2>
{_words(found)}
</section>
<section><h2>What it means</h2>
<ul>
{said}
</ul></section>
{_table(found)}
{_how(machine)}
</body>
</html>
"""


def _lead(found: Findings) -> str:
    received = sum(item.received_ms for item in found.items if item.told != "left") / 1000
    return (
        f"Two answers, {received:.1f} s of sound, arrived faster than they play; the user"
        " interrupted the first one."
    )


def _cards(found: Findings) -> str:
    item = found.cut
    told, heard = ("-", "-")
    if item is not None:
        told, heard = f"{item.truncated_ms} ms", f"{item.sounded_ms:.2f} ms"
    cards = (
        (told, "of the first answer were heard: what the server was told"),
        (heard, "of it reached the ear, counted in samples"),
        (f"{found.dropped_ms / 1000:.2f} s", "had arrived by then and were never heard"),
        (f"{found.reaction_ms:.2f} ms", "from speech_started to the silent loudspeaker"),
    )
    drawn = "\n".join(
        f"<div><b>{escape(number)}</b><span>{escape(what)}</span></div>" for number, what in cards
    )
    return f'<div class="cards">\n{drawn}\n</div>'


def _words(found: Findings) -> str:
    told = "\n".join(_said(item, item.heard_words) for item in found.items)
    others = "\n".join(_said(item, _believed(found, item)) for item in found.items)
    return f"""<div class="two">
<div><h3>With the ledger</h3>
{told}</div>
<div><h3>By the wall clock of the newest item</h3>
{others}</div>
</div>
<p class="legend">Struck out: the model knows that it was not heard.
<span class="wrong">Waved: it believes so, and nobody heard it.</span></p>"""


def _believed(found: Findings, item: Item) -> str:
    """Return the words of an item that would have been left to the model by the wall clock."""
    reckoned = found.wall_clock
    return reckoned.believed_words if item.number == reckoned.item else item.words


def _said(item: Item, believed: str) -> str:
    """Show an item's words: heard and believed, believed alone, neither."""
    true = item.heard_words if believed.startswith(item.heard_words) else ""
    wrong, rest = believed[len(true) :], item.words[len(believed) :]
    marked = f'<u class="wrong">{escape(wrong)}</u>' if wrong else ""
    gone = f"<del>{escape(rest)}</del>" if rest else ""
    return f'<p class="said"><b>item {item.number}</b>{escape(true)}{marked}{gone}</p>'


def _table(found: Findings) -> str:
    rows = "\n".join(
        f"<tr><th>item {item.number}</th><td>{item.received_ms:.0f} ms</td>"
        f"<td>{item.heard_ms} ms</td><td>{escape(told_text(item))}</td>"
        f"<td>{escape(ear_text(item))}</td><td>{escape(error_text(item))}</td></tr>"
        for item in found.items
    )
    return f"""<section class="wide"><h2>The numbers</h2><table>
<tr><th></th><th>received</th><th>heard</th><th>the server was told</th>
<th>the ear heard (samples)</th><th>error</th></tr>
{rows}
</table></section>"""


def _sound(tracks: Tracks) -> str:
    """Return both sides as a wav file inside of an address: the user left, the assistant right."""
    left, right = samples_of(tracks.user)[::_EVERY], samples_of(tracks.heard)[::_EVERY]
    both = samples_of(bytes(len(left) * _STEREO * PCM16.sample_bytes))
    both[0::2], both[1::2] = left, right
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setnchannels(_STEREO)
        wav.setsampwidth(PCM16.sample_bytes)
        wav.setframerate(PCM16.rate // _EVERY)
        wav.writeframes(samples_to_bytes(both))
    return f"data:audio/wav;base64,{base64.b64encode(file.getvalue()).decode()}"


def _how(machine: str) -> str:
    return f"""<section><h2>How it was measured</h2>
<p>Gateway, transport and player are those that a program uses, over a WebSocket of this machine;
only the sound card and the air are missing.
The model is the gateway's built-in voice: it speaks in tones, eight times faster than they play,
and hears by loudness when somebody speaks.
In place of the loudspeaker a thread asks for a block of 256 samples each 10.67 ms, as a sound card
does, and keeps what it got.
The user's microphone sends 20 ms of silence or tones at a time.</p>
<p>The words of an answer say which samples it consists of.
What the ear heard is found by comparing these samples with those that the loudspeaker sounded, one
by one, without asking the transport.
The error is what the server was told, less that; the server takes whole milliseconds, rounded
down.
What the loudspeaker has already when it is silenced, one or two blocks, still sounds: it counts as
heard.</p>
<p>What other clients would have told is reckoned from the same arrivals, by the rules in their
source: openai-agents 0.24 for Python keeps the time since the first delta of the item that the
last delta was of; openai-agents for JavaScript of August 2026 forgets an item when its audio is
done.
{escape(machine)}.</p></section>"""
