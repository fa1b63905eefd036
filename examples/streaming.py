"""Read a turn as it comes, and what it cost when it has ended.

``text_deltas()`` is the text alone; ``async for event in turn`` is everything.
"""

import asyncio

import turnwire
from turnwire.gateway import Gateway


async def main() -> None:
    async with Gateway() as gateway, turnwire.AsyncClient(base_url=gateway.base_url) as client:
        # WORDS and PACE are for the scripted model: so many words, with seconds between them.
        prompt = "WORDS 8\nPACE 0.02"
        async with client.responses.stream(model="turnwire-demo", input=prompt) as turn:
            async for text in turn.text_deltas():
                print(text, end="", flush=True)
            response = await turn.get_final_response()
        print()
        print(f"{response.status} over {turn.transport}")
        if turn.usage is not None:
            print(f"{turn.usage.output_tokens} tokens of output")


asyncio.run(main())
