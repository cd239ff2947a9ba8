"""Style sheets and scripts, ours and vendored, served from memory; the address names their content."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

FOLDER = Path(__file__).parent / "static"
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
FOREVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True, kw_only=True)
class Asset:
    """A file as it is sent."""

    body: bytes
    packed: bytes
    """The same, compressed once. Pages are never: a page holds its form's token beside what others wrote, and
    the length of a compressed answer would tell of it."""
    media: str
    version: str


@cache
def assets() -> dict[str, Asset]:
    """All there are, by their path below `/static`."""
    found = {}
    for path in sorted(FOLDER.rglob("*")):
        if path.suffix in TYPES:
            body = path.read_bytes()
            version = hashlib.sha256(body).hexdigest()[:12]
            name = path.relative_to(FOLDER).as_posix()
            found[name] = Asset(
                body=body, packed=gzip.compress(body, 9, mtime=0), media=TYPES[path.suffix], version=version
            )
    return found


def address(name: str) -> str:
    """Where a page finds it. Raises KeyError if there is none: the tests find those."""
    return f"/static/{name}?v={assets()[name].version}"


async def serve(request: Request) -> Response:
    """One of them; nothing else of the disk can be asked for."""
    found = assets().get(request.path_params["name"])
    if found is None:
        return JSONResponse({"error": "not found"}, 404)
    headers = {"Cache-Control": FOREVER} if request.query_params.get("v") == found.version else {}
    headers["Vary"] = "Accept-Encoding"
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(found.packed, media_type=found.media, headers={**headers, "Content-Encoding": "gzip"})
    return Response(found.body, media_type=found.media, headers=headers)
