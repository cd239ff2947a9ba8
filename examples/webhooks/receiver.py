"""A receiver of Hikeshi's webhooks that trusts nothing unsigned, old or seen before. Standard library only.

    HIKESHI_WEBHOOK_SECRET=whsec_… python3 receiver.py 9000 events.jsonl

Each new event becomes one line of the file before it is answered, so that what is answered is kept.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import sys
import time
from collections import OrderedDict
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

WINDOW_SECONDS = 300
LARGEST = 65_536
REMEMBERED = 100_000


def wrong_with(key: bytes, headers: dict[str, str], body: bytes, now: float) -> str:
    """Why an event is not from the holder of the secret, or not of now; empty if it is."""
    event, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    digest = hmac.new(key, b".".join((event.encode(), stamp.encode(), body)), hashlib.sha256).digest()
    expected = "v1," + base64.b64encode(digest).decode()
    given = headers.get("webhook-signature", "").split(" ")
    # While a secret is changed there is one signature for each; any that is right will do.
    if not any(hmac.compare_digest(expected.encode(), one.encode("utf-8", "replace")) for one in given):
        return "wrong signature"
    if not stamp.isascii() or not stamp.isdecimal() or abs(now - int(stamp[:12])) > WINDOW_SECONDS:
        return "too old"
    return ""


class Receiver(BaseHTTPRequestHandler):
    """Answers 204 for what it has kept, now or before, and 400 for what it does not believe."""

    key: bytes
    kept: Path
    seen: OrderedDict[str, None]
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_POST(self) -> None:
        length = self.headers.get("content-length", "")
        if not length.isdecimal() or int(length) > LARGEST:
            self.close_connection = True
            self._answer(413)
            return
        body = self.rfile.read(int(length))
        headers = {name.lower(): value for name, value in self.headers.items()}
        wrong = wrong_with(self.key, headers, body, time.time())
        if wrong:
            self._answer(400, wrong)
            return
        # Sent again means: our answer was lost. The id is the same, and it is kept once.
        if headers["webhook-id"] not in self.seen:
            with self.kept.open("a", encoding="utf-8") as file:
                file.write(json.dumps(json.loads(body), ensure_ascii=False) + "\n")
                file.flush()
                os.fsync(file.fileno())
            self.seen[headers["webhook-id"]] = None
            while len(self.seen) > REMEMBERED:
                self.seen.popitem(last=False)
        self._answer(204)

    def _answer(self, status: int, text: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Nothing: the file says what came."""


def serve(port: int, kept: Path, secret: str) -> HTTPServer:
    """A receiver on this machine's loopback; what it has kept before is not kept again."""
    Receiver.key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    Receiver.kept = kept
    lines = kept.read_text(encoding="utf-8").splitlines() if kept.exists() else []
    Receiver.seen = OrderedDict((json.loads(line)["id"], None) for line in lines[-REMEMBERED:])
    return HTTPServer(("127.0.0.1", port), Receiver)


if __name__ == "__main__":
    server = serve(int(sys.argv[1]), Path(sys.argv[2]), os.environ["HIKESHI_WEBHOOK_SECRET"])
    print(f"listening on {server.server_address[1]}", flush=True)
    server.serve_forever()
