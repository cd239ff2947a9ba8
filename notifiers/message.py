"""What the outbox hands to a channel, and what the channel answers.

"May I send again?" is part of the answer's type. It is never read out of an error's text.
"""

from __future__ import annotations

from typing import Any, Literal, Protocol

from msgspec import Struct

Retry = Literal["later", "never", "unclear"]


class Act(Struct, frozen=True, kw_only=True):
    """Something that can be done from a message itself: a button. `value` says on what (`notifiers.acts`)."""

    name: str
    value: str
    primary: bool = False


class Message(Struct, frozen=True, kw_only=True):
    """One message for one address.

    `key` is `incident/cause-seq/level/attempt/address` and holds no time, so every copy carries the same one.
    `address` is a Slack user or channel id, a mail address, or the person's id for console and file.
    `kind` is `page` (needs an acknowledgement) or `notice` (does not); `template` is a name such as
    `page.declared`. Strings in `context` are text from outside. `attempt` above 1 is marked as a repeat.
    `acts` are its buttons, for channels that have any; `standing` says what has become of the matter since,
    and is text from outside too.

    `bundle` is empty, or the messages that this one stands for: one page among many that waited for the same
    destination. `notifiers.rendering.render` writes them all, so a channel need not know; one that can read
    back must find the message by each of `keys`.
    """

    key: str
    channel: str
    address: str
    person: str | None
    lang: str
    kind: str
    template: str
    context: dict[str, Any]
    attempt: int
    drill: bool
    acts: tuple[Act, ...] = ()
    standing: str = ""
    bundle: tuple[Message, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of the rows that this message delivers."""
        return tuple(one.key for one in self.bundle) or (self.key,)


class Sent(Struct, frozen=True, kw_only=True):
    """The channel took it. `receipt` is its proof: Slack's `CONVERSATION/TS`, an SMTP reply, a file's offset.

    `rendering_failed` is empty, or says why the message went out in its plain, minimal form. `posts` is how
    many the channel had to make of it; a limit of messages a minute counts each.
    """

    receipt: str
    rendering_failed: str = ""
    posts: int = 1


class Failed(Struct, frozen=True, kw_only=True):
    """The channel did not take it, or nobody knows.

    `later`: not delivered, the same again may work. `never`: this address or set-up has to be mended first.
    `unclear`: it may have arrived; look with `arrived` where the channel can, then send marked as a repeat.
    `retry_after` is what the channel asked for, in seconds, or None. `error` never holds a secret.
    """

    error: str
    retry: Retry
    retry_after: float | None = None


Delivery = Sent | Failed


class Notifier(Protocol):
    """One channel. `deliver` and `arrived` raise nothing for what a destination does to us."""

    name: str
    can_read_back: bool

    async def deliver(self, message: Message) -> Delivery:
        """Send `message` once, without any retry of its own."""
        ...

    async def arrived(self, message: Message) -> Sent | None:
        """The proof that `message` is there. None if it was not found or the channel could not look."""
        ...

    async def close(self) -> None:
        """Let go of connections. May be called twice."""
        ...


def blank_context() -> dict[str, Any]:
    """Every key that a template may use, with nothing in it; put the known ones on top.

    All are strings but: `level`, `levels` (int, counted from 1), `rank` (int, of the severity; 0 is the
    lightest), `repeat` (bool), `options` (list of
    `{id, title, price}`) and `extra` (dict). `extra` may hold what one template shows besides: `others`
    and `tried` (lists of names), `by`, `at`, `said`, `failed_person`, `failed_channel`, `error`, `source`,
    `since`, `part`, `from_severity`, `improvement`, `finding`, `owner`, `due`, and of a clock `clock`,
    `left`, `share`, `late`, `internal`, `lines` (list), `proposed`; of what people answered `declined`,
    `opinions`, `factors` (lists), `delegated`, `proposed_by`, `proposal_reason`, `question`, `opinion`,
    `hand_over_reason`, `refusal`, `handed_by`, `handed_to`, `take`, `refuse`, `begun_by`. A hand-over
    has `role` and a list for each of its parts.
    """
    texts = (
        "incident title severity severity_title phase organisation what asked until until_iso then link"
        " bridge recipient deputy_for route delayed_by reason recommend otherwise step_title step_text"
        " limit command stream"
    )
    filled: dict[str, Any] = dict.fromkeys(texts.split(), "")
    return filled | {"level": 1, "levels": 1, "rank": 0, "repeat": False, "options": [], "extra": {}}
