"""The keys the audit trail is sealed with. Each has a short name, which stands in the entries made with it; the name
tells nothing of the key. Without a key (name "") an entry has a plain SHA-256, which anybody could work out again.
"""

import hashlib
import hmac
from collections.abc import Sequence

_PURPOSE = b"jakwatch audit trail 1"


def _derived(secret: str) -> bytes:
    """A key of 32 bytes for this purpose alone (HKDF with SHA-256, RFC 5869, one block, without a salt)."""
    extracted = hmac.digest(b"\0" * 32, secret.encode(), "sha256")
    return hmac.digest(extracted, _PURPOSE + b"\x01", "sha256")


class Keyring:
    """The key that is in use, and former ones that are only read with. Made from secrets; "" is none."""

    def __init__(self, secret: str = "", former: Sequence[str] = ()) -> None:
        keys = [_derived(one) if one else b"" for one in (secret, *former)]
        self._keys = {_name(key): key for key in keys if key}
        self.current = _name(keys[0])

    def knows(self, name: str) -> bool:
        return not name or name in self._keys

    def digest(self, name: str, content: str) -> str:
        """64 hexadecimal digits. Raises KeyError for a key that is not on this ring."""
        if not name:
            return hashlib.sha256(content.encode()).hexdigest()
        return hmac.digest(self._keys[name], content.encode(), "sha256").hex()


def _name(key: bytes) -> str:
    return hmac.new(key, b"name", "sha256").hexdigest()[:8] if key else ""
