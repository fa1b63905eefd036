"""The blocking client: the same names, no `await`.

It needs a server of its own: run `turnwire serve` in another terminal first, or set
OPENAI_BASE_URL, OPENAI_API_KEY and OPENAI_MODEL for another one.
"""

import os

import turnwire

BASE_URL = os.environ.get("OPENAI_BASE_URL", "http://127.0.0.1:8080/v1")
MODEL = os.environ.get("OPENAI_MODEL", "turnwire-demo")


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


with turnwire.Client(base_url=BASE_URL) as client:
    chain = client.chain(model=MODEL, tools=[add])
    print(chain.run("Add 19 and 23.").output_text)

    # For the scripted model: WORDS says how long an answer is.
    with chain.turn("Say a few words on sums.\nWORDS 6") as turn:
        for text in turn.text_deltas():
            print(text, end="", flush=True)
    print()
    print("sent everything again" if turn.chain_miss else "sent only what was new")
