"""Try several continuations of the same past.

A fork shares the chain's history and goes its own way; both go on side by side.
"""

import asyncio

import turnwire
from turnwire.gateway import Gateway


async def main() -> None:
    async with Gateway() as gateway, turnwire.AsyncClient(base_url=gateway.base_url) as client:
        chain = client.chain(model="turnwire-demo", instructions="You plan journeys.")
        await chain.run("We have three days in Lisbon.")

        cheap = chain.fork()
        plans = await asyncio.gather(
            chain.run("Plan them without looking at the price."),
            cheap.run("Plan them for little money."),
        )
        for plan in plans:
            print(plan.output_text)
        print(f"{len(chain.history)} and {len(cheap.history)} items")


asyncio.run(main())
