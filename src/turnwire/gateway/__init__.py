"""The gateway: the Responses API over WebSocket and HTTP, in front of a model.

``Gateway`` runs it inside a program, ``run`` as one.
"""

from turnwire.gateway.app import create_app
from turnwire.gateway.config.settings import Settings
from turnwire.gateway.observing.statistics import Statistics
from turnwire.gateway.server import Gateway, run, serve

__all__ = ["Gateway", "Settings", "Statistics", "create_app", "run", "serve"]
