"""HTTP: metrics, status API, page."""

from netsla.web.server import WebServer
from netsla.web.source import SnapshotSource

__all__ = ["SnapshotSource", "WebServer"]
