"""Many turns at once over one socket: each on a lane of its own.

On a server that knows lanes, sixteen turns run side by side on a socket before another is dialled.
"""

import asyncio

import turnwire
from turnwire.gateway import Gateway


async def main() -> None:
    async with (
        Gateway() as gateway,
        turnwire.AsyncClient(base_url=gateway.base_url, lanes=True) as client,
    ):
        responses = await asyncio.gather(
            *(
                client.responses.create(model="turnwire-demo", input=f"Question {number}")
                for number in range(1, 9)
            )
        )
        for response in responses:
            print(response.output_text)
        statistics = client.statistics()
        print(f"{statistics.completed} turns on {statistics.dials} socket")


asyncio.run(main())
