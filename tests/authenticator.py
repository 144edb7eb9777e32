"""A security key in Python: what a browser and a device do together, for tests that have neither.

`make()` and `sign()` take what the page asks (the JSON in `data-passkey`) and answer as static/js/passkey.js does.
"""

import hashlib
import json
import secrets
from base64 import urlsafe_b64encode
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


def b64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


class SecurityKey:
    """One key for one site. `counter` goes up with each use, unless it is a key that counts nothing (None)."""

    def __init__(self, origin: str = "http://localhost", counter: int | None = 0) -> None:
        self.origin, self.counter, self.verifies = origin, counter, True
        self.host = origin.split("//")[1].split(":", maxsplit=1)[0]
        self.id, self.handle = secrets.token_bytes(16), ""
        self._private = ec.generate_private_key(ec.SECP256R1())

    def make(self, asked: dict[str, Any]) -> str:
        """The answer to `navigator.credentials.create`, without attestation."""
        self.handle = asked["user"]["id"]
        public = self._private.public_key().public_numbers()
        cose = {1: 2, 3: -7, -1: 1, -2: public.x.to_bytes(32, "big"), -3: public.y.to_bytes(32, "big")}
        about = bytes(16) + len(self.id).to_bytes(2, "big") + self.id + cbor2.dumps(cose)
        attested = {"fmt": "none", "attStmt": {}, "authData": self._data(ATTESTED) + about}
        client = self._client("webauthn.create", asked)
        return self._told({"clientDataJSON": b64(client), "attestationObject": b64(cbor2.dumps(attested))})

    def sign(self, asked: dict[str, Any], handle: str | None = None) -> str:
        """The answer to `navigator.credentials.get`."""
        if self.counter is not None:
            self.counter += 1
        data, client = self._data(), self._client("webauthn.get", asked)
        signature = self._private.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(SHA256()))
        return self._told({
            "clientDataJSON": b64(client), "authenticatorData": b64(data), "signature": b64(signature),
            "userHandle": self.handle if handle is None else handle,
        })  # fmt: skip

    def _data(self, flags: int = 0) -> bytes:
        told = PRESENT | flags | (VERIFIED if self.verifies else 0)
        return hashlib.sha256(self.host.encode()).digest() + bytes([told]) + (self.counter or 0).to_bytes(4, "big")

    def _client(self, kind: str, asked: dict[str, Any]) -> bytes:
        return json.dumps({"type": kind, "challenge": asked["challenge"], "origin": self.origin}).encode()

    def _told(self, response: dict[str, str]) -> str:
        return json.dumps({"id": b64(self.id), "rawId": b64(self.id), "type": "public-key", "response": response})
