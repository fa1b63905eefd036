"""A tool loop on a chain: functions run until the model answers, each turn sends only what is new.

Descriptions and types of the tools come from their docstrings and signatures.
"""

import asyncio

import turnwire
from turnwire.events import ResponseCompletedEvent
from turnwire.gateway import Gateway

STOCK = {"apple": 12, "pear": 0}


def count_stock(item: str) -> int:
    """Say how many of an item are in stock.

    Args:
        item: Name of the item, in the singular.
    """
    return STOCK[item]


async def order(item: str, count: int) -> str:
    """Order an item.

    Args:
        item: Name of the item, in the singular.
        count: How many.
    """
    await asyncio.sleep(0)  # here it would talk to a shop
    return f"ordered {count} of {item}"


async def main() -> None:
    async with Gateway() as gateway, turnwire.AsyncClient(base_url=gateway.base_url) as client:
        chain = client.chain(
            model="turnwire-demo",
            instructions="You keep the stock of a fruit shop.",
            tools=[count_stock, order],
        )

        def show(event: turnwire.Event) -> None:
            if isinstance(event, ResponseCompletedEvent):
                for item in event.response.output:
                    print(f"the model: {item.type}")

        # The scripted model does what CALL lines say; a real one decides for itself.
        # The last call fails on purpose: the model reads the error and goes on.
        response = await chain.run(
            'CALL count_stock {"item": "apple"}\n'
            'CALL count_stock {"item": "pear"}\n'
            'THEN CALL order {"item": "pear", "count": 20}\n'
            'THEN CALL count_stock {"item": "plum"}',
            on_event=show,
        )
        print(response.output_text)

        statistics = client.statistics()
        print(f"{statistics.turns} turns, {statistics.chain_hits} sent only what was new")


asyncio.run(main())
