"""The embedded engine: SQLite files in one data directory, written by one thread."""

from bellwire.storage.embedded.engine_files import EngineFiles, open_engine_files
from bellwire.storage.embedded.limits import ADVISED_SWITCH_INTERVAL_SECONDS, EngineLimits

__all__ = ["ADVISED_SWITCH_INTERVAL_SECONDS", "EngineFiles", "EngineLimits", "open_engine_files"]
