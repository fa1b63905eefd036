"""The models of one client, by name."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Unpack

import agents
from agents.models import get_default_model
from agents.models.openai_client_utils import is_official_openai_base_url

from turnwire.adapters.openai_agents.chains import Chains
from turnwire.adapters.openai_agents.fields import USER_AGENT
from turnwire.adapters.openai_agents.model import CURRENT, Model
from turnwire.client.aio import AsyncClient
from turnwire.client.config import DEFAULT_BASE_URL
from turnwire.client.steering import Steering
from turnwire.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Self

    from turnwire.client.options import ClientOptions


class ModelProvider(agents.ModelProvider):
    """Models whose turns share the sockets of one client, and find the chains that they continue.

    Make one and keep it: ``RunConfig(model_provider=provider)``.  Close it with ``async with`` or
    :meth:`aclose`.

    Args:
        client: A client of yours, which you close; otherwise the provider makes one and closes it.
        **options: Options of that client: see :class:`~turnwire.ClientOptions`.

    Attributes:
        client: The client; ``client.statistics()`` tells what its turns did and cost.

    Raises:
        ConfigError: An option is missing, unknown or wrong, or there are options and a client.
    """

    def __init__(self, client: AsyncClient | None = None, **options: Unpack[ClientOptions]) -> None:
        if client is not None and options:
            raise ConfigError("give a client or options for one, not both")
        self._owns_client = client is None
        self._is_official = client is None and _is_official(options.get("base_url"))
        self.client = client or AsyncClient(**_with_the_sdks_ways(options))
        self._chains = Chains(self.client)
        self._models: dict[str | None, Model] = {}

    def get_model(self, model_name: str | None) -> Model:
        """Return the model of that name, the same one each time; None is the SDK's default."""
        model = self._models.get(model_name)
        if model is None:
            model = self._models[model_name] = Model(
                get_default_model() if model_name is None else model_name,
                self._chains,
                model_is_explicit=model_name is not None,
                is_official=self._is_official,
            )
        return model

    @contextmanager
    def steering(self) -> Generator[Steering]:
        """Let something be said to the runs that are begun in the block.

            with provider.steering() as steering:
                result = Runner.run_streamed(agent, "Plan a trip.", run_config=config)
                ...
                steering.steer("By train, please.")

        It is said to the turn that began last, or between turns to the next one; what was steered
        and what came of it are one answer of the model's for the runner.
        """
        steering = Steering()
        steering.open()
        token = CURRENT.set(steering)
        try:
            yield steering
        finally:
            CURRENT.reset(token)
            steering.close()

    async def aclose(self) -> None:
        """Close the client if the provider made it; turns that run end with an error, at once."""
        if self._owns_client:
            await self.client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.aclose()


def _with_the_sdks_ways(options: ClientOptions) -> ClientOptions:
    """Have the server judge a history, as it does for the SDK, and know who is calling."""
    with_ways: ClientOptions = {"unanswered_calls": "send", **options}
    headers = options.get("default_headers") or {}
    if "user-agent" not in {name.lower() for name in headers}:
        with_ways["default_headers"] = {"User-Agent": USER_AGENT, **headers}
    return with_ways


def _is_official(base_url: str | None) -> bool:
    """Say whether it is the hosted service, where the SDK adds a ``prompt_cache_key``."""
    found = os.environ.get("OPENAI_BASE_URL") if base_url is None else base_url
    return is_official_openai_base_url(found or DEFAULT_BASE_URL)
