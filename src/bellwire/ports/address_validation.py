"""The handshake with a webhook address, before a subscription is stored and after its address failed."""

from __future__ import annotations

from typing import Protocol


class AddressValidation(Protocol):
    async def __call__(self, address: str, verification_token: str | None) -> None:
        """Ask the address whether it wants notifications (wire contract, 3.6). Returns when it said yes.

        Args:
            address: as the subscriber wrote it, at most 2048 characters; its syntax is judged here, too.
            verification_token: sent along as `Verification-Token`; None is none.

        Raises:
            InvalidRequest: CMN-101 for an address that is no URL, SUB-520 to SUB-525 for one that fails the handshake.
        """
        ...
