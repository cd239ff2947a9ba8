"""From a message to text, in Japanese or English: pure, bounded, and never a reason to lose a page.

A template writes the words; everything it prints from the context is cleaned, cut and escaped for the channel
on its way out (`_escaped` sees each value). What comes out is a head line and paragraphs, which a channel
lays out. Outside text can make neither a line nor a paragraph of its own, and 【】, which mark a drill and a
repeat, are ours alone.

If a template cannot be rendered, the message goes out in a minimal form, and `Rendered.failed` says why.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import FileSystemLoader, StrictUndefined, TemplateError, TemplateNotFound, Undefined, pass_context
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup
from markupsafe import escape as escape_html
from msgspec import Struct

from models.comcheck import TEMPLATE as COMCHECK
from notifiers.message import Message

TEMPLATES = Path(__file__).parent / "templates"
LANGUAGES = ("ja", "en")
VALUE_LIMIT = 600
"""Characters of one printed value at most; a template can ask for fewer with `cut`, or for `lines`."""
BUNDLED_WHAT = 160
"""Characters of what happened, for each page of several in one message."""
STRING_LIMIT, LIST_LIMIT, DEPTH_LIMIT = 4_000, 20, 4
ERROR_LIMIT = 300

_MENTION = re.compile(r"\{#-? mention: (channel) -?#\}")
_TEMPLATE_NAME = re.compile(r"(page|notice)\.[a-z_]+")
_SAFE_URL = re.compile(r"https?://[A-Za-z0-9.\-_~:\[\]]+(/[A-Za-z0-9.\-_~:/?#@!$&()+,;=%]*)?")
_SCHEME = re.compile(r"\b([A-Za-z][A-Za-z0-9+.-]{1,20})://")
_OUR_MARKS = str.maketrans("【】", "〔〕")
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_CANNOT_RENDER = (
    TemplateError,
    TypeError,
    ValueError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)
"""What a template can raise when its context is not what it expects."""


class Medium(Struct, frozen=True, kw_only=True):
    """How a channel writes: `escape` makes cleaned outside text harmless, `label` and `url` dress our own."""

    escape: Callable[[str], str]
    label: Callable[[str], str]
    url: Callable[[str], str]


class Rendered(Struct, frozen=True, kw_only=True):
    """A message in words, escaped for its medium. `head` is one line; the last paragraph tells where to go.

    `failed` is empty, or why this is the minimal form. `mention` is whom a template wants called besides
    (`channel` or empty): see `mention_of`.
    """

    head: str
    paragraphs: tuple[str, ...]
    failed: str = ""
    mention: str = ""

    @property
    def text(self) -> str:
        """All of it, paragraphs apart by an empty line."""
        return "\n\n".join((self.head, *self.paragraphs))


PLAIN = Medium(escape=lambda text: text, label=lambda text: f"{text}:", url=lambda text: text)
HTML = Medium(
    escape=lambda text: str(escape_html(text)),
    label=lambda text: f"<strong>{escape_html(text)}:</strong>",
    url=lambda text: f'<a href="{escape_html(text)}" rel="noreferrer">{escape_html(text)}</a>',
)


def render(message: Message, medium: Medium = PLAIN) -> Rendered:
    """`message` in its own language for `medium`; raises nothing for a bad template or context."""
    lang = language(message.lang)
    if message.bundle:
        return _together(message, lang, medium)
    marks = _marks(message, lang)
    try:
        text = _fill(message, lang, medium)
        failed = ""
    except _CANNOT_RENDER as error:
        text = _minimal(message, lang, medium)
        failed = f"{type(error).__name__}: {clean(str(error))}"[:ERROR_LIMIT]
    head, *rest = _paragraphs(text)
    head, mention = marks + " ".join(head.split()), mention_of(message.template)
    return Rendered(head=head, paragraphs=tuple(rest), failed=failed, mention=mention)


def mention_of(template: str) -> str:
    """Whom the template's first line calls besides, as `{# mention: channel #}` says; else empty.

    It is read from the template's own file and nowhere else, so that no text can ask for it. A channel
    honours it only for addresses that are read by many.
    """
    return _mentions().get(template, "")


@cache
def _mentions() -> dict[str, str]:
    paths = [path for lang in reversed(LANGUAGES) for path in (TEMPLATES / lang).glob("[!_]*.j2")]
    files = {path.stem: path for path in paths}
    found = {name: _MENTION.match(path.read_text(encoding="utf-8")) for name, path in files.items()}
    return {name: marker[1] for name, marker in found.items() if marker is not None}


def _together(message: Message, lang: str, medium: Medium) -> Rendered:
    """Several pages as one: each by the head of its own template, what happened, and its own link."""
    words = _MINIMAL_WORDS[lang]
    parts, failed, mention = [], "", ""
    for number, one in enumerate(message.bundle, start=1):
        rendered = render(one, medium)
        failed, mention = failed or rendered.failed, mention or rendered.mention
        lines = [f"{number}. {rendered.head}"]
        what, link = one.context.get("what"), one.context.get("link")
        if isinstance(what, str) and what:
            lines.append(f"{medium.label(words['what'])} {medium.escape(cut(clean(what), BUNDLED_WHAT))}")
        if one.standing:
            lines.append(medium.escape(cut(clean(one.standing), BUNDLED_WHAT)))
        url = safe_url(link) if isinstance(link, str) else ""
        lines += [f"{medium.label(words['link'])} {medium.url(url)}"] if url else []
        parts.append("\n".join(lines))
    head = _marks(message, lang) + words[f"{message.kind}s"].format(count=len(parts))
    return Rendered(head=head, paragraphs=(*parts, words["nowhere"]), failed=failed, mention=mention)


def language(lang: str) -> str:
    """`lang` if there are templates in it, else `ja`."""
    return lang if lang in LANGUAGES else LANGUAGES[0]


def template_names(lang: str) -> tuple[str, ...]:
    """The names of the templates in `lang`, such as `page.declared`, sorted."""
    return tuple(sorted(path.stem for path in (TEMPLATES / lang).glob("[!_]*.j2")))


def warm() -> None:
    """Compile every template now, so that the first page at night does not wait for it."""
    for lang in LANGUAGES:
        for name in template_names(lang):
            _environment().get_template(f"{lang}/{name}.j2")


def clean(text: str) -> str:
    """`text` on one line, not clickable, without control, hidden, direction or lone surrogate characters."""
    return _defanged(one_line(text))


def one_line(text: str) -> str:
    """`text` on one line without hidden characters, and otherwise as it is: for what is ours already."""
    return " ".join(_visible(text).split())


def cut(text: str, limit: int) -> str:
    """At most `limit` characters of `text`; an ellipsis shows that something was left out."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def safe_url(text: str) -> str:
    """`text` if it is a plain http or https address without anything that could end a link, else empty."""
    return text if len(text) <= STRING_LIMIT and _SAFE_URL.fullmatch(text) else ""


def _visible(text: str) -> str:
    """Hidden characters become a space if they part words, and otherwise nothing."""
    if text.isprintable():
        return text  # nearly always, and looking at each character costs a page most of its time
    return "".join(
        char if unicodedata.category(char) not in _HIDDEN else " " if char.isspace() else "" for char in text
    )


def _defanged(text: str) -> str:
    """A link from outside is shown in a way that no reader makes clickable, as CERTs write it."""
    return _SCHEME.sub(_dull, text).translate(_OUR_MARKS)


def _dull(found: re.Match[str]) -> str:
    scheme = found[1].lower()
    return scheme.replace("tt", "xx", 1) + "://" if scheme.startswith("http") else f"{found[1]}[:]//"


def _marks(message: Message, lang: str) -> str:
    """Put before the head in code, so that no template can forget it."""
    drill = {"ja": "【訓練】", "en": "【訓練】DRILL "}[lang] if message.drill else ""
    test = {"ja": "【通信試験】", "en": "【通信試験】[TEST] "}[lang] if message.template == COMCHECK else ""
    again = message.attempt > 1 or message.context.get("repeat") is True
    return drill + test + ({"ja": "【再送】", "en": "【repeat】"}[lang] if again else "")


def _fill(message: Message, lang: str, medium: Medium) -> str:
    if not _TEMPLATE_NAME.fullmatch(message.template):
        raise TemplateNotFound(clean(message.template)[:80])
    template = _environment().get_template(f"{lang}/{message.template}.j2")
    return template.render(_bounded(message.context), _medium=medium)


def _bounded(value: Any, depth: int = 0) -> Any:
    """The context with a limit on every string, list and depth, so that a template's cost has one too."""
    if depth > DEPTH_LIMIT:
        return ""
    if isinstance(value, str):
        return cut(str(value), STRING_LIMIT)
    if isinstance(value, dict):
        return {str(key): _bounded(item, depth + 1) for key, item in list(value.items())[:100]}
    if isinstance(value, (list, tuple)):
        return [_bounded(item, depth + 1) for item in value[:LIST_LIMIT]]
    return value if value is None or isinstance(value, (bool, int, float)) else ""


def _paragraphs(text: str) -> list[str]:
    lines = (line.rstrip() for line in text.strip().splitlines())
    return [part.strip("\n") for part in re.split(r"\n{2,}", "\n".join(lines))]


def _minimal(message: Message, lang: str, medium: Medium) -> str:
    """What must be said even if a template is broken: what, by when, and where."""
    words = _MINIMAL_WORDS[lang]

    def value(key: str) -> str:
        found = message.context.get(key)
        return medium.escape(cut(clean(found), VALUE_LIMIT)) if isinstance(found, str) else ""

    link = message.context.get("link")
    url = safe_url(link) if isinstance(link, str) else ""
    asked = value("asked") or words[message.kind if message.kind in words else "page"]
    head = f"[{value('severity') or value('severity_title') or '?'}] {value('incident')} {asked}"
    lines = [
        f"{medium.label(words[key])} {value(key)}" for key in ("until", "title", "what", "then") if value(key)
    ]
    where = f"{medium.label(words['link'])} {medium.url(url) if url else words['nowhere']}"
    return "\n\n".join((head, *(["\n".join(lines)] if lines else []), where))


_MINIMAL_WORDS = {
    "ja": {
        "page": "受領してください",
        "notice": "お知らせ",
        "pages": "呼出が{count}件あります。それぞれ受領してください",
        "notices": "呼出{count}件のお知らせ",
        "until": "期限",
        "title": "インシデント",
        "what": "何が起きたか",
        "then": "期限までに受領がない場合",
        "link": "詳細・受領",
        "nowhere": "hikeshi コマンドで確認してください",
    },
    "en": {
        "page": "please acknowledge",
        "notice": "for your information",
        "pages": "{count} pages wait for you: please acknowledge each",
        "notices": "{count} pages, for your information",
        "until": "By",
        "title": "Incident",
        "what": "What happened",
        "then": "If nobody acknowledges in time",
        "link": "Details and acknowledgement",
        "nowhere": "use the hikeshi command",
    },
}


@cache
def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        autoescape=True,
        finalize=_escaped,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        cache_size=200,
    )
    environment.filters |= {"cut": cut, "lines": _lines, "label": _label, "link": _link}
    return environment


def _medium(context: Context) -> Medium:
    medium = context.get("_medium")
    if not isinstance(medium, Medium):
        raise TypeError("a template was rendered without a medium; use notifiers.rendering.render")
    return medium


@pass_context
def _escaped(context: Context, value: Any) -> Any:
    """Jinja2 passes every printed value through here; only what our own filters made is left alone.

    An undefined value stays as it is: printing it raises, which is what tells us that a key is missing.
    """
    if isinstance(value, (Markup, Undefined)):
        return value
    text = "" if value is None else str(value)
    return Markup(_medium(context).escape(cut(clean(text), VALUE_LIMIT)))  # noqa: S704 escaped just here


@pass_context
def _lines(context: Context, value: str, limit: int = 1_500, count: int = 20) -> Markup:
    """A text of several lines, each indented, so that none of them looks like one of ours."""
    escape = _medium(context).escape
    kept = [line for line in map(clean, cut(value, limit).splitlines()) if line]
    more = ["…"] if len(kept) > count else []
    return Markup("\n".join(f"  {escape(line)}" for line in kept[:count] + more))  # noqa: S704 escaped here


@pass_context
def _label(context: Context, value: str) -> Markup:
    return Markup(_medium(context).label(value))  # noqa: S704 a template's own constant


@pass_context
def _link(context: Context, value: str) -> Markup:
    """An address that the installation made or was given; anything else is only shown."""
    medium = _medium(context)
    url = safe_url(value)
    return Markup(medium.url(url) if url else medium.escape(cut(clean(value), VALUE_LIMIT)))  # noqa: S704
