"""An issuer of tokens on loopback: discovery, keys, and endpoints at which the tests get any token, and have a
schedule invoke its function.

The authorizer of the API verifies these tokens as it verifies those of any OpenID Connect provider.
"""

import base64
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Issuer:
    """Serves on a free port of loopback until the process ends."""

    AUDIENCE = "scrip"
    schedules = None

    def __init__(self):
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def answer(self, body: bytes, kind="application/json"):
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                if self.path == "/.well-known/openid-configuration":
                    self.answer(json.dumps({"issuer": issuer.url, "jwks_uri": f"{issuer.url}/jwks"}).encode())
                elif self.path == "/jwks":
                    self.answer(json.dumps({"keys": [issuer.jwk()]}).encode())
                else:
                    self.send_error(404)

            def do_POST(self):
                if self.path.startswith("/schedules/"):
                    try:
                        event = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                        self.answer(issuer.schedules.run(self.path.rsplit("/", 1)[1], event))
                    except Exception as error:
                        self.send_error(500, explain=str(error))
                    return
                claims = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self.answer(issuer.token(claims).encode(), "text/plain")

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def jwk(self) -> dict:
        numbers = self.key.public_key().public_numbers()
        number = lambda n: encoded(n.to_bytes((n.bit_length() + 7) // 8, "big"))
        return {"kty": "RSA", "kid": "deployed", "use": "sig", "alg": "RS256", "n": number(numbers.n), "e": number(numbers.e)}

    def token(self, claims: dict) -> str:
        now = int(time.time())
        claims = {"iss": self.url, "aud": self.AUDIENCE, "iat": now, "exp": now + 3600, **claims}
        parts = [{"alg": "RS256", "typ": "JWT", "kid": "deployed"}, claims]
        signed = ".".join(encoded(json.dumps(part).encode()) for part in parts)
        signature = self.key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{encoded(signature)}"
