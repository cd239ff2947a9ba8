"""What every door asks for: commands, pages, endpoints, Slack's acts, and what machines do.

`LOOKS` is enforced where a command opens the record; what a command that writes asks for is decided by the
rule of the act it gives (models/permission.py). A test walks all doors and fails for one without a row.
"""

from __future__ import annotations

LOOKS: dict[str, str] = {
    **dict.fromkeys(
        (
            "list", "show", "log", "clocks", "instants", "handover", "service list", "impact list",
            "backup list", "evidence list", "message show", "message list", "message templates",
            "situation draft", "situation show", "inquiry show", "shifts plan", "shifts show",
            "step list", "step show", "decisions", "gates",
            "share list", "scope list", "scope export", "evidence show", "report list", "report show",
            "vendor list", "replay",
        ),
        "look",
    ),
    **dict.fromkeys(("route show", "health", "audit", "inspector list", "token list", "session list",
                     "oncall"), "look-house"),
    **dict.fromkeys(("alert list", "alert show"), "look-intake"),
    **dict.fromkeys(("improvement list", "comcheck show", "comcheck list", "playbook readers",
                     "exercise list", "exercise show", "exercise year", "exercise coverage",
                     "exercise overdue", "exercise findings", "drill findings", "finding show"),
                    "look-programme"),
    **dict.fromkeys(("drill report", "drill result", "drill finding list"), "look-drill"),
    **dict.fromkeys(
        ("drill status", "drill participants", "drill questions", "drill inject list", "drill inject show"),
        "look-drill",
    ),
    "metrics": "look-metrics",
    "verify": "verify",
    "export": "export",
}  # fmt: skip
"""Commands that look, by their whole name, and the row of the table of permissions that they need."""


def look_of(command: str) -> str | None:
    """The right that a command of this name needs to look; None if looking is not what it does."""
    return LOOKS.get(command)


ACTS: dict[str, str] = {
    **{
        name: name
        for name in (
            "declare", "dismiss", "cancel", "merge", "link", "ack", "delegate", "decline", "done", "decide",
            "override", "approve", "note", "severity", "instant", "role", "confirm", "resolve", "close",
            "reopen", "restrict", "break-glass",
        )
    },
    "withdraw": "withdraw", "reject": "approve", "restore": "record-restore", "move": "record-restore",
    "step add": "step-add", "step skip": "step-skip", "step na": "step-na", "step assign": "step-assign",
    "step start": "start", "step take": "start", "step hand-over": "hand-over", "step refuse": "hand-over",
    "step retry": "step-retry",
    **dict.fromkeys(("playbook add", "playbook move", "playbook drop"), "playbook"),
    "playbook announce": "playbook-announce", "playbook read": "playbook-read",
    "opinion ask": "opinion", "opinion give": "opinion",
    **dict.fromkeys(("scope add", "scope import", "scope update", "scope fix"), "scope"),
    "scope accept": "scope-accept", "scope retract": "scope-retract",
    **dict.fromkeys(("service impact", "service level", "service restored", "service works", "service fails",
                     "service confirm"), "service"),
    "service eta": "forecast", "impact set": "impact", "backup set": "recovery-point",
    "report judge": "report-judge", "report draft": "report-draft", "report submit": "report-submit",
    "report correct": "report-submit", "report situation": "situation",
    **dict.fromkeys(("vendor asked", "vendor answered"), "vendor"),
    "vendor not-due": "party-notice",
    "situation send": "situation", "inquiry add": "inquiry",
    **dict.fromkeys(("message draft", "message edit", "message submit"), "message"),
    **dict.fromkeys(("message approve", "message reject"), "message-approve"),
    "message sent": "message-sent", "message withdraw": "message-withdraw",
    **dict.fromkeys(("evidence add", "evidence collect", "evidence transfer"), "evidence"),
    "evidence verify": "evidence-verify", "evidence hold": "evidence-hold",
    "evidence release": "evidence-hold", "evidence dispose": "evidence-dispose",
    "evidence dispose-text": "evidence-dispose",
    "share prepare": "share", "share sent": "share-sent",
    "improvement add": "improvement", "improvement done": "improvement-end",
    "improvement accept": "improvement-end",
    **dict.fromkeys(("exercise plan", "exercise record", "exercise cancel", "drill import"), "programme"),
    **dict.fromkeys(("drill finding add", "drill finding edit", "drill finding drop"), "drill"),
    "exercise sign-off": "programme-sign-off",
    **dict.fromkeys(("finding open", "finding reopen"), "finding"),
    **{name: name.replace(" ", "-") for name in ("finding fix", "finding retest", "finding accept")},
    **dict.fromkeys(
        ("drill start", "drill pause", "drill resume", "drill speed", "drill step", "drill end",
         "drill abort", "drill fire", "drill skip", "drill edit", "drill add", "drill say", "drill observe",
         "drill rate",
         "drill hotwash", "drill answer", "drill staff", "drill enrol", "drill confirm-addresses",
         "drill absent"),
        "drill",
    ),
    "drill signoff": "drill-sign-off",
    **dict.fromkeys(("alert declare", "alert attach", "alert dismiss"), "alert"),
    **dict.fromkeys(("route out-of-band", "route in-band", "route confirm"), "out-of-band"),
    "comcheck start": "comcheck", "shifts set": "shifts",
    "key rotate": "key", "key accept": "key",
    "inspector grant": "inspector", "inspector revoke": "inspector",
    "token issue": "token", "token revoke": "token", "login link": "login", "session end": "session",
}  # fmt: skip
"""Commands that write, and the row that decides; what a route or playbook names is decided there besides."""

FREE: dict[str, str] = {
    "check": "the institution's files; no record",
    "init": "makes a directory; no record",
    "monitoring": "rules and dashboards as they are shipped; no record",
    "drill run": "whoever may start the processes of the drill's data folder",
    "drill prepare": "anybody of the directory; makes a directory without addresses, and takes a number",
    "up": "whoever may start the processes of the data folder's owner",
    "page-now": "anybody of the directory but third parties; shows them what they may read",
    **dict.fromkeys(
        ("playbook list", "playbook show", "playbook diff", "coverage", "rehearse",
         "scenario list", "scenario show",
         "slack manifest"),
        "the institution's files; no record",
    ),
    "intake test": "the institution's files and the alert that is given; nothing is written",
    **dict.fromkeys(("checkpoint list", "checkpoint export", "key show", "relay status"),
                    "numbers, heads and keys; no content"),
    **dict.fromkeys(("checkpoint now", "relay now"), "whoever runs it as the data's owner; no content"),
}  # fmt: skip
"""Commands that need no right of the table, and why."""

DOORS: dict[str, str] = {
    "POST /api/alerts/{source}": "the source's secret, by signature or bearer; hands in alerts, nothing else",
    "POST /api/gateway": "the gateway's signature and the code of the message; an answer by telephone",
    "ANY /api/v1/…": "a token, or a session and the same site: the row of that command; refusals recorded",
    "GET /p/{token}": "the signed link of one person and page; what they may know of, and it is recorded",
    "POST /p/{token}/ack": "the signed link, a form made for it, the same site: `ack`",
    "POST /p/{token}/decline": "the signed link, a form made for it, the same site: `decline`",
    "GET /": "a session; incidents that its person may know of, by the row `look`; restricted: it is "
    "recorded; a third party: what waits for them",
    "GET /health": "whoever reaches the port; no content of incidents, and no restricted one by its number",
    "GET /ready": "whoever reaches the port; whether traffic may come, and what is in the way",
    "POST /p/{token}/code": "the signed link and its form: a code by another channel of that person's",
    "POST /p/{token}/act": "the signed link, its form, and a session of that person's or the code; the act",
    "GET /metrics": "programs on this machine, or the token of [metrics]; counts, restricted incidents "
    "counted without identification",
    "GET /static/{name:path}": "whoever reaches the port; style sheets and scripts",
    "GET /declare": "a session",
    "GET /incidents": "a session, and the row `look`; no third party; those that its person may know of; "
    "restricted: it is recorded",
    "GET /me": "a session; what is its own person's",
    "GET /incidents/{subject}/evidence": "a session of somebody who may know of it",
    "GET /incidents/{subject}/scope": "a session of somebody who may know of it",
    "GET /incidents/{subject}/reports": "a session of somebody who may know of it",
    "GET /incidents/{subject}/communication": "a session of somebody who may know of it",
    "GET /incidents/{subject}/improvements": "a session of somebody who may know of it",
    "GET /incidents/{subject}/decisions": "a session of somebody who may know of it",
    "GET /incidents/{subject}/steps": "a session of somebody who may know of it; third parties see their own",
    "GET /incidents/{subject}": "a session; what its person may know of; restricted: it is recorded",
    "GET /severity": "a session, and the row `look-house`; third parties too",
    "GET /playbooks": "a session, and the row `look-house`; no third party; who has read: `look-programme`",
    "GET /playbooks/{subject}": "a session, and the row `look-house`; no third party; who has read: "
    "`look-programme`",
    "GET /playbooks/{subject}/graph": "a session, and the row `look-house`; no third party",
    "GET /guideline": "a session, and the row `look-house`; no third party; what was exercised: "
    "`look-programme`",
    "GET /oncall": "a session, and the row `look-house`; third parties too; names and channels, no addresses",
    "GET /routes": "a session, and the row `look-house`; third parties too; names and channels, no addresses",
    "GET /comchecks": "a session, and the row `look-programme`; no third party",
    **dict.fromkeys(
        ("GET /services", "GET /services/{subject}", "GET /vendors/{subject}"),
        "a session, and the row `look-house`; no third party; of incidents what its person may know",
    ),
    "GET /obligations": "a session, and the row `look-house`; no third party",
    "GET /figures": "a session, and the row `look-metrics`; of what its person may read; no third party",
    "GET /system": "a session, and the row `look-house`; no third party",
    "GET /live/{page}": "a session, asked again each second; what it may read, asked at each drawing",
    "GET /live/{page}/{subject}": "as above, and whoever may read what it names",
    "GET /incidents/{subject}/facts/{item}": "a session; as the incident, and not for third parties",
    "GET /login": "whoever reaches the port; the ways to log in; on this machine who its account is",
    "POST /login/local": "a connection within this machine, by the account that owns its other end; the form",
    "POST /login/token": "an inspector's token, and the form of the page, the same site",
    "GET /login/once/{token}": "a link that was made to log one person in; whom it would, and a button",
    "POST /login/once/{token}": "the same, and its form, the same site: a session, and the link is used up",
    "GET /login/oidc": "a browser that has the page of logging in; it is sent to the provider",
    "GET /login/oidc/callback": "the provider's code for a login that this browser began; a session",
    "POST /logout": "a session and its form's token, the same site: the session ends",
    "GET /drill": "a session of the exercise's own staff; to others it says where theirs is",
    "GET /drill/play": "a session, and the row `look-drill`; what came to its person, and nothing to come",
    "GET /drill/report": "a session: the exercise's staff; once it is over `look-drill`, no third party",
    "GET /programme": "a session, and the row `look-programme`; no third party; hidden incidents left out",
    "GET /programme/exercises/{subject}": "as above",
    "GET /programme/findings/{subject}": "as above",
    "GET /programme/exercised": "as above",
    "GET /rehearsals": "a session, and the row `look-programme`; no third party",
    "GET /rehearsals/{subject}": "as above",
    "POST /do/{operation:path}": "a session and its form's token, the same site: the act of that command",
    "POST /slack/events": "Slack's signing secret, then the person behind the Slack account",
}
"""Endpoints, and what whoever knocks has to show."""

MACHINES: frozenset[str] = frozenset(
    {
        "Absorb", "AttachAlert", "Impair", "DraftReview", "OpenRoom", "RecordRead", "ClaimStep", "FinishStep",
        "Reclaim", "DraftNotice", "MarkDelivery", "ReceiveAlert", "CountAlert", "RecordRefusal", "NodeFact",
        "Quarantined", "RecordRound", "OpenLink", "NoteAnchor", "NoteClock", "OpenImprovement",
        "NoteLogin", "NoteLogout", "NoteRules",
    }
)  # fmt: skip
"""Acts that no door offers to anybody: Hikeshi's own parts give them, or they follow from another act."""

SLACK: dict[str, str] = {
    **{
        name: name
        for name in (
            "ack", "decline", "delegate", "declare", "decide", "done", "start", "approve", "note", "severity",
            "resolve", "close", "improvement", "service", "scope", "role", "instant", "hand-over", "opinion",
            "evidence", "confirm",
        )
    },
    "reject": "approve", "give-opinion": "opinion", "refuse": "hand-over", "take": "start",
    "timeline": "note", "message": "message-approve",
    **dict.fromkeys(("fire-inject", "skip-inject", "pause-drill", "resume-drill", "observe"), "drill"),
    **dict.fromkeys(("status", "clocks", "more", "item"), "look"),
    "who": "look-house", "help": "look-house",
}  # fmt: skip
"""Buttons, dialogs and slash words, as the person behind the Slack account, and the row that decides."""

OF: dict[str, str] = {
    "EndIncident": "dismiss", "Reopen": "reopen", "DeclineReopening": "reopen", "SetSeverity": "severity",
    "SetInstant": "instant", "AssignRole": "role", "UsePlaybook": "playbook", "AddStep": "step-add",
    "SettleStep": "step-skip", "AssignStep": "step-assign", "StartStep": "start", "RetryStep": "step-retry",
    "OverrideGate": "override", "WithdrawOverride": "override", "WithdrawDecision": "withdraw",
    "WithdrawVote": "decide", "ApproveDecision": "approve", "RejectDecision": "approve",
    "AskOpinion": "opinion", "GiveOpinion": "opinion", "HandOver": "hand-over", "RefuseHandOver": "hand-over",
    "TimelineEntry": "note", "ServiceFact": "service", "ForecastService": "forecast",
    "RecordImpact": "impact", "JudgeObligation": "report-judge", "DraftReport": "report-draft",
    "SubmitReport": "report-submit", "ReportSituation": "situation", "VendorFact": "vendor",
    "DraftMessage": "message", "EditMessage": "message", "SubmitMessage": "message",
    "ApproveMessage": "message-approve", "RejectMessage": "message-approve", "RecordSending": "message-sent",
    "WithdrawMessage": "message-withdraw", "SendSituation": "situation", "AddInquiry": "inquiry",
    "SetShifts": "shifts", "AddEvidence": "evidence", "BeginCollection": "evidence",
    "EndCollection": "evidence", "TransferEvidence": "evidence",
    "VerifyEvidence": "evidence-verify", "HoldEvidence": "evidence-hold",
    "DisposeEvidence": "evidence-dispose", "RecordRemoval": "evidence-dispose",
    "DisposeTexts": "evidence-dispose", "ScopeFact": "scope", "AddScope": "scope", "UpdateScope": "scope",
    "FixScope": "scope", "AcceptScope": "scope-accept", "RetractScope": "scope-retract",
    "SettleParty": "party-notice", "PrepareSharing": "share", "RecordShared": "share-sent",
    "Restrict": "restrict", "BreakGlass": "break-glass", "EndGlass": "break-glass",
    "SetRecoveryPoint": "recovery-point", "AddImprovement": "improvement", "Acknowledge": "ack",
    "AskCode": "ack",
    "SettleAlert": "alert", "ProposeTrust": "out-of-band", "ConfirmTrust": "out-of-band", "TakeReply": "ack",
    "NoteKey": "key", "AcceptKey": "key", "RestoreRecord": "record-restore", "MoveRecord": "record-restore",
    "NoteExport": "record-export",
    "GrantInspector": "inspector", "RevokeInspector": "inspector", "EndImprovement": "improvement-end",
    "IssueToken": "token", "RevokeToken": "token", "OfferLogin": "login", "EndSession": "session",
    **dict.fromkeys(
        ("PrepareDrill", "Staff", "Enrol", "ConfirmAddress", "MarkAbsent", "StartExercise", "SetTiming",
         "FireInject", "SkipInject", "PutInject", "SpeakFor", "Observe", "Rate", "HotWash", "AnswerQuestions",
         "EndExercise", "AbortExercise", "AddFinding", "EditFinding", "DropFinding"),
        "drill",
    ),
    "SignOff": "drill-sign-off",
    "AnnouncePlaybook": "playbook-announce", "ReadPlaybook": "playbook-read", "StartComcheck": "comcheck",
    "PlanExercise": "programme", "RecordExercise": "programme", "CancelExercise": "programme",
    "SignOffExercise": "programme-sign-off", "OpenFinding": "finding", "ReopenFinding": "finding",
    "FixFinding": "finding-fix", "RetestFinding": "finding-retest", "AcceptFinding": "finding-accept",
    **{
        name: name.lower()
        for name in ("Declare", "Merge", "Link", "Resolve", "Close", "Note", "Confirm", "Done", "Decide",
                     "Delegate", "Decline")
    },
}  # fmt: skip
"""Acts of people by their class, and the row that decides."""


def right_of(command: str) -> str:
    """What a command of this name needs, in words; empty if nobody has said."""
    row = LOOKS.get(command) or ACTS.get(command)
    return f"`{row}`" if row else FREE.get(command, "")
