"""Another site of the tests' own, which tells by OpenID Connect who somebody is, truly or not."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

CLIENT, SECRET = "winnow", "a secret of both sites that is long enough to sign"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
ANOTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


class _Answers(BaseHTTPRequestHandler):
    server: IdentityProvider

    def do_GET(self) -> None:
        site = self.server.issuer
        if self.path == "/.well-known/openid-configuration":
            places = {"authorization": "authorize", "token": "token", "userinfo": "userinfo"}
            told = {f"{name}_endpoint": f"{site}/{path}" for name, path in places.items()}
            self._say({"issuer": site, "jwks_uri": f"{site}/keys", **told, **self.server.says_of_itself})
        elif self.path == "/keys":
            key = {"kid": "1", "use": "sig", "alg": "RS256"}
            self._say({"keys": [RSAAlgorithm.to_jwk(KEY.public_key(), as_dict=True) | key]})
        elif self.headers["Authorization"] == "Bearer for userinfo":
            self._say(self.server.userinfo)

    def do_POST(self) -> None:
        sent = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        asked = self.server.codes.pop(sent["code"][0], None)
        verifier = hashlib.sha256(sent["code_verifier"][0].encode()).digest()
        challenge = base64.urlsafe_b64encode(verifier).rstrip(b"=").decode()
        basic = base64.b64encode(f"{CLIENT}:{SECRET.replace(' ', '%20')}".encode()).decode()
        is_right = self.headers["Authorization"] == f"Basic {basic}" or sent.get("client_secret") == [SECRET]
        if asked is None or not is_right or asked["code_challenge"] != challenge:
            self._say({"error": "invalid_grant"}, 400)
            return
        claims = {"nonce": asked["nonce"], **self.server.claims()}
        key, algorithm = self.server.signs_with
        token = jwt.encode(claims, key, algorithm=algorithm, headers={"kid": "1"})
        self._say({"access_token": "for userinfo", "token_type": "Bearer", "id_token": token})

    def _say(self, told: Any, status: int = 200) -> None:
        body = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: Any) -> None:
        pass


class IdentityProvider(ThreadingHTTPServer):
    """`person` is who is logged in there; a test changes what is claimed and what it is signed with."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.issuer = f"http://127.0.0.1:{self.server_address[1]}"
        self.person: dict[str, Any] = {"sub": "ada-1", "email": "ada@example.org", "email_verified": True}
        self.userinfo: dict[str, Any] = {}
        self.says_of_itself: dict[str, Any] = {}
        self.signs_with: tuple[Any, str] = (KEY, "RS256")
        self.codes: dict[str, dict[str, str]] = {}
        Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def claims(self) -> dict[str, Any]:
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 60, **self.person}
        return {name: value for name, value in claims.items() if value is not None}

    def close(self) -> None:
        self.shutdown()
        self.server_close()

    def lets_in(self, address: str) -> str:
        """Return where it sends a browser that came to `address`, after its person has agreed."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        assert address.startswith(f"{self.issuer}/authorize?")
        code = f"code-{len(self.codes)}-{asked['nonce'][:5]}"
        self.codes[code] = asked
        answer = urlencode({"code": code, "state": asked["state"]})
        return f"{asked['redirect_uri'].removeprefix('https://label.example.org')}?{answer}"
