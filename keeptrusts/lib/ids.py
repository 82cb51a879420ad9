"""Identifiers: time-ordered UUIDs for rows, prefixed public ids for people and clients."""

import os
import time
import uuid

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_LENGTH = 26


def uuid7() -> uuid.UUID:
    """A version 7 UUID (RFC 9562 §5.7): 48 bits of Unix milliseconds, then 74 random bits."""
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10))
    value = (milliseconds & (1 << 48) - 1) << 80
    value |= 0x7 << 76 | (random >> 68 & 0xFFF) << 64
    value |= 0b10 << 62 | random & (1 << 62) - 1
    return uuid.UUID(int=value)


def base32(value: uuid.UUID) -> str:
    """The 26 lower-case Crockford base32 digits of a UUID: sorts as the UUID does."""
    number = value.int
    digits = []
    for _ in range(_LENGTH):
        digits.append(_ALPHABET[number & 31])
        number >>= 5
    return "".join(reversed(digits))


def public_id(prefix: str) -> str:
    """A new public id such as ``wal_01j…``: unguessable and in time order."""
    return f"{prefix}_{base32(uuid7())}"
