"""An S3 object store with object lock: what is put there stays, whoever owns this host.

Blocking: call it in a thread of its own. Secrets are given as values and never shown.
"""

from __future__ import annotations

import hashlib
import io
from base64 import b64encode
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from models.errors import HikeshiError, NotFound

if TYPE_CHECKING:
    from minio import Minio

TIMEOUT_SECONDS = 20.0
MAX_OBJECT = 256 * 1024 * 1024
MISSING = frozenset({"NoSuchKey", "NoSuchObject"})
Mode = Literal["compliance", "governance"]


class ObjectStoreError(HikeshiError):
    """The object store cannot be used now; the message says what it answered, never a secret."""


class ObjectStore:
    """One bucket."""

    def __init__(self, endpoint: str, bucket: str, access: str, secret: str, region: str = "") -> None:
        self.bucket = bucket
        self.place = f"{urlsplit(endpoint).netloc}/{bucket}"
        self._client = _client(endpoint, access, secret, region)

    def check_lock(self) -> None:
        """Raises ObjectStoreError unless the bucket is there and was made with object lock."""
        self._ask(lambda: self._client.get_object_lock_config(self.bucket), "object lock")

    def put_once(
        self, name: str, body: bytes, until: datetime | None = None, mode: Mode = "compliance"
    ) -> str:
        """Store an object that nobody can delete before `until`; its version. Raises ObjectStoreError.

        With object lock a second object of this name is a further version; the first one stays.
        """
        from minio.commonconfig import COMPLIANCE, GOVERNANCE  # noqa: PLC0415
        from minio.retention import Retention  # noqa: PLC0415

        modes = {"compliance": COMPLIANCE, "governance": GOVERNANCE}
        retention = Retention(modes[mode], until) if until is not None else None
        # A store demands a checksum of what it locks, and compares it with what arrived.
        checksum = b64encode(hashlib.sha256(body).digest()).decode()
        headers: Any = {"x-amz-sdk-checksum-algorithm": "SHA256", "x-amz-checksum-sha256": checksum}
        stored = self._ask(
            lambda: self._client.put_object(
                self.bucket, name, io.BytesIO(body), len(body), metadata=headers, retention=retention
            ),
            name,
        )
        return str(stored.version_id or "")

    def get(self, name: str) -> bytes:
        """The object's bytes. Raises NotFound, ObjectStoreError."""

        def read() -> bytes:
            answer = self._client.get_object(self.bucket, name)
            try:
                body = bytes(answer.read(MAX_OBJECT + 1))
            finally:
                answer.close()
                answer.release_conn()
            if len(body) > MAX_OBJECT:
                raise ObjectStoreError(f"{self.place}/{name}: larger than {MAX_OBJECT} bytes")
            return body

        found: bytes = self._ask(read, name)
        return found

    def has(self, name: str) -> bool:
        """Whether there is an object of this name."""
        try:
            self._ask(lambda: self._client.stat_object(self.bucket, name), name)
        except NotFound:
            return False
        return True

    def names(self, prefix: str = "") -> Iterator[str]:
        """The names of all objects that begin with `prefix`, in order."""
        listed = self._ask(
            lambda: [
                str(one.object_name)
                for one in self._client.list_objects(self.bucket, prefix=prefix, recursive=True)
            ],
            "listing",
        )
        yield from sorted(listed)

    def _ask(self, call: Any, what: str) -> Any:
        from minio.error import MinioException, S3Error  # noqa: PLC0415
        from urllib3.exceptions import HTTPError  # noqa: PLC0415

        try:
            return call()
        except S3Error as answered:
            if answered.code in MISSING:
                raise NotFound(f"{self.place}: there is no {what}") from None
            raise ObjectStoreError(f"{self.place}: {what}: answered {answered.code}") from None
        except (MinioException, HTTPError, OSError, ValueError) as failed:
            raise ObjectStoreError(f"{self.place}: {what}: {type(failed).__name__}") from None


def _client(endpoint: str, access: str, secret: str, region: str) -> Minio:
    import urllib3  # noqa: PLC0415
    from minio import Minio  # noqa: PLC0415 - 0.2 s that only who uses a store pays

    parts = urlsplit(endpoint)
    pool = urllib3.PoolManager(
        timeout=urllib3.Timeout(connect=5.0, read=TIMEOUT_SECONDS), retries=urllib3.Retry(0), maxsize=2
    )
    return Minio(
        parts.netloc,
        access_key=access,
        secret_key=secret,
        secure=parts.scheme == "https",
        region=region or None,
        http_client=pool,
    )
