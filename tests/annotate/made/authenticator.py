"""A device of the tests' own that makes passkeys and signs with them, as honestly as a test wants."""

from __future__ import annotations

import hashlib
import json
import secrets
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from fido2 import cbor
from fido2.cose import ES256
from fido2.utils import websafe_encode
from fido2.webauthn import AttestedCredentialData, AuthenticatorData

USER_PRESENT, USER_VERIFIED, HAS_CREDENTIAL = 0x01, 0x04, 0x40


class Authenticator:
    """One passkey. `origin` is what its browser tells, `flags` what it says of its owner."""

    def __init__(self, origin: str = "http://testserver") -> None:
        self.origin, self.flags, self.count = origin, USER_PRESENT | USER_VERIFIED, 0
        self.id = secrets.token_bytes(16)
        self.key = ec.generate_private_key(ec.SECP256R1())

    def _client_data(self, what: str, options: dict[str, Any]) -> bytes:
        told = {"type": f"webauthn.{what}", "challenge": options["challenge"], "origin": self.origin}
        return json.dumps(told).encode()

    def _data(self, site: str, flags: int, credential: bytes = b"") -> AuthenticatorData:
        return AuthenticatorData.create(hashlib.sha256(site.encode()).digest(), flags, self.count, credential)

    def make(self, options: str) -> str:
        """Return the response to what a page asks who adds a passkey."""
        asked = json.loads(options)["publicKey"]
        public = ES256.from_cryptography_key(self.key.public_key())
        credential = AttestedCredentialData.create(b"\0" * 16, self.id, public)
        data = self._data(asked["rp"]["id"], self.flags | HAS_CREDENTIAL, credential)
        attested = cbor.encode({"fmt": "none", "attStmt": {}, "authData": bytes(data)})
        return self._response(clientDataJSON=self._client_data("create", asked), attestationObject=attested)

    def sign(self, options: str) -> str:
        """Return the response to what a page asks who logs in."""
        asked, self.count = json.loads(options)["publicKey"], self.count + 1
        client_data, data = self._client_data("get", asked), self._data(asked["rpId"], self.flags)
        signature = self.key.sign(data + hashlib.sha256(client_data).digest(), ec.ECDSA(SHA256()))
        return self._response(clientDataJSON=client_data, authenticatorData=bytes(data), signature=signature)

    def _response(self, **parts: bytes) -> str:
        name = websafe_encode(self.id)
        response = {part: websafe_encode(value) for part, value in parts.items()}
        return json.dumps({"id": name, "rawId": name, "type": "public-key", "response": response})
