"""What each of Slack's answers means for sending again: a table of data.

An error that is not in it counts as `never` for the address: the page goes to the next channel at once, which
is better than repeating something that Slack has just refused.
"""

from __future__ import annotations

from typing import Final

from notifiers.message import Retry

# Slack did nothing and says so.
_LATER = (
    "ratelimited rate_limited message_limit_exceeded service_unavailable request_timeout "
    "team_added_to_org external_channel_migrating"
)
# Slack's own words for these: part of it may have happened before the error.
_UNCLEAR = "internal_error fatal_error"
# Somebody has to mend the set-up, the directory or the message first.
_NEVER = (
    "access_denied account_inactive as_user_not_supported cannot_reply_to_message "
    "channel_not_found deprecated_endpoint duplicate_channel_not_found duplicate_message_not_found "
    "ekm_access_denied enterprise_is_restricted invalid_arg_name invalid_arguments invalid_array_arg "
    "invalid_auth invalid_blocks invalid_blocks_format invalid_charset invalid_form_data "
    "invalid_metadata_format invalid_metadata_schema invalid_post_type is_archived "
    "messages_tab_disabled metadata_must_be_sent_from_app metadata_too_large method_deprecated "
    "missing_post_type missing_scope msg_blocks_too_long msg_too_long no_permission no_text "
    "not_allowed_token_type not_authed not_in_channel org_login_required restricted_action "
    "restricted_action_read_only_channel team_access_not_granted team_not_found token_expired "
    "token_revoked too_many_attachments two_factor_setup_required user_disabled user_not_found "
    "user_not_visible users_not_found "
)

RETRY: Final[dict[str, Retry]] = {
    **dict.fromkeys(_NEVER.split(), "never"),
    **dict.fromkeys(_LATER.split(), "later"),
    **dict.fromkeys(_UNCLEAR.split(), "unclear"),
}

LAYOUT = frozenset({"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long"})
"""Slack posted nothing and dislikes only how the message is laid out: plain text may still get through."""

TOO_MANY, SERVER_ERROR = 429, 500
_OK = 200


def after_error(name: str) -> Retry:
    """What `ok: false` with this error says about sending again."""
    return RETRY.get(name, "never")


def after_status(status: int) -> Retry:
    """What an HTTP status without a Slack error says. A broken answer to an accepted post is unclear."""
    if status == TOO_MANY:
        return "later"
    return "unclear" if status >= SERVER_ERROR or status <= _OK else "never"
