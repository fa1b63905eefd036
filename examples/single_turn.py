"""One question, one answer.

Runs as it is: the gateway in this process answers with its scripted model.
To ask a real one, leave the gateway out, set OPENAI_API_KEY and name the model.
"""

import asyncio

import turnwire
from turnwire.gateway import Gateway


async def main() -> None:
    async with Gateway() as gateway, turnwire.AsyncClient(base_url=gateway.base_url) as client:
        response = await client.responses.create(
            model="turnwire-demo",
            input="Say hello",
        )
        print(response.status)
        print(response.output_text)


asyncio.run(main())
