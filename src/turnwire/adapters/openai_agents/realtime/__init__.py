"""The OpenAI Agents SDK's voice sessions on turnwire's Realtime transport.

    runner = RealtimeRunner(agent, model=RealtimeModel())

How to use it: docs/howto/realtime-openai-agents.md.
"""

from turnwire.extras import needs

with needs("openai-agents", module=__name__):
    from turnwire.adapters.openai_agents.realtime.model import RealtimeModel

__all__ = ["RealtimeModel"]
