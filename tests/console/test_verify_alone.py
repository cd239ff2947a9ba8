"""The verifier's parts: signatures by the book, the one file, and every place where a record may lie."""

from __future__ import annotations

import ast
import base64
import hashlib
import json
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from console.checkpoints import lines
from console.verify import Unreadable, keep, single_file, verify_path
from console.verifying.signing import _L, _P, signed
from models.clock import ExerciseClock
from models.commands import EndIncident
from models.custody import DisposeTexts
from models.record import Record
from tests.console.tampering import Kept, sound
from tests.models.small import AMY, CHO, NIGHT, by, open_desk

DOCS = Path(__file__).parents[2] / "docs"
ALONE = DOCS / "verify.py"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    return sound(tmp_path_factory.mktemp("sound"), notes=22)


# -- the one file -------------------------------------------------------------------------------------------


def test_the_file_verifies_a_large_database_with_workers(kept: Kept, tmp_path: Path) -> None:
    """The very file that is published, but that it takes a few facts for many."""
    assert single_file().count("AT_ONCE = 50_000") == 1
    small = tmp_path / "verify.py"
    small.write_text(single_file().replace("AT_ONCE = 50_000", "AT_ONCE = 7"), encoding="utf-8")
    given = [str(kept.path), "--checkpoint", str(kept.elsewhere), "--key", kept.signer.public.hex()]
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-I", "-S", str(small), *given],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_part_takes_a_name_of_another_part() -> None:
    """In one file the later one would win, and the earlier part would do something else."""
    names: list[str] = []
    for node in ast.parse(single_file()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.append(node.name)
        targets = node.targets if isinstance(node, ast.Assign) else []
        names += [one.id for one in targets if isinstance(one, ast.Name)]
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.append(node.target.id)
    assert len(names) > 50
    assert [name for name in set(names) if names.count(name) > 1] == []


def test_the_file_is_made_of_the_parts_and_its_digest_is_published() -> None:
    """`python -c "from console.verify import publish; publish()"` writes both anew."""
    assert ALONE.read_text(encoding="utf-8") == single_file()
    said = (DOCS / "verify.py.sha256").read_text(encoding="utf-8")
    assert said == f"{hashlib.sha256(ALONE.read_bytes()).hexdigest()}  verify.py\n"


def test_the_file_imports_the_standard_library_and_nothing_else() -> None:
    names = {line.split()[1].split(".")[0] for line in ALONE.read_text().splitlines() if _imports(line)}
    assert names <= set(sys.stdlib_module_names)
    assert "sqlite3" in names


def _imports(line: str) -> bool:
    return line.startswith("import ") or (line.startswith("from ") and " import " in line)


# -- Ed25519 ------------------------------------------------------------------------------------------------

# RFC 8032, 7.1: public key, message, signature of TEST 1, 2, 3 and SHA(abc).
RFC_8032 = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
        "d25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
        "387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
        "4a7c15e9716ed28dc027beceea1ec40a",
    ),
    (
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        hashlib.sha512(b"abc").hexdigest(),
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e030"
        "3dca179c138ac17ad9bef1177331a704",
    ),
]


@pytest.mark.parametrize(("public", "message", "signature"), RFC_8032)
def test_vectors_of_rfc_8032(public: str, message: str, signature: str) -> None:
    key, said, mark = bytes.fromhex(public), bytes.fromhex(message), bytes.fromhex(signature)
    assert signed(key, said, mark)
    assert not signed(key, said + b"x", mark)
    assert not signed(key, said, mark[:-1] + bytes([mark[-1] ^ 1]))
    assert not signed(key, said, bytes([mark[0] ^ 1]) + mark[1:])


def _beyond_the_order(key: bytes, mark: bytes) -> tuple[bytes, bytes]:
    s = int.from_bytes(mark[32:], "little") + _L
    return key, mark[:32] + s.to_bytes(32, "little")


BAD: dict[str, Callable[[bytes, bytes], tuple[bytes, bytes]]] = {
    "S is not below the order: the same signature in another form": _beyond_the_order,
    "S with its highest bits set": lambda key, mark: (key, mark[:63] + bytes([mark[63] | 0xE0])),
    "a signature that is too short": lambda key, mark: (key, mark[:63]),
    "a signature that is too long": lambda key, mark: (key, mark + b"\0"),
    "no signature": lambda key, mark: (key, b""),
    "a key that is too short": lambda key, mark: (key[:31], mark),
    "R is no point of the curve": lambda key, mark: (key, (2).to_bytes(32, "little") + mark[32:]),
    "R has y beyond the field": lambda key, mark: (key, (_P + 1).to_bytes(32, "little") + mark[32:]),
    "the key is no point of the curve": lambda key, mark: ((2).to_bytes(32, "little"), mark),
    "the key's y is beyond the field": lambda key, mark: ((_P + 1).to_bytes(32, "little"), mark),
    "x is zero, and its sign is set": lambda key, mark: ((1 | 1 << 255).to_bytes(32, "little"), mark),
    "a key of small order, with which all is signed": lambda key, mark: (
        (1).to_bytes(32, "little"), (1).to_bytes(32, "little") + bytes(32)
    ),
}  # fmt: skip


@pytest.mark.parametrize("why", BAD)
def test_malformed_signatures_and_keys_are_refused(why: str) -> None:
    public, message, signature = (bytes.fromhex(one) for one in RFC_8032[2])
    key, mark = BAD[why](public, signature)
    assert not signed(key, message, mark)


@given(message=st.binary(max_size=300), seed=st.binary(min_size=32, max_size=32), at=st.integers(0, 511))
@settings(max_examples=25, deadline=None)
def test_what_the_library_signs_holds_and_a_changed_bit_does_not(
    message: bytes, seed: bytes, at: int
) -> None:
    key = Ed25519PrivateKey.from_private_bytes(seed)
    public, mark = key.public_key().public_bytes_raw(), key.sign(message)
    assert signed(public, message, mark)
    changed = bytearray(mark)
    changed[at // 8] ^= 1 << at % 8
    assert not signed(public, message, bytes(changed))


# -- where a record lies ------------------------------------------------------------------------------------


def as_lines(path: Path) -> Iterator[dict[str, Any]]:
    """A record as the lines of a second path."""
    with sqlite3.connect(path) as database:
        for stream, seq, kind, body, hashed in database.execute(
            "select stream, seq, kind, body, hash from fact order by rowid"
        ):
            yield {
                "t": "fact", "stream": stream, "seq": seq, "kind": kind, "hash": hashed.hex(),
                "body": body.decode(),
            }  # fmt: skip
        for stream, seq, digest, salt, body in database.execute(
            "select stream, seq, digest, salt, body from text"
        ):
            yield {
                "t": "text", "stream": stream, "seq": seq, "digest": digest, "salt": salt.hex(), "body": body,
            }  # fmt: skip
        for digest, media, body in database.execute("select digest, media, body from document"):
            yield {
                "t": "document", "digest": digest, "media": media, "body": base64.b64encode(body).decode(),
            }  # fmt: skip
    record = Record.at(path)
    with record.read() as tx:
        yield from lines(tx)
    record.close()


def segments(kept: Kept, folder: Path) -> Path:
    """The second path of a record: two segments, one line twice, as after a crash."""
    folder.mkdir()
    all_lines = [json.dumps(line).encode() + b"\n" for line in as_lines(kept.path)]
    half = len(all_lines) // 2
    (folder / "facts-00000001.jsonl").write_bytes(b"".join(all_lines[:half]))
    (folder / "facts-00000002.jsonl").write_bytes(b"".join(all_lines[half - 1 :]))
    return folder


def archive(kept: Kept, path: Path, streams: list[str], **changed: bytes) -> Path:
    """An export of some records."""
    parts: dict[str, list[bytes]] = {"facts.jsonl": [], "documents.jsonl": [], "checkpoints.jsonl": []}
    for line in as_lines(kept.path):
        if line["t"] in {"fact", "text"} and line["stream"] not in streams:
            continue
        kind = {"fact": "facts", "text": "facts", "document": "documents"}.get(line["t"], "checkpoints")
        parts[f"{kind}.jsonl"].append(json.dumps(line).encode() + b"\n")
    files = {name: b"".join(some) for name, some in parts.items()}
    listed = [
        {"path": name, "size": len(body), "sha256": hashlib.sha256(body).hexdigest()}
        for name, body in files.items()
    ]
    with zipfile.ZipFile(path, "w") as made:
        made.writestr(
            "manifest.json", json.dumps({"format": "hikeshi-export/1", "streams": streams, "files": listed})
        )
        for name, body in files.items():
            made.writestr(name, changed.get(name.split(".")[0], body))
    return path


def test_a_second_path_is_verified(kept: Kept, tmp_path: Path) -> None:
    found = verify_path(segments(kept, tmp_path / "second"), keep([str(kept.elsewhere)]))
    assert found.problems == []
    assert found.counts() == verify_path(kept.path, keep([str(kept.elsewhere)])).counts()


def test_a_second_path_with_a_torn_last_line_is_verified_up_to_it(kept: Kept, tmp_path: Path) -> None:
    folder = segments(kept, tmp_path / "second")
    (folder / "facts-00000003.jsonl").write_bytes(b'{"t":"fact","stream":"INC-2026-00')
    found = verify_path(folder)
    assert found.ok
    assert any("torn" in one for one in found.notes)


def test_two_facts_in_one_place_are_found(kept: Kept, tmp_path: Path) -> None:
    folder = segments(kept, tmp_path / "second")
    line = next(one for one in as_lines(kept.path) if one["t"] == "fact" and one["seq"] == 3)
    line["body"] = line["body"].replace('"v":1', '"v":2')
    (folder / "facts-00000003.jsonl").write_text(json.dumps(line) + "\n")
    assert verify_path(folder).bad == {line["stream"]: (3, 3)}


def test_a_line_that_is_none_is_named_by_file_and_number(kept: Kept, tmp_path: Path) -> None:
    folder = segments(kept, tmp_path / "second")
    (folder / "facts-00000003.jsonl").write_text('[]\n{"t":"fact"}\nnothing\n{"t":"fact","seq":1e400}\n')
    assert [one.split(":")[0] for one in verify_path(folder).problems] == [
        f"facts-00000003.jsonl line {number}" for number in (1, 2, 3, 4)
    ]


def test_an_archive_of_one_incident_is_held_against_all_checkpoints(kept: Kept, tmp_path: Path) -> None:
    path = archive(kept, tmp_path / "one.zip", ["INC-2026-0001"])
    found = verify_path(path, keep([str(kept.elsewhere)], [kept.signer.public.hex()]))
    assert found.problems == []
    assert found.streams == 1
    assert found.signatures >= 1


def test_an_archive_whose_file_is_not_the_manifests_is_found(kept: Kept, tmp_path: Path) -> None:
    path = archive(kept, tmp_path / "one.zip", ["INC-2026-0001"], facts=b"")
    problems = verify_path(path).problems
    assert "facts.jsonl: is not what the manifest says" in problems
    assert "INC-2026-0001: the whole record is gone; the manifest names it" in problems


def test_a_record_from_before_there_were_checkpoints_is_verified(kept: Kept, tmp_path: Path) -> None:
    path = kept.copy(tmp_path)
    with sqlite3.connect(path) as database:
        database.execute("drop table checkpoint")
        database.execute("drop table anchor")
    found = verify_path(path)
    assert (found.ok, found.checkpoints) == (True, 0)


def test_texts_disposed_of_by_decision_show_as_disposed(kept: Kept, tmp_path: Path) -> None:
    record = Record.at(kept.copy(tmp_path))
    desk = open_desk(record=record, clock=ExerciseClock(NIGHT + timedelta(days=1)))
    stream = "INC-2026-0001"
    title = desk.incident(stream).title
    assert desk.handle(stream, EndIncident(actor=by(AMY), how="dismissed", reason="nothing")).accepted
    gone = desk.handle(stream, DisposeTexts(actor=by(CHO), digests=(title,), reason="its time is over"))
    assert gone.accepted, gone
    record.close()
    found = verify_path(tmp_path / "copy.db", keep([str(kept.elsewhere)]))
    assert (found.problems, found.disposed) == ([], 1)


def test_a_text_that_is_gone_without_a_decision_is_found(kept: Kept, tmp_path: Path) -> None:
    path = kept.copy(tmp_path)
    with sqlite3.connect(path) as database:
        database.execute("update text set body = null where rowid = 1")
    found = verify_path(path, keep([str(kept.elsewhere)]))
    assert (found.ok, found.disposed) == (False, 0)
    assert "is gone, and no decision to dispose of it is there" in found.problems[0]


# -- what cannot be read, what does not fit -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a text", b"hello"),
        ("nothing", b""),
        ("a database cut off", b"SQLite format 3\0" + b"\0" * 90),
        ("an archive without a manifest", None),
    ],
)
def test_what_cannot_be_read_ends_with_two(tmp_path: Path, name: str, content: bytes | None) -> None:
    path = tmp_path / "thing"
    if content is None:
        with zipfile.ZipFile(path, "w") as made:
            made.writestr("facts.jsonl", "")
    else:
        path.write_bytes(content)
    command = [sys.executable, "-I", "-S", str(ALONE), str(path)]
    done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - a file of ours
    assert (done.returncode, done.stdout) == (2, b""), name
    assert b"Traceback" not in done.stderr
    assert str(path).encode() in done.stderr


def test_what_is_no_checkpoint_and_no_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "kept.json"
    for text in ('{"t": "checkpoint"}', "[1]", "{", '{"t":"checkpoint","body":1,"signature":"zz"}'):
        path.write_text(text)
        with pytest.raises(Unreadable, match=r"kept\.json: expected"):
            keep([str(path)])
    with pytest.raises(Unreadable, match="64 hexadecimal digits"):
        keep(keys=["abc"])


def test_another_key_than_the_one_known_is_found(kept: Kept) -> None:
    other = Ed25519PrivateKey.generate().public_key().public_bytes_raw().hex()
    [problem] = verify_path(kept.path, keep(keys=[other])).problems
    assert kept.signer.id in problem
    assert "no key before it stands" in problem


def test_a_signature_made_with_another_key_is_found(kept: Kept, tmp_path: Path) -> None:
    path = kept.copy(tmp_path)
    with sqlite3.connect(path) as database:
        [(number, body)] = database.execute(
            "select number, body from checkpoint order by number desc limit 1"
        )
        forged = Ed25519PrivateKey.generate().sign(body)
        database.execute("update checkpoint set signature = ? where number = ?", (forged, number))
    assert verify_path(path).problems == [
        f"checkpoint #{number}: its signature is not that of key {kept.signer.id}"
    ]


def test_a_checkpoint_taken_out_of_the_middle_is_missed(kept: Kept, tmp_path: Path) -> None:
    path = kept.copy(tmp_path)
    with sqlite3.connect(path) as database:
        database.execute("delete from checkpoint where number = 2")
    assert verify_path(path).problems == ["the checkpoints from #2 to #2 are missing"]
