"""The README's list of playbooks, written from the playbooks themselves: `python -m playbooks.readme`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from models.frozen import freeze_playbook
from models.playbook import Playbook
from playbooks.library import shipped

BEGIN, END = "<!-- playbooks -->", "<!-- /playbooks -->"
FILES = {"en": "README.md", "ja": "README.ja.md"}
_HEADING = {"en": "## Playbooks", "ja": "## プレイブック"}
_LEAD = {
    "en": "Run by themselves; steps are counted with those of the parts that they call.",
    "ja": "単独で使うもの。手順の数には、呼び出す部品の手順を含みます。",
}
_PARTS = {"en": "Parts that others call: ", "ja": "ほかから呼び出す部品: "}
_HEADERS = {
    "en": ("playbook", "what it is for", "steps", "decisions"),
    "ja": ("プレイブック", "用途", "手順", "判断"),
}


def table(lang: str) -> str:
    """The shipped playbooks in `ja` or `en`, as it stands between the markers."""
    playbooks = shipped()
    parts = {step.call for one in playbooks.values() for step in one.steps if step.call}
    whole = sorted((one.priority, name) for name, one in playbooks.items() if name not in parts)
    rows = (_row(name, playbooks, lang) for _, name in whole)
    called = ", ".join(f"`{name}`" for name in sorted(parts & set(playbooks)))
    lines = [_LEAD[lang], "", *_table(_HEADERS[lang], rows), "", f"{_PARTS[lang]}{called}"]
    return "\n".join(lines)


def renewed(text: str, lang: str) -> str:
    """`text` with today's table between its markers; without markers, with a section at its end."""
    made = f"{BEGIN}\n{table(lang)}\n{END}"
    if BEGIN not in text or END not in text:
        return f"{text.rstrip()}\n\n{_HEADING[lang]}\n\n{made}\n"
    before, rest = text.split(BEGIN, 1)
    return f"{before}{made}{rest.split(END, 1)[1]}"


def write(root: Path) -> list[Path]:
    """Write the tables into both READMEs under `root`; names those that changed."""
    changed = []
    for lang, name in FILES.items():
        path = root / name
        text = path.read_text(encoding="utf-8")
        new = renewed(text, lang)
        if new != text:
            path.write_text(new, encoding="utf-8")
            changed.append(path)
    return changed


def _row(name: str, playbooks: Mapping[str, Playbook], lang: str) -> tuple[str, ...]:
    playbook = playbooks[name]
    steps = [planned.step for planned in freeze_playbook(name, playbooks).plan.steps.values()]
    decisions = sum(1 for step in steps if step.kind == "decision")
    title = playbook.title.lang(lang)
    summary = playbook.summary.lang(lang) if playbook.summary else ""
    said = f"**{_cell(title)}** {_cell(summary)}".strip()
    return f"`{name}`", said, str(len(steps)), str(decisions)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _table(headers: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(headers)} |"
    yield f"|{'---|' * len(headers)}"
    yield from (f"| {' | '.join(row)} |" for row in rows)


if __name__ == "__main__":
    for one in write(Path.cwd()):
        sys.stdout.write(f"{one}\n")
