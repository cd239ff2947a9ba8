"""HTML and SVG as trees: whatever is put into them is text, so nothing needs escaping by hand."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

Child = ET.Element | str | None
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def element(tag: str, *children: Child, **attributes: object) -> ET.Element:
    """An element. `class_` is the attribute `class`, `stroke_width` is `stroke-width`; None is left out."""
    made = ET.Element(
        tag,
        {
            name.rstrip("_").replace("_", "-"): clean(str(value))
            for name, value in attributes.items()
            if value is not None
        },
    )
    for child in children:
        add(made, child)
    return made


def add(parent: ET.Element, child: Child) -> None:
    """Put an element or a text at the end of `parent`."""
    if isinstance(child, ET.Element):
        parent.append(child)
    elif child and len(parent):
        parent[-1].tail = (parent[-1].tail or "") + clean(child)
    elif child:
        parent.text = (parent.text or "") + clean(child)


def clean(text: str) -> str:
    """`text` without the characters that XML cannot hold."""
    return _NOT_XML.sub("", text)


def written(root: ET.Element, head: str = "") -> str:
    """The tree as text; empty elements keep their end tag out only where HTML has none."""
    return f"{head}{ET.tostring(root, encoding='unicode')}\n"
