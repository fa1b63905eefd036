"""A model and a model provider for the OpenAI Agents SDK, on turnwire's own engine.

    Runner.run(agent, "Hello", run_config=RunConfig(model_provider=ModelProvider()))

How to use it: docs/howto/openai-agents.md.
"""

from turnwire.extras import needs

with needs("openai-agents", module=__name__):
    from turnwire.adapters.openai_agents.model import Model
    from turnwire.adapters.openai_agents.provider import ModelProvider

__all__ = ["Model", "ModelProvider"]
