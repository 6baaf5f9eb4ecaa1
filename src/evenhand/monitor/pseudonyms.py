"""The name under which the person of a prediction is stored."""

from __future__ import annotations

import hashlib
import hmac


def pseudonym(secret: bytes, use_case: int, prediction_id: str) -> bytes:
    """The keyed digest (16 bytes) of a use case's number and a prediction id."""
    text = f"person\0{use_case}\0{prediction_id}".encode()
    return hmac.new(secret, text, hashlib.sha256).digest()[:16]
