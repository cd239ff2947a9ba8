"""What the notices of an exercise say: injects, voices of control, the story's leaps, its beginning and end.

An inject goes out whole: whoever plays has seconds to read it, and nothing else to go by. Texts that control
has written lie beside the record; those of the scenario are its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from models.enrolled import enrolled
from models.exercise import Exercise
from models.exercise_script import Script
from notifiers.briefing_communication import MAX_PARTS, in_parts
from notifiers.briefing_names import Matter, at, text_of

if TYPE_CHECKING:
    from models.scenario import Inject, RoleCard, Scenario

_WORDS = {
    "ja": {
        "control": "統制",
        "from": "{name}より",
        "telephone": "電話",
        "mail": "メール",
        "chat": "チャット",
        "in-person": "対面",
        "screen": "画面",
        "paper": "紙",
        "broadcast": "放送・SNS",
        "leap": "想定時刻が進みました",
        "outcome": "手順の結果",
        "started": "演習開始（STARTEX）: {title}",
        "ended": "演習終了（ENDEX）: {title}",
        "aborted": "実インシデント発生、演習中止",
        "reached": "終了条件を満たしました",
        "time": "予定時間を過ぎました",
        "stands": "想定時刻は止まっています。続けるときは hikeshi drill resume を実行してください。",
        "answer": "hikeshi drill questions",
        "end": "hikeshi drill end",
        "abort": "hikeshi drill abort",
    },
    "en": {
        "control": "control",
        "from": "from {name}",
        "telephone": "telephone",
        "mail": "mail",
        "chat": "chat",
        "in-person": "in person",
        "screen": "screen",
        "paper": "paper",
        "broadcast": "broadcast",
        "leap": "the story moves on",
        "outcome": "what came of a step",
        "started": "STARTEX: {title}",
        "ended": "ENDEX: {title}",
        "aborted": "A REAL INCIDENT: THE EXERCISE IS BROKEN OFF (実インシデント発生、演習中止)",
        "reached": "a condition for the end holds",
        "time": "the planned time is up",
        "stands": "The story stands. To let it go on: hikeshi drill resume",
        "answer": "hikeshi drill questions",
        "end": "hikeshi drill end",
        "abort": "hikeshi drill abort",
    },
}


def brief_inject(name: str, matter: Matter, lang: str) -> dict[str, Any]:
    """From whom, by what, to whom, and the whole text."""
    state = matter.state
    if not isinstance(state, Exercise):
        return {}
    inject = Script(matter.world.scenario, state).inject(name)
    if inject is None:
        return {"incident": state.drill, "asked": name}
    text = _own(matter, inject.text.lang(lang))
    return _spoken(matter, lang, inject.from_, inject.to, text) | {
        "asked": _own(matter, inject.title.lang(lang)),
        "severity": _WORDS[lang][inject.channel],
        "limit": _when(matter, inject, lang),
    }


def brief_said(number: str, matter: Matter, lang: str) -> dict[str, Any]:
    """What control says with somebody's voice."""
    state = matter.state
    said = state.said.get(int(number)) if isinstance(state, Exercise) and number.isdigit() else None
    if said is None:
        return {}
    return _spoken(matter, lang, said.party, said.to, text_of(matter, said.text))


def _spoken(matter: Matter, lang: str, party: str, to: Iterable[str], text: str) -> dict[str, Any]:
    words, sender = _WORDS[lang], _party(matter, party, lang)
    parts = list(in_parts(text))
    return {
        "incident": _drill(matter),
        "severity_title": "",
        "asked": words["from"].format(name=sender),
        "extra": {
            "by": sender,
            "others": [_party(matter, one, lang) for one in to],
            "lines": parts[:MAX_PARTS],
        },
    }


def _own(matter: Matter, text: str) -> str:
    """A text of the scenario as it is; one that control wrote is a digest, and lies beside the record."""
    return text_of(matter, text) if text.startswith("t:") else text


def _when(matter: Matter, inject: Inject, lang: str) -> str:
    """The hour of the story at which it came in."""
    state = matter.state
    came = state.injects.get(inject.id) if isinstance(state, Exercise) else None
    return at(came.at, matter.world.organisation.zone, lang) if came is not None else ""


def _party(matter: Matter, name: str, lang: str) -> str:
    """An outside party, a role, or control."""
    scenario = matter.world.scenario
    outside = scenario.outside if scenario is not None else ()
    party = next((one.name.lang(lang) for one in outside if one.id == name), None)
    role = matter.world.directory.role(name)
    titled = role.title.lang(lang) if role is not None else _WORDS[lang]["control"]
    return party or (titled if role is not None or name == "control" else name)


def _drill(matter: Matter) -> str:
    return matter.state.drill if isinstance(matter.state, Exercise) else ""


# -- the story ----------------------------------------------------------------------------------------------


def brief_leap(number: str, matter: Matter, lang: str) -> dict[str, Any]:
    """What has happened meanwhile, and what time it is now."""
    state, scenario = matter.state, matter.world.scenario
    if not isinstance(state, Exercise) or scenario is None:
        return {}
    leaps = sorted(scenario.leaps, key=lambda one: one.at)
    ends = dict(Script(scenario, state).leaps())
    known = number.isdigit() and 0 < int(number) <= len(leaps) and int(number) in ends
    if not known:
        return {}
    text = leaps[int(number) - 1].text.lang(lang)
    now = at(ends[int(number)], matter.world.organisation.zone, lang)
    return _told(matter, _WORDS[lang]["leap"], text) | {"limit": now}


def brief_outcome(number: str, matter: Matter, lang: str) -> dict[str, Any]:
    """What came of a step, as the scenario says it."""
    scenario = matter.world.scenario
    outcomes = scenario.outcomes if scenario is not None else ()
    if not number.isdigit() or not 0 < int(number) <= len(outcomes):
        return {}
    one = outcomes[int(number) - 1]
    text = one.text.lang(lang) if one.text is not None else ""
    return _told(matter, _WORDS[lang]["outcome"], text) | {"step_title": _step(matter, one.step, lang)}


def _step(matter: Matter, ref: str, lang: str) -> str:
    """The title of a step of today's playbooks; its key where that is not to be found."""
    frozen = matter.world.library.get(ref.partition("/")[0])
    planned = frozen.plan.steps.get(ref) if frozen is not None else None
    return planned.step.title.lang(lang) if planned is not None else ref


def _told(matter: Matter, asked: str, text: str) -> dict[str, Any]:
    parts = list(in_parts(text))
    return {"incident": _drill(matter), "asked": asked, "severity_title": "", "extra": {"lines": parts}}


# -- beginning and end --------------------------------------------------------------------------------------


def brief_exercise(what: str, matter: Matter, lang: str, person: str | None) -> dict[str, Any]:
    """`started`, `ended` or `aborted`."""
    state, scenario, words = matter.state, matter.world.scenario, _WORDS[lang]
    if not isinstance(state, Exercise):
        return {}
    title = scenario.called.lang(lang) if scenario is not None else state.scenario
    found = _told(matter, words[what].format(title=title), "")
    found["extra"] |= {"said": text_of(matter, state.ended_why)}
    if what == "started" and scenario is not None:
        return found | {"extra": _briefing(state, scenario, matter, lang, person), "command": words["abort"]}
    return found | {"command": words["answer"] if what == "ended" else ""}


def _briefing(
    state: Exercise, scenario: Scenario, matter: Matter, lang: str, person: str | None
) -> dict[str, Any]:
    """The state of things, what is known, and the cards of whoever reads it: of nobody else."""
    cards = _cards(state, scenario, person) if person and enrolled(state, person) else []
    start = scenario.start
    return {
        "at": at(state.startex, matter.world.organisation.zone, lang) if state.startex is not None else "",
        "since": start.day.lang(lang),
        "lines": list(in_parts(scenario.briefing.lang(lang))),
        "others": [one.lang(lang) for one in start.known],
        "tried": [f"{_party(matter, one.role, lang)}: {one.task.lang(lang)}" for one in cards],
        "declined": [known.lang(lang) for one in cards for known in one.knows],
    }


def _cards(state: Exercise, scenario: Scenario, person: str) -> list[RoleCard]:
    known = state.participants.get(person)
    return [one for one in scenario.roles if known is not None and one.role in known.roles]


def brief_ending(name: str, matter: Matter, lang: str) -> dict[str, Any]:
    """To control: it could end now, and why."""
    scenario, words = matter.world.scenario, _WORDS[lang]
    endings = scenario.endings if scenario is not None else ()
    known = name.isdigit() and 0 < int(name) <= len(endings)
    text = endings[int(name) - 1].text.lang(lang) if known else ""
    if name == "time":
        return _told(matter, words["time"], words["stands"]) | {"command": words["end"]}
    return _told(matter, words["reached"], text) | {"command": words["end"]}
