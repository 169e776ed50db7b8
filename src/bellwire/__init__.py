"""Bellwire: self-hosted event notifications, compatible with the RingCentral subscription protocol."""

__version__ = "0.1.0"
