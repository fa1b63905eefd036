"""One socket, plain events: you send what you like and read what comes.

No pool and no chain: the link to the response before is yours to send.
"""

import asyncio

import turnwire
from turnwire.gateway import Gateway

MODEL = "turnwire-demo"


async def main() -> None:
    async with Gateway() as gateway, turnwire.connect(base_url=gateway.base_url) as connection:
        # The server reads the instructions now, so that the first turn need not wait for that.
        await connection.warm_up(model=MODEL, instructions="Be brief.")
        for prompt in ("What is a lane?", "And a chain?"):
            await connection.send(
                {
                    "type": "response.create",
                    "model": MODEL,
                    "previous_response_id": connection.previous_response_id,
                    "input": [{"type": "message", "role": "user", "content": prompt}],
                }
            )
            async for event in connection:
                if event.type == "response.output_text.done":
                    print(event.to_dict()["text"])
                if event.type == "response.completed":
                    break


asyncio.run(main())
