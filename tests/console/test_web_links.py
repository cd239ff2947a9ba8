"""Signed links: made whole, read whole, and otherwise dead, always in the same words."""

from __future__ import annotations

import base64
import json
import os
from datetime import timedelta
from pathlib import Path

import pytest
from itsdangerous import URLSafeSerializer

from console.web.links import DEAD, KEY_FILE, form_token, link_maker, read, sign, signing_key
from models.desk import Desk
from models.errors import BadConfiguration, NotFound
from playbooks.institution import Institution
from tests.conftest import THREE_AT_NIGHT as NOW
from tests.console.webhouse import make_house

KEY = b"k" * 32
OTHER = b"o" * 32


def forged(content: object, key: bytes = KEY, salt: str = "hikeshi.page.v1") -> str:
    made = URLSafeSerializer(key, salt=salt).dumps(content)
    return made if isinstance(made, str) else made.decode()


def test_a_link_says_its_page_and_its_person() -> None:
    link = read(KEY, sign(KEY, "INC-2026-0001", 6, "kato-hiroshi", NOW), NOW)
    assert (link.stream, link.page, link.person) == ("INC-2026-0001", 6, "kato-hiroshi")
    assert link.until == NOW + timedelta(days=14)


def test_a_link_ends_after_fourteen_days() -> None:
    token = sign(KEY, "INC-2026-0001", 6, "kato-hiroshi", NOW)
    assert read(KEY, token, NOW + timedelta(days=14, seconds=-1))
    with pytest.raises(NotFound, match=DEAD):
        read(KEY, token, NOW + timedelta(days=14))


def test_a_token_can_stand_in_an_address() -> None:
    token = sign(KEY, "INC-2026-0001", 6, "kato-hiroshi", NOW)
    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")
    assert len(token) < 200


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "x",
        "署名",
        "a" * 10_000,
        forged(["INC-2026-0001", 6, "kato-hiroshi", 2**33]),
        forged(["INC-2026-0001", 6, "kato-hiroshi", 2**33], OTHER),
        sign(OTHER, "INC-2026-0001", 6, "kato-hiroshi", NOW),
        base64.urlsafe_b64encode(json.dumps(["INC-2026-0001", 6, "a", 2**33]).encode()).decode() + ".AAAA",
    ],
)
def test_what_we_did_not_sign_is_dead(token: str) -> None:
    with pytest.raises(NotFound, match=DEAD):
        read(KEY, token, NOW)


def test_no_byte_of_a_link_can_be_changed() -> None:
    token = sign(KEY, "INC-2026-0001", 6, "kato-hiroshi", NOW)
    whole = read(KEY, token, NOW)
    for place in range(len(token)):
        other = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        try:
            # The last character of base64 carries bits that are not used; nothing else may be read.
            assert read(KEY, other, NOW) == whole and place == len(token) - 1
        except NotFound as dead:
            assert str(dead) == DEAD


def test_a_form_belongs_to_its_link_and_its_key() -> None:
    assert form_token(KEY, "a") == form_token(KEY, "a")
    assert len({form_token(KEY, "a"), form_token(KEY, "b"), form_token(OTHER, "a")}) == 3


def test_the_key_is_made_once_and_only_its_owner_reads_it(
    bank: Institution, desk: Desk, tmp_path: Path
) -> None:
    house = make_house(bank, desk, tmp_path / "var")
    key = signing_key(house)
    file = tmp_path / "var" / KEY_FILE
    assert len(key) == 64 and signing_key(house) == key
    assert file.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path / "var") == [KEY_FILE]


def test_a_key_that_another_process_made_meanwhile_is_taken(
    bank: Institution, desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = make_house(bank, desk, tmp_path)
    (tmp_path / KEY_FILE).write_bytes(b"z" * 40)
    (tmp_path / KEY_FILE).chmod(0o600)
    seen: list[Path] = []
    exists = Path.exists

    def not_yet(path: Path) -> bool:
        seen.append(path)
        return False if path.name == KEY_FILE and len(seen) == 1 else exists(path)

    monkeypatch.setattr(Path, "exists", not_yet)
    assert signing_key(house) == b"z" * 40
    assert os.listdir(tmp_path) == [KEY_FILE]


def test_a_key_that_others_can_read_or_that_is_short_is_refused(
    bank: Institution, desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = make_house(bank, desk, tmp_path)
    file = tmp_path / KEY_FILE
    file.write_bytes(b"z" * 40)
    file.chmod(0o644)
    with pytest.raises(BadConfiguration, match="chmod 600"):
        signing_key(house)
    file.write_bytes(b"z" * 31)
    file.chmod(0o600)
    with pytest.raises(BadConfiguration, match="shorter than 32"):
        signing_key(house)
    monkeypatch.setenv("HIKESHI_TEST_KEY", "s" * 33)
    named = make_house(bank, desk, tmp_path, signing_key="env:HIKESHI_TEST_KEY")
    assert signing_key(named) == b"s" * 33
    monkeypatch.setenv("HIKESHI_TEST_KEY", "short")
    with pytest.raises(BadConfiguration, match="HIKESHI_TEST_KEY"):
        signing_key(named)


@pytest.mark.parametrize(
    ("settings", "base"),
    [
        ({}, "http://127.0.0.1:8410/p/"),
        ({"host": "::1", "port": 9000}, "http://[::1]:9000/p/"),
        ({"public_url": "https://hikeshi.example.jp/"}, "https://hikeshi.example.jp/p/"),
    ],
)
def test_links_in_messages_lead_to_this_node(
    bank: Institution, desk: Desk, tmp_path: Path, settings: dict[str, object], base: str
) -> None:
    link = link_maker(make_house(bank, desk, tmp_path, **settings), KEY)(
        "INC-2026-0001", 6, "kato-hiroshi", "email"
    )
    assert link.startswith(base)
    assert read(KEY, link.removeprefix(base), NOW).person == "kato-hiroshi"
