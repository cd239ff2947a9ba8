"""What the Slack app may do, and why: one table, from which manifest, live check and docs are made.

A scope stands here because something that Hikeshi does calls a method that needs it. What nothing calls is
not asked for: a bot that may read all of a bank's channels is itself a risk.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Scope:
    """One scope of the bot token, the methods that need it, and what would not work without it."""

    name: str
    methods: tuple[str, ...]
    why: str


SCOPES: tuple[Scope, ...] = (
    Scope(
        name="chat:write",
        methods=("chat.postMessage", "chat.update", "chat.postEphemeral"),
        why="send pages and notices, keep boards and buttons up to date",
    ),
    Scope(name="im:write", methods=("conversations.open",), why="page a person by direct message"),
    Scope(
        name="im:history",
        methods=("conversations.history",),
        why="look whether a page arrived before it is sent again",
    ),
    Scope(
        name="channels:history",
        methods=("conversations.history", "conversations.replies"),
        why="the same in the duty channel and in public incident channels",
    ),
    Scope(
        name="groups:history",
        methods=("conversations.history", "conversations.replies"),
        why="the same in private incident channels",
    ),
    Scope(
        name="channels:read",
        methods=("conversations.info", "conversations.list", "conversations.members"),
        why="see whether the duty channel is there, is not archived, and has the bot as a member",
    ),
    Scope(
        name="groups:read",
        methods=("conversations.info", "conversations.list", "conversations.members"),
        why="the same for private channels",
    ),
    Scope(
        name="channels:manage",
        methods=("conversations.create", "conversations.invite", "conversations.setTopic"),
        why="open a public incident channel, set its topic, bring people in",
    ),
    Scope(
        name="groups:write",
        methods=("conversations.create", "conversations.invite", "conversations.setTopic"),
        why="the same for private incident channels",
    ),
    Scope(name="pins:write", methods=("pins.add",), why="pin the board in the incident channel"),
    Scope(name="bookmarks:read", methods=("bookmarks.list",), why="not to set a bookmark twice"),
    Scope(
        name="bookmarks:write",
        methods=("bookmarks.add", "bookmarks.edit"),
        why="bookmark the incident's page and the meeting",
    ),
    Scope(
        name="users:read",
        methods=("users.info",),
        why="find people who are unknown to Slack or deactivated, before an incident does",
    ),
    Scope(name="files:read", methods=("files.info",), why="keep a file of a message as evidence"),
    Scope(name="commands", methods=(), why="the command /hikeshi and the shortcuts"),
)
APP_SCOPES: tuple[Scope, ...] = (
    Scope(
        name="connections:write",
        methods=("apps.connections.open",),
        why="Socket Mode; it belongs to the app-level token and not into the manifest",
    ),
)


def missing(granted: str) -> tuple[Scope, ...]:
    """The scopes that a token lacks; `granted` is the header `x-oauth-scopes`, names with commas between."""
    held = {one.strip() for one in granted.split(",")}
    return tuple(scope for scope in SCOPES if scope.name not in held)
