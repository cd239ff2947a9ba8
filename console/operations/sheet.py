"""An answer as values of JSON, for a command line elsewhere that shows it to people, and back.

    {"code": 0, "message": "", "document": null, "raw": "", "file": null,
     "said": [{"line": "…", "style": "good", "indent": 0},
              {"section": "…", "parts": [{"line": "…", "style": "plain", "indent": 1},
                                         {"table": {"headers": ["…"], "whole": [0],
                                                    "rows": [{"cells": ["…"], "style": "bad"}]}}]}],
     "aside": []}

`said` is what a terminal shows, `aside` what it shows on standard error, `raw` a text that is the answer as
it stands, `document` what `--json` prints. `file` is `{"name", "media_type", "base64"}`. Its media type is
`application/vnd.hikeshi.sheet+json`.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from typing import Any, cast, get_args

from console.operations.files import Handed
from console.operations.running import Answer
from console.views.sheet import Line, Row, Section, Style, Table

MEDIA_TYPE = "application/vnd.hikeshi.sheet+json"
_STYLES = frozenset(get_args(Style))


def to_json(answer: Answer) -> dict[str, Any]:
    """The answer as values of JSON. Its file is read, and closed."""
    return {
        "code": answer.code,
        "message": answer.message,
        "document": answer.document,
        "raw": answer.raw,
        "file": file_json(answer.file) if answer.file is not None else None,
        "said": [part_json(one) for one in answer.said],
        "aside": [part_json(one) for one in answer.aside],
    }


def file_json(file: Handed) -> dict[str, str]:
    """A file as values of JSON."""
    with file.stream:
        body = base64.b64encode(file.stream.read()).decode()
    return {"name": file.name, "media_type": file.media_type, "base64": body}


def part_json(part: Section | Line | Table) -> dict[str, Any]:
    """A section, a line or a table."""
    if isinstance(part, Line):
        return {"line": part.text, "style": part.style, "indent": part.indent}
    if isinstance(part, Section):
        return {"section": part.title, "parts": [part_json(one) for one in part.parts]}
    rows = [{"cells": list(row.cells), "style": row.style} for row in part.rows]
    return {"table": {"headers": list(part.headers), "whole": list(part.whole), "rows": rows}}


def from_json(content: Mapping[str, Any]) -> Answer:
    """The answer again. Raises ValueError if it is none: what comes over the network is data."""
    try:
        file = content.get("file")
        return Answer(
            code=int(content["code"]),
            document=content.get("document"),
            said=[_shown(one) for one in content.get("said") or ()],
            aside=[_shown(one) for one in content.get("aside") or ()],
            raw=str(content.get("raw") or ""),
            message=str(content.get("message") or ""),
            file=_file(file) if file is not None else None,
        )
    except (KeyError, TypeError, AttributeError) as wrong:
        raise ValueError(f"this is no answer of Hikeshi's: {wrong}") from wrong


def _file(content: Mapping[str, Any]) -> Handed:
    body = base64.b64decode(content["base64"], validate=True)
    return Handed(
        name=str(content["name"]),
        media_type=str(content["media_type"]),
        size=len(body),
        stream=io.BytesIO(body),
    )


def _shown(content: Mapping[str, Any]) -> Section | Line:
    if "section" not in content:
        return _line(content)
    parts = tuple(_table(one["table"]) if "table" in one else _line(one) for one in content["parts"])
    return Section(title=str(content["section"]), parts=parts)


def _line(content: Mapping[str, Any]) -> Line:
    return Line(text=str(content["line"]), style=_style(content), indent=int(content.get("indent") or 0))


def _table(content: Mapping[str, Any]) -> Table:
    rows = tuple(Row(cells=tuple(map(str, one["cells"])), style=_style(one)) for one in content["rows"])
    return Table(
        headers=tuple(map(str, content["headers"])),
        rows=rows,
        whole=tuple(int(one) for one in content.get("whole") or ()),
    )


def _style(content: Mapping[str, Any]) -> Style:
    style = content.get("style")
    return cast(Style, style) if style in _STYLES else "plain"
