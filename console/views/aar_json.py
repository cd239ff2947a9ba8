"""The after-action report for programs: the same as for people, with ids, whole seconds and UTC."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

import orjson
from pydantic import BaseModel

from console.texts import Texts
from console.views.aar import Telling
from models.clock import iso
from models.directory import Directory
from models.scoring.result import held, questionnaire, signed_off

if TYPE_CHECKING:
    from console.drill.aftermath import Aftermath


def written(made: Aftermath, directory: Directory, texts: Texts) -> str:
    """The report as one JSON document."""
    tell = Telling(texts=texts, directory=directory, made=made)
    return orjson.dumps(whole(tell), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()


def whole(tell: Telling) -> dict[str, Any]:
    """All of it."""
    made, exercise = tell.made, tell.made.exercise
    signed = signed_off(exercise)
    return {
        "mark": "【訓練】",
        "draft": not made.final,
        "drill": exercise.drill,
        "scenario": {
            "id": exercise.scenario,
            "version": exercise.version,
            "digest": exercise.digest,
            "title": made.scenario.title.model_dump(),
            "changed": list(exercise.added),
        },
        "status": exercise.status,
        "held": held(exercise, made.around).model_dump(mode="json"),
        "staff": dict(sorted(exercise.staff.items())),
        "participants": [_participant(tell, name) for name in exercise.participants],
        **{field.name: _plain(getattr(made.score, field.name)) for field in fields(made.score)},
        "timeline": [_inject(tell, name) for name in exercise.injects],
        "observations": [_observation(tell, name) for name in exercise.observations],
        "hot_wash": [
            {
                "question": made.said(one.data.get("question")),
                "text": made.said(one.data["text"]),
                "by": one.data.get("by"),
            }
            for one in made.facts
            if one.kind == "hotwash.said"
        ],
        "questionnaire": _plain(questionnaire(exercise, made.scenario.questions)),
        "findings": findings(made),
        "proposals": proposals(tell),
        "signed_off": _plain(signed),
    }


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    return [_plain(one) for one in value] if isinstance(value, tuple) else value


def _participant(tell: Telling, name: str) -> dict[str, Any]:
    one = tell.made.exercise.participants[name]
    return {
        "person": one.person,
        "roles": one.roles,
        "organisation": one.organisation,
        "confirmed": one.confirmed,
        "absent": tell.made.said(one.absent) if one.absent is not None else None,
    }


def _inject(tell: Telling, name: str) -> dict[str, Any]:
    one = tell.made.exercise.injects[name]
    inject = tell.made.scenario.inject(name)
    return {
        "id": name,
        "title": inject.title.model_dump() if inject is not None else None,
        "how": one.how,
        "at": iso(one.at),
        "played_seconds": one.played_ms // 1000,
        "by": one.by,
    }


def _observation(tell: Telling, name: str) -> dict[str, Any]:
    one = tell.made.exercise.observations[name]
    return {
        "id": name,
        "at": iso(one.at),
        "by": one.by,
        "objective": one.objective,
        "kind": one.kind,
        "text": tell.made.said(tell.observed(name)),
    }


def findings(made: Aftermath) -> list[dict[str, Any]]:
    """The improvement plan."""
    return [
        {
            "id": one.id,
            "title": made.said(one.title),
            "title_en": made.said(one.title_en) or made.said(one.title),
            "capability": one.capability,
            "objective": one.objective,
            "cause": made.said(one.cause),
            "recommendation": made.said(one.recommendation),
            "owner": one.owner,
            "due": iso(one.due) if one.due is not None else None,
            "playbook": one.playbook,
            "revision": one.revision,
            "source": one.source or None,
        }
        for one in made.exercise.findings.values()
        if not one.dropped
    ]


def proposals(tell: Telling) -> list[dict[str, Any]]:
    """What is proposed for it, with the title that it would have."""
    return [asdict(one) | {"title": tell.proposal(one)} for one in tell.made.proposals]
