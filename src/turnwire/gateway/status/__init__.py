"""What operators look at in a browser and with Prometheus: a page, its events, the metrics."""

from turnwire.gateway.status.routes import STATUS_PATHS, StatusRoutes

__all__ = ["STATUS_PATHS", "StatusRoutes"]
