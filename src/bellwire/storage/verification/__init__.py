"""`bellwire check`: whether a data directory that no server uses is whole. Nothing in here changes a byte of it."""

from __future__ import annotations

from bellwire.storage.verification.directory import verify_directory
from bellwire.storage.verification.findings import Finding, Grade, Verification

__all__ = ["Finding", "Grade", "Verification", "verify_directory"]
