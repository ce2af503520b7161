"""Keys of the API: 256 random bits that only their holder knows, and what is stored instead of them."""

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime

PATTERN = re.compile(r"tc_([0-9a-f]{12})_[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made; the only moment at which its token is known. `sha256` is what is stored."""

    key_id: str
    token: str
    sha256: bytes


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key as the database knows it. An operator may also change things."""

    key_id: str
    name: str
    sha256: bytes
    operator: bool
    created_at: datetime
    revoked_at: datetime | None = None


def new_key() -> NewKey:
    """A key that nobody else has."""
    key_id = secrets.token_hex(6)
    token = f"tc_{key_id}_{secrets.token_hex(32)}"
    return NewKey(key_id, token, hash_of(token))


def key_id_of(token: str) -> str | None:
    """The public part of a token, or None when it has not the form of one."""
    found = PATTERN.fullmatch(token)
    return found[1] if found else None


def hash_of(token: str) -> bytes:
    """SHA-256: 256 random bits need no salt and no slow hash."""
    return hashlib.sha256(token.encode(errors="replace")).digest()
