"""The one message from which control leads a drill: what comes next, and its buttons, as it stands now."""

from __future__ import annotations

from collections.abc import Iterator
from zoneinfo import ZoneInfo

from models.exercise import CONTROL_DESK, Exercise
from models.exercise_script import Script
from models.world import World
from notifiers.acts import Target
from notifiers.message import Act

_WORDS = {
    "ja": {
        "prepared": "準備中。STARTEX は hikeshi drill start",
        "ended": "ENDEX。演習は終わりました",
        "aborted": "実インシデント発生、演習中止",
        "next": "次の状況付与: {title}［{id}］筋書き {at}（残り {left}件）",
        "waits": "条件待ちの状況付与: {title}［{id}］（残り {left}件）",
        "none": "状況付与はすべて済みました。終えるときは hikeshi drill end",
        "paused": "停止中。{next}",
    },
    "en": {
        "prepared": "prepared; STARTEX: hikeshi drill start",
        "ended": "ENDEX: the exercise is over",
        "aborted": "a real incident: the exercise was broken off",
        "next": "next inject: {title} [{id}] at {at} of the story ({left} left)",
        "waits": "an inject waits for its condition: {title} [{id}] ({left} left)",
        "none": "every inject has come in or was left out; to end: hikeshi drill end",
        "paused": "standing still; {next}",
    },
}


def exercise_acts(state: Exercise, subject: str, world: World) -> tuple[Act, ...]:
    """The buttons of control's message; of any other message of an exercise none."""
    if subject != CONTROL_DESK or state.status != "running":
        return ()
    return tuple(_acts(state, world))


def _acts(state: Exercise, world: World) -> Iterator[Act]:
    waiting = Script(world.scenario, state).waiting()
    if waiting:
        target = Target(stream=state.stream, subject=f"inject:{waiting[0].id}")
        yield Act(name="fire-inject", value=target.value, primary=True)
        yield Act(name="skip-inject", value=target.value)
    desk = Target(stream=state.stream, subject=CONTROL_DESK)
    running = state.timing is not None and state.timing.running
    yield Act(name="pause-drill" if running else "resume-drill", value=desk.value)
    yield Act(name="observe", value=desk.value)


def exercise_standing(state: Exercise, subject: str, world: World, lang: str) -> str:
    """Where it stands and what comes next, for control's message; empty for any other."""
    if subject != CONTROL_DESK:
        return ""
    words = _WORDS[lang]
    if state.status != "running":
        return words[state.status]
    coming = _next(state, world, lang)
    running = state.timing is not None and state.timing.running
    return coming if running else words["paused"].format(next=coming)


def _next(state: Exercise, world: World, lang: str) -> str:
    words, script = _WORDS[lang], Script(world.scenario, state)
    waiting = script.waiting()
    if not waiting:
        return words["none"]
    line, due = waiting[0], script.due_at(waiting[0].id)
    inject = script.inject(line.id)
    title = inject.title.lang(lang) if inject is not None and line.id not in state.added else line.id
    said = {"title": title, "id": line.id, "left": len(waiting)}
    if due is None:
        return words["waits"].format(**said)
    at = due.astimezone(ZoneInfo(world.organisation.zone))
    return words["next"].format(**said, at=f"{at:%m-%d %H:%M}")
