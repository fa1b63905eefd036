"""The LLM of a LiveKit agent, on turnwire's own engine.

    session = AgentSession(llm=LLM(model="gpt-5.4"), …)

How to use it: docs/howto/livekit.md.
"""

from turnwire.extras import needs

with needs("livekit", "livekit-agents", module=__name__):
    from turnwire.adapters.livekit.llm import LLM
    from turnwire.adapters.livekit.stream import LLMStream

__all__ = ["LLM", "LLMStream"]
