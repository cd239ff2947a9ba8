"""Which language to speak, found out before anything heavy is imported."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

DIRECTORY_VARIABLE = "HIKESHI_DIR"
LANG_VARIABLE = "HIKESHI_LANG"
DEFAULT = "ja"


def language_of(arguments: Sequence[str], environment: Mapping[str, str], here: Path) -> str:
    """`--lang`, then HIKESHI_LANG, then `lang` of settings.toml, then Japanese."""
    return (
        option(arguments, "--lang")
        or environment.get(LANG_VARIABLE)
        or _of_settings(option(arguments, "--dir") or environment.get(DIRECTORY_VARIABLE), here)
        or DEFAULT
    )


def option(arguments: Sequence[str], name: str) -> str | None:
    """The value of an option as it stands on the command line, before `--`."""
    for number, argument in enumerate(arguments):
        if argument == "--":
            return None
        if argument == name and number + 1 < len(arguments):
            return arguments[number + 1]
        if argument.startswith(f"{name}="):
            return argument.removeprefix(f"{name}=")
    return None


def _of_settings(directory: str | None, here: Path) -> str | None:
    folders = [Path(directory)] if directory else [here, *here.parents]
    for folder in folders:
        if _is_ours(folder):
            return _read_lang(folder / "settings.toml")
    return None


def _is_ours(folder: Path) -> bool:
    try:
        return (folder / "organisation.yaml").is_file()
    except OSError:
        # A name that no file can have; the command itself says so, in the language that is left.
        return False


def _read_lang(path: Path) -> str | None:
    try:
        lang = tomllib.loads(path.read_text(encoding="utf-8")).get("lang")
    except (OSError, ValueError):
        # A broken file is named, with its place, by the command itself.
        return None
    return lang if isinstance(lang, str) else None
