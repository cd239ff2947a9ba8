"""A source that others have had in hand: what they may try, and what is said before anything is written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from console.opening import House
from console.restore.restoring import CannotRestore, restore
from models.canonical import canonical_bytes, chain_hash
from models.lines import read_line
from models.record import TEXT
from tests.console.clihouse import Cli, cli
from tests.console.test_restore import INC, SATO, edited, rows, there, vault
from tests.notifiers.relayhouse import stored

__all__ = ["cli", "there", "vault"]


def lines(vault: Path) -> Iterator[dict[str, Any]]:
    for segment in sorted(vault.iterdir()):
        yield from map(read_line, segment.read_bytes().splitlines())


def added(vault: Path, *more: dict[str, Any]) -> None:
    """Lines of somebody's own, after all others."""
    with sorted(vault.iterdir())[-1].open("ab") as segment:
        segment.write(b"".join(json.dumps(one).encode() + b"\n" for one in more))


def noted(cli: Cli, vault: Path) -> Path:
    """A checkpoint that lies elsewhere, and a second path that holds it."""
    kept = cli.directory / "kept.json"
    assert cli.run("checkpoint", "now").code == 0
    assert cli.run("checkpoint", "export", str(kept)).code == 0
    cli.done("relay", "now")
    return kept


def test_a_line_that_says_a_text_is_gone_takes_nothing(vault: Path, there: House) -> None:
    text = next(one for one in lines(vault) if one["t"] == "text" and one["stream"] == INC)
    added(vault, text | {"body": None})
    restore(there, vault, SATO, "x")
    assert text["body"] in [row["body"] for row in rows(there, TEXT, "digest")]


def test_a_text_that_is_gone_without_a_decision_is_a_defect(vault: Path, there: House) -> None:
    edited(vault, lambda one: one | {"body": None} if one["t"] == "text" else one)
    with pytest.raises(CannotRestore, match="no decision to dispose of it is there"):
        restore(there, vault, SATO, "x")


def test_a_text_whose_salt_takes_some_of_it_is_a_defect(vault: Path, there: House) -> None:
    def moved(one: dict[str, Any]) -> dict[str, Any]:
        if one["t"] != "text":
            return one
        return one | {"salt": one["salt"] + one["body"][:1].encode().hex(), "body": one["body"][1:]}

    edited(vault, moved)
    with pytest.raises(CannotRestore, match="is not 16 bytes"):
        restore(there, vault, SATO, "x")
    assert stored(there.desk) == []


def forged(vault: Path) -> dict[str, Any]:
    """A fact of somebody's own at the end of the incident, well chained."""
    last = max(
        (one for one in lines(vault) if one["t"] == "fact" and one["stream"] == INC),
        key=lambda one: int(one["seq"]),
    )
    content = json.loads(last["body"]) | {"seq": last["seq"] + 1, "actor": "mallory"}
    body = canonical_bytes(content)
    head = chain_hash(bytes.fromhex(last["hash"]), body)
    return last | {"seq": last["seq"] + 1, "body": body.decode(), "hash": head.hex()}


def test_how_much_lies_behind_the_last_checkpoint_is_said_before_it_is_written(
    cli: Cli, vault: Path, there: House
) -> None:
    noted(cli, vault)
    key = cli.run("key", "show", "--json").json["key"]
    added(vault, forged(vault))
    into = ("--into", str(there.institution.directory), "--take-over", "x", "--json")
    refused = cli.run("restore", str(vault), *into, who="nobody-at-all")
    assert "lie behind" not in refused.err
    done = cli.run("restore", str(vault), *into)
    assert done.code == 0, done
    assert (done.json["behind"] >= 1, done.json["signed_by"]) == (True, key)
    assert f"{done.json['behind']} facts lie behind the last checkpoint" in done.err and key in done.err


def test_a_source_without_checkpoints_says_so(cli: Cli, vault: Path, there: House) -> None:
    done = cli.run("restore", str(vault), "--into", str(there.institution.directory), "--take-over", "x")
    assert done.code == 0 and "no checkpoint: nothing but their own chain" in done.err


def test_a_source_computed_anew_is_refused_if_a_checkpoint_from_elsewhere_is_given(
    cli: Cli, vault: Path, there: House
) -> None:
    kept = noted(cli, vault)
    elsewhere = ("--checkpoint", str(kept), "--key", cli.run("key", "show", "--json").json["public"])
    into = ("--into", str(there.institution.directory), "--take-over", "x")
    facts: dict[str, bytes] = {}
    for segment in vault.iterdir():
        made = []
        for one in map(read_line, segment.read_bytes().splitlines()):
            if one["t"] == "checkpoint":
                continue
            if one["t"] == "fact":
                body = one["body"].replace("sato-kenji", "mallory").encode()
                facts[one["stream"]] = chain_hash(facts.get(one["stream"], bytes(32)), body)
                one |= {"body": body.decode(), "hash": facts[one["stream"]].hex()}
            made.append(json.dumps(one).encode() + b"\n")
        segment.write_bytes(b"".join(made))
    refused = cli.run("restore", str(vault), *into, *elsewhere)
    assert refused.code == 1 and "is not what it was" in refused.err
    assert stored(there.desk) == []
    assert cli.run("restore", str(vault), *into, "--checkpoint", str(vault / "none")).code == 2


def test_a_sound_source_holds_against_what_lay_elsewhere(cli: Cli, vault: Path, there: House) -> None:
    kept = noted(cli, vault)
    key = cli.run("key", "show", "--json").json["public"]
    into = ("--into", str(there.institution.directory), "--take-over", "x")
    done = cli.run("restore", str(vault), *into, "--checkpoint", str(kept), "--key", key)
    assert done.code == 0, done
