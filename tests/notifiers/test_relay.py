"""The second path: everything leaves, in order, at least once, and a sink that fails loses nothing."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pyrage
import pytest
from minio import Minio
from moto.server import ThreadedMotoServer

from models.desk import Desk
from models.errors import BadConfiguration, BadInput
from models.record import ANCHOR, CHECKPOINT
from models.relaying import BACKOFF_SECONDS, FolderRelay, ObjectRelay, Standing, SyslogRelay, pause_seconds
from notifiers.objectstore import ObjectStore, ObjectStoreError
from notifiers.relay.building import build
from notifiers.relay.folder import FolderSink
from notifiers.relay.objects import ObjectSink
from notifiers.relay.sealing import opener, sealer
from notifiers.relay.sink import SinkError, SinkTaken
from notifiers.relay.source import backlog
from notifiers.relay.syslog import SyslogSink
from tests.models.small import NIGHT
from tests.notifiers.relayhouse import carrier, carry, desk_at, facts, lines, note, stored


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = desk_at(tmp_path / "node" / "hikeshi.db")
    yield made
    made.record.close()


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    path = tmp_path / "vault"
    path.mkdir()
    return path


def kept(vault: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(vault.iterdir()))


# -- a folder -----------------------------------------------------------------------------------------------


def test_everything_that_is_written_leaves_with_its_texts_and_documents(desk: Desk, vault: Path) -> None:
    one = carrier(desk, FolderSink(vault))
    carry(desk, one)
    note(desk, 'A text with 日本語 and "quotes"\nin two lines')
    carry(desk, one)
    found = lines(kept(vault))
    assert facts(found) == stored(desk)
    texts = {line["digest"]: line["body"] for line in found if line["t"] == "text"}
    assert "Files encrypted" in texts.values()
    assert 'A text with 日本語 and "quotes"\nin two lines' in texts.values()
    documents = {line["digest"] for line in found if line["t"] == "document"}
    declared = desk.incident("INC-2026-0001")
    assert {declared.policy, declared.playbooks["unknown"].digest} <= documents
    assert len(documents) == sum(line["t"] == "document" for line in found)
    one.close()


def test_order_within_a_stream_is_kept_and_nothing_new_costs_no_look(desk: Desk, vault: Path) -> None:
    one = carrier(desk, FolderSink(vault))
    for number in range(20):
        note(desk, f"note {number}")
        if number % 7 == 0:
            carry(desk, one)
    assert carry(desk, one) > 0
    seqs = [line["seq"] for line in lines(kept(vault)) if line["t"] == "fact" and "INC" in line["stream"]]
    assert seqs == sorted(seqs) and len(set(seqs)) == len(seqs)
    one.something_new()
    assert not one.something_new()
    assert carry(desk, one) == 0
    one.close()


def test_checkpoints_and_anchors_leave_after_the_facts_and_once(desk: Desk, vault: Path) -> None:
    one = carrier(desk, FolderSink(vault))
    with desk.record.begin() as tx:
        made = {"number": 1, "at": 0, "body": b'{"v":1}', "key": "k", "signature": b"\x01\x02"}
        tx.connection.execute(CHECKPOINT.insert(), made)
        placed = {"checkpoint": 1, "kind": "rfc3161", "place": "tsa", "at": 1_000_000, "receipt": "r"}
        tx.connection.execute(ANCHOR.insert(), placed | {"token": b"DER"})
    carry(desk, one)
    assert carry(desk, one) == 0
    checkpoint, anchor = lines(kept(vault))[-2:]
    assert checkpoint == {"t": "checkpoint", "number": 1, "body": '{"v":1}', "key": "k", "signature": "0102"}
    assert (anchor["checkpoint"], anchor["at"], anchor["where"], anchor["token"]) == (
        1, "1970-01-01T00:00:01.000000Z", "tsa", "REVS",
    )  # fmt: skip
    one.close()


def test_without_texts_no_personal_word_leaves(desk: Desk, vault: Path) -> None:
    one = carrier(desk, FolderSink(vault, texts=False))
    carry(desk, one)
    assert {line["t"] for line in lines(kept(vault))} == {"fact"}
    assert b"Files encrypted" not in kept(vault)
    one.close()


def test_what_was_sent_and_not_marked_goes_again_with_the_same_bytes(desk: Desk, vault: Path) -> None:
    first = carrier(desk, FolderSink(vault))
    first.carry()  # killed before the mark
    first.close()
    second = carrier(desk, FolderSink(vault))
    carry(desk, second)
    second.close()
    found = facts(lines(kept(vault)))
    assert sorted(set(found)) == stored(desk) and len(found) == 2 * len(stored(desk))
    assert [path.name for path in sorted(vault.iterdir())] == ["facts-00000001.jsonl", "facts-00000002.jsonl"]


def test_a_long_segment_is_followed_by_a_new_one(desk: Desk, vault: Path) -> None:
    one = carrier(desk, FolderSink(vault, segment_bytes=4_096))
    for _ in range(6):
        note(desk, "x" * 2_000)
        carry(desk, one)
    assert len(list(vault.iterdir())) > 1
    assert facts(lines(kept(vault))) == stored(desk)
    one.close()


def test_a_folder_that_is_not_there_or_not_mounted_takes_nothing(
    desk: Desk, tmp_path: Path, vault: Path
) -> None:
    missing = carrier(desk, FolderSink(tmp_path / "none"))
    with pytest.raises(SinkError, match="is it mounted"):
        missing.carry()
    missing.failed(SinkError("x"), NIGHT)
    assert missing.standing.pending == len(stored(desk)) and missing.standing.tries == 1
    plain = carrier(desk, FolderSink(vault, mount=True))
    with pytest.raises(SinkError, match="nothing is mounted there"):
        plain.carry()
    assert list(vault.iterdir()) == []
    missing.close()
    plain.close()


def test_another_writer_in_the_same_place_is_an_alarm(desk: Desk, vault: Path) -> None:
    one = carrier(desk, FolderSink(vault))
    carry(desk, one)
    (vault / "facts-00000002.jsonl").write_bytes(b"")
    note(desk, "more")
    with pytest.raises(SinkTaken, match="does another node go on"):
        one.carry()
    one.close()


def test_a_full_disk_lets_nobody_jump_over_another_writers_segment(
    desk: Desk, vault: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = carrier(desk, FolderSink(vault))
    carry(desk, one)
    one.sink.close()
    note(desk, "more")
    real = os.open

    def full(path: Path, flags: int, *rest: int) -> int:
        if flags & os.O_CREAT:
            raise OSError(28, os.strerror(28))
        return real(path, flags, *rest)

    monkeypatch.setattr(os, "open", full)
    for _ in range(3):
        with pytest.raises(SinkError, match="No space left"):
            one.carry()
    monkeypatch.setattr(os, "open", real)
    (vault / "facts-00000002.jsonl").write_bytes(b"")
    with pytest.raises(SinkTaken, match="does another node go on"):
        one.carry()
    # Nor if only what came after it is there.
    (vault / "facts-00000002.jsonl").rename(vault / "facts-00000003.jsonl")
    with pytest.raises(SinkTaken, match="does another node go on"):
        one.carry()
    one.close()


def test_an_older_database_in_its_place_sends_nothing_under_the_old_numbers(
    desk: Desk, vault: Path, tmp_path: Path
) -> None:
    backup = desk_at(tmp_path / "other" / "hikeshi.db")
    one = carrier(desk, FolderSink(vault))
    carry(desk, one)
    one.close()
    other = carrier(backup, FolderSink(vault))
    with pytest.raises(SinkTaken, match="is not what this record holds"):
        other.carry()
    other.close()
    backup.record.close()
    assert facts(lines(kept(vault))) == stored(desk)


def test_a_full_disk_loses_nothing(desk: Desk, vault: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a segment lands, then no more: /dev/full answers as a full disk does."""
    one = carrier(desk, FolderSink(vault))
    full = os.open("/dev/full", os.O_WRONLY)
    real = os.write

    def write(descriptor: int, data: bytes) -> int:
        real(descriptor, bytes(data)[:100])
        return real(full, data)

    monkeypatch.setattr(os, "write", write)
    with pytest.raises(SinkError, match="No space left"):
        one.carry()
    monkeypatch.setattr(os, "write", real)
    os.close(full)
    carry(desk, one)
    one.close()
    torn, whole = (path.read_bytes() for path in sorted(vault.iterdir()))
    assert len(torn) == 100 and not torn.endswith(b"\n")
    assert facts(lines(whole)) == stored(desk)


def test_sealed_segments_are_opened_by_their_key_alone(desk: Desk, vault: Path) -> None:
    identity, other = pyrage.x25519.Identity.generate(), pyrage.x25519.Identity.generate()
    one = carrier(desk, FolderSink(vault, seal=sealer([str(identity.to_public())])))
    carry(desk, one)
    note(desk, "secret word")
    carry(desk, one)
    one.close()
    paths = sorted(vault.iterdir())
    assert [path.name for path in paths] == ["facts-00000001.jsonl.age", "facts-00000002.jsonl.age"]
    assert b"secret word" not in kept(vault)
    unseal = opener([str(identity)])
    assert facts([line for path in paths for line in lines(unseal(path.read_bytes()))]) == stored(desk)
    with pytest.raises(BadInput, match="cannot be opened"):
        opener([str(other)])(paths[0].read_bytes())
    with pytest.raises(BadInput, match="no age identity") as wrong:
        opener(["AGE-SECRET-KEY-1WRONG"])
    assert "WRONG" not in str(wrong.value)


# -- syslog -------------------------------------------------------------------------------------------------


class SyslogServer:
    """Takes one connection after the other and reads octet-counted frames."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._context = context
        self.frames: list[bytes] = []
        self.close_after = 10**9
        self._arrived = threading.Condition()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                with suppress(OSError, ssl.SSLError, ValueError), connection:
                    wrapped = (
                        self._context.wrap_socket(connection, server_side=True)
                        if self._context
                        else connection
                    )
                    self._read(wrapped)

    def _read(self, connection: socket.socket) -> None:
        with connection.makefile("rb") as stream:
            while self.close_after > 0:
                length = b""
                while (one := stream.read(1)) not in {b" ", b""}:
                    length += one
                if not length:
                    return
                body = stream.read(int(length))
                with self._arrived:
                    self.close_after -= 1
                    self.frames.append(body)
                    self._arrived.notify_all()

    def wait(self, count: int) -> list[bytes]:
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.frames) >= count, 10)
            return list(self.frames)

    def close(self) -> None:
        self._listening.close()


@pytest.fixture
def server() -> Iterator[SyslogServer]:
    made = SyslogServer()
    yield made
    made.close()


def to_syslog(port: int, **fields: object) -> SyslogSink:
    settings = {"name": "audit", "kind": "syslog", "host": "127.0.0.1", "port": port, "tls": False}
    return SyslogSink(SyslogRelay.model_validate(settings | fields))


def test_each_fact_is_one_message_of_rfc_5424(desk: Desk, server: SyslogServer) -> None:
    one = carrier(desk, to_syslog(server.port), "audit")
    carry(desk, one)
    expected = stored(desk)
    frames = server.wait(len(expected))
    head, _, rest = frames[0].partition(b" hikeshi - ")
    assert head.startswith(b"<109>1 2026-11-22T18:00:00.000000Z ")
    kind, _, message = rest.partition(b' [hikeshi@32473 stream="INC-2026-0001" seq="1" hash="')
    assert kind == b"incident.declared" and message
    assert facts([lines(frame)[0] for frame in frames]) == expected
    assert not any(b"Files encrypted" in frame for frame in frames)
    one.close()


def test_a_server_that_closed_is_called_again(desk: Desk, server: SyslogServer) -> None:
    one = carrier(desk, to_syslog(server.port), "audit")
    carry(desk, one)
    count = len(server.wait(len(stored(desk))))
    server.close_after = 0
    note(desk, "wakes the server, which then closes")
    for _ in range(3):
        with suppress(SinkError):
            carry(desk, one)
        server.close_after = 10**9
    server.wait(count + 1)
    assert set(facts([lines(frame)[0] for frame in server.frames])) == set(stored(desk))
    one.close()


def test_nobody_listens(desk: Desk) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    one = carrier(desk, to_syslog(port), "audit")
    with pytest.raises(SinkError, match="ConnectionRefusedError"):
        one.carry()
    every = len(stored(desk))
    with desk.record.read() as tx:
        assert backlog(tx, "audit") == every
    one.close()


def test_tls_with_the_right_authority_and_not_without(desk: Desk, tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(  # noqa: S603
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",  # noqa: S607
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = SyslogServer(context)
    settings = SyslogRelay.model_validate(
        {"name": "audit", "kind": "syslog", "host": "127.0.0.1", "port": server.port, "ca": "cert.pem"}
    )
    trusting = carrier(desk, build(settings, tmp_path, str, desk.clock), "audit")
    carry(desk, trusting)
    assert facts([lines(frame)[0] for frame in server.wait(len(stored(desk)))]) == stored(desk)
    trusting.close()
    blind = carrier(desk, to_syslog(server.port, tls=True), "other")
    with pytest.raises(SinkError, match="CERTIFICATE_VERIFY_FAILED"):
        blind.carry()
    blind.close()
    with pytest.raises(BadConfiguration, match="ca: cannot be read"):
        build(settings.model_copy(update={"ca": "none.pem"}), tmp_path, str, desk.clock)
    server.close()


# -- the settings -------------------------------------------------------------------------------------------


def test_settings_refuse_what_would_not_hold() -> None:
    sealed = {"name": "a", "kind": "folder", "path": "x", "seal_to": ["ssh-ed25519 AAAA"]}
    with pytest.raises(ValueError, match="expected age recipients"):
        FolderRelay.model_validate(sealed)
    clear = {"name": "a", "kind": "object", "endpoint": "http://objects.example.jp", "bucket": "facts",
             "access_key": "env:A", "secret_key": "env:B"}  # fmt: skip
    with pytest.raises(ValueError, match="expected https"):
        ObjectRelay.model_validate(clear)
    assert ObjectRelay.model_validate(clear | {"endpoint": "http://127.0.0.1:9000"}).texts


def test_when_a_sink_is_late_and_when_it_is_tried_again() -> None:
    every = timedelta(seconds=1)
    assert not Standing().is_late(NIGHT, every)
    behind = Standing(behind_since=NIGHT, tries=3)
    assert not behind.is_late(NIGHT + timedelta(seconds=119), timedelta(minutes=2))
    assert behind.is_late(NIGHT + timedelta(minutes=2), timedelta(minutes=2))
    assert pause_seconds(Standing(), every) == 1
    assert [pause_seconds(Standing(tries=n), every) for n in range(1, 9)] == [*BACKOFF_SECONDS, 60, 60]
    assert pause_seconds(behind, timedelta(minutes=5)) == 300


# -- an object store ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def bucket(endpoint: str, name: str, *, lock: bool = True) -> ObjectStore:
    client = Minio(endpoint.removeprefix("http://"), "test", "test", secure=False)
    client.make_bucket(name, object_lock=lock)
    return ObjectStore(endpoint, name, "test", "test", "us-east-1")


def objects(store: ObjectStore, endpoint: str, desk: Desk, **fields: object) -> ObjectSink:
    settings = {"name": "locked", "kind": "object", "endpoint": endpoint, "bucket": store.bucket,
                "access_key": "env:A", "secret_key": "env:B", "prefix": "bank/"}  # fmt: skip
    parsed = ObjectRelay.model_validate(settings | fields)
    sink = build(parsed, Path("/"), lambda _: "test", desk.clock)
    assert isinstance(sink, ObjectSink)
    return sink


def test_segments_become_objects_that_are_locked(desk: Desk, endpoint: str) -> None:
    store = bucket(endpoint, "facts-one")
    one = carrier(desk, objects(store, endpoint, desk), "locked")
    carry(desk, one)
    note(desk, "later")
    carry(desk, one)
    names = list(store.names("bank/"))
    assert names == ["bank/facts-00000001.jsonl", "bank/facts-00000002.jsonl"]
    assert facts([line for name in names for line in lines(store.get(name))]) == stored(desk)
    held = store._client.stat_object(store.bucket, names[0]).metadata or {}
    assert held["x-amz-object-lock-mode"] == "COMPLIANCE"
    assert held["x-amz-object-lock-retain-until-date"].startswith("2027-11-22")
    again = carrier(desk, objects(store, endpoint, desk), "locked")
    note(desk, "after a start")
    carry(desk, again)
    assert list(store.names("bank/"))[-1] == "bank/facts-00000003.jsonl"
    one.close()
    again.close()


def test_a_bucket_without_lock_or_a_missing_one_takes_nothing(desk: Desk, endpoint: str) -> None:
    plain = carrier(desk, objects(bucket(endpoint, "no-lock", lock=False), endpoint, desk), "locked")
    with pytest.raises(SinkError, match="object lock"):
        plain.carry()
    missing = ObjectStore(endpoint, "never-made", "test", "test", "us-east-1")
    with pytest.raises(ObjectStoreError, match="never-made"):
        missing.check_lock()
    gone = ObjectStore("http://127.0.0.1:9", "x-y-z", "access-word", "secret-word")
    with pytest.raises(ObjectStoreError) as failed:
        gone.put_once("a", b"x")
    assert "secret-word" not in str(failed.value) and "access-word" not in str(failed.value)
    plain.close()


def test_an_object_that_arrived_after_all_is_our_own_and_anothers_is_an_alarm(
    desk: Desk, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = bucket(endpoint, "unclear")
    sink = objects(store, endpoint, desk)
    one = carrier(desk, sink, "locked")
    real = sink._store.put_once

    def unclear(name: str, body: bytes, *rest: object) -> str:
        real(name, body)
        raise ObjectStoreError("ReadTimeoutError")

    monkeypatch.setattr(sink._store, "put_once", unclear)
    with pytest.raises(SinkError, match="ReadTimeoutError"):
        one.carry()
    monkeypatch.setattr(sink._store, "put_once", real)
    carry(desk, one)
    assert len(list(store.names("bank/"))) == 2
    store.put_once("bank/facts-00000003.jsonl", b"of somebody else")
    note(desk, "more")
    with pytest.raises(SinkTaken, match="does another node go on"):
        one.carry()
    one.close()
