"""`hikeshi init`: a commented, working example bank to make one's own.

The example lies in the package (`playbooks/example`), and `examples/mihon-bank` is the same for reading.
Whoever changes the latter runs `adopt` to bring the change into the package; a test tells when it was
forgotten.
"""

from __future__ import annotations

import re
from pathlib import Path

from models.errors import BadInput
from playbooks import schemas

EXAMPLE = Path(__file__).parent / "example"
IGNORED = "var/\nschemas/\n"
EMPTY_FOLDERS = ("scenarios",)
_KINDS = {".yaml", ".toml", ".json"}
_LANG_YAML = re.compile(r"^lang: ja\b", re.MULTILINE)
_LANG_TOML = re.compile(r'^lang = "ja"', re.MULTILINE)


def write(directory: Path, lang: str) -> list[Path]:
    """Write the example to `directory`, with `lang` (ja or en) as its language, and name the files.

    Raises BadInput if the directory holds anything, or cannot be written.
    """
    if lang not in ("ja", "en"):
        raise BadInput(f"no language {lang!r}; choose ja or en")
    try:
        if directory.exists() and any(directory.iterdir()):
            raise BadInput(f"{directory} is not empty; choose a new directory, nothing was written")
        return [*_copy(directory, lang), *schemas.write(directory)]
    except OSError as wrong:
        raise BadInput(f"{directory} cannot be written: {wrong.strerror}; choose another place") from wrong


def _copy(directory: Path, lang: str) -> list[Path]:
    written = []
    for name, text in {**packaged(), Path(".gitignore"): IGNORED}.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_in(lang, name, text), encoding="utf-8")
        written.append(path)
    for folder in EMPTY_FOLDERS:
        (directory / folder).mkdir(exist_ok=True)
    return written


def packaged() -> dict[Path, str]:
    """The files of the example by their place in the directory."""
    return _files(EXAMPLE)


def _files(folder: Path) -> dict[Path, str]:
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_file() and path.suffix in _KINDS and name.parts[0] not in ("var", schemas.FOLDER):
            found[name] = path.read_text(encoding="utf-8")
    return found


def _in(lang: str, name: Path, text: str) -> str:
    if name.name == "organisation.yaml":
        return _LANG_YAML.sub(f"lang: {lang}", text, count=1)
    return _LANG_TOML.sub(f'lang = "{lang}"', text, count=1) if name.name == "settings.toml" else text


def adopt(example: Path) -> list[Path]:
    """Bring an example directory into the package, giving each of its YAML files its line for editors.

    For people who work on Hikeshi; it writes to both places. Names the files of the package.
    """
    written = []
    for name, text in _files(example).items():
        whole = text
        if name.suffix == ".yaml" and not text.startswith("# yaml-language-server:"):
            whole = schemas.modeline(name) + text
            (example / name).write_text(whole, encoding="utf-8")
        target = EXAMPLE / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(whole, encoding="utf-8")
        written.append(target)
    for stale in set(packaged()) - set(_files(example)):
        (EXAMPLE / stale).unlink()
    (example / ".gitignore").write_text(IGNORED, encoding="utf-8")
    return written
