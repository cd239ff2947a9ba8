"""Who may do what in an exercise, when, and what is refused by name: a sentence a row."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from models import enrolled
from models.commands import Actor, Command, Declare
from models.errors import Refused
from models.exercise import (
    MAX_ADDED,
    MAX_OBSERVATIONS,
    MAX_PARTICIPANTS,
    SAID_KEPT,
    AbortExercise,
    AnswerQuestions,
    ConfirmAddress,
    EndExercise,
    Enrol,
    Exercise,
    FireInject,
    HotWash,
    MarkAbsent,
    Observation,
    Observe,
    Participant,
    PrepareDrill,
    PutInject,
    Rate,
    SetTiming,
    SignOff,
    SkipInject,
    SpeakFor,
    Staff,
    StartExercise,
)
from models.exercise_sight import may_see
from models.reason import Reason
from models.record import OUTBOX
from models.rules import exercise_injects, exercise_people, exercise_watching
from tests.models.exercises import (
    AMY,
    BEN,
    CHO,
    DAN,
    EVALUATOR,
    LEAD,
    MINUTE,
    STARTEX,
    WALL,
    Played,
    inject,
    prepared,
    recipients,
    scenario,
    started,
)
from tests.models.small import MACHINE, by, scene

TWO = scenario(inject("first"), inject("second", at="10m", to=["csirt-lead"]))
EXTRA = inject("extra", at="20m")
PREPARE: dict[str, Any] = {
    "drill": "DRL-1", "scenario": "small", "version": "1.0.0", "digest": "sha256:0", "startex": STARTEX,
    "seed": 1,
}  # fmt: skip


def ended() -> Played:
    made = started(TWO)
    made.do(Observe, EVALUATOR, text="seen")
    made.do(EndExercise, wall=made.wall)
    return made


def aborted() -> Played:
    made = started(TWO)
    made.do(AbortExercise, BEN, wall=made.wall)
    return made


HOW = {"prepared": lambda: prepared(TWO), "running": lambda: started(TWO), "ended": ended, "aborted": aborted}
REFUSED: list[tuple[str, str, str, type[Command], dict[str, Any], Reason]] = [
    ("a drill is prepared once", "prepared", LEAD, PrepareDrill, PREPARE, Reason.ALREADY),
    ("a player starts nothing", "prepared", AMY, StartExercise, {"wall": WALL}, Reason.NOT_STAFF),
    ("an evaluator starts nothing", "prepared", EVALUATOR, StartExercise, {"wall": WALL}, Reason.NOT_STAFF),
    ("what runs has been started", "running", LEAD, StartExercise, {"wall": WALL}, Reason.EXERCISE_STATUS),
    ("no speed below 1", "prepared", LEAD, StartExercise, {"wall": WALL, "speed": 0}, Reason.FIELD_WRONG),
    ("no speed above 600", "prepared", LEAD, StartExercise, {"wall": WALL, "speed": 601}, Reason.FIELD_WRONG),
    ("what is not running is not paused", "prepared", LEAD, SetTiming, {"wall": WALL, "what": "pause"},
     Reason.EXERCISE_STATUS),
    ("what goes on is not resumed", "running", LEAD, SetTiming, {"wall": WALL, "what": "resume"},
     Reason.ALREADY),
    ("the same speed is no change", "running", LEAD, SetTiming, {"wall": WALL, "what": "speed", "speed": 1},
     Reason.ALREADY),
    ("a speed is needed", "running", LEAD, SetTiming, {"wall": WALL, "what": "speed"}, Reason.FIELD_WRONG),
    ("a step is needed", "running", LEAD, SetTiming, {"wall": WALL, "what": "step"}, Reason.FIELD_WRONG),
    ("nothing is played backwards", "running", LEAD, SetTiming,
     {"wall": WALL, "what": "step", "step": timedelta(minutes=-1)}, Reason.FIELD_WRONG),
    ("a player sets no time", "running", AMY, SetTiming, {"wall": WALL, "what": "pause"}, Reason.NOT_STAFF),
    ("an evaluator gives none", "running", EVALUATOR, FireInject, {"inject": "second"}, Reason.NOT_STAFF),
    ("only injects of the script are given", "running", LEAD, FireInject, {"inject": "x"},
     Reason.NO_SUCH_ITEM),
    ("nothing is given before STARTEX", "prepared", LEAD, FireInject, {"inject": "first"},
     Reason.EXERCISE_STATUS),
    ("a skip has a reason", "running", LEAD, SkipInject, {"inject": "second", "reason": " "},
     Reason.REASON_MISSING),
    ("nothing is skipped after the end", "ended", LEAD, SkipInject, {"inject": "second", "reason": "x"},
     Reason.EXERCISE_STATUS),
    ("nobody speaks for a stranger", "running", LEAD, SpeakFor,
     {"party": "nobody", "to": ("csirt-duty",), "text": "x"}, Reason.NO_SUCH_ITEM),
    ("nobody speaks to nobody", "running", LEAD, SpeakFor, {"party": "police", "to": ("x",), "text": "x"},
     Reason.FIELD_WRONG),
    ("a voice says something", "running", LEAD, SpeakFor,
     {"party": "police", "to": ("csirt-duty",), "text": ""}, Reason.EMPTY),
    ("a player observes nothing", "running", AMY, Observe, {"text": "x"}, Reason.NOT_STAFF),
    ("observations are of an objective there is", "running", LEAD, Observe, {"text": "x", "objective": "x"},
     Reason.NO_SUCH_ITEM),
    ("a rating stands on an observation", "running", EVALUATOR, Rate,
     {"objective": "call-out", "rating": "P", "observation": "OBS-9"}, Reason.NO_SUCH_ITEM),
    ("a rating is P, S, M or U", "running", EVALUATOR, Rate,
     {"objective": "call-out", "rating": "A", "observation": "OBS-001"}, Reason.FIELD_WRONG),
    ("a rating is of an objective there is", "ended", EVALUATOR, Rate,
     {"objective": "x", "rating": "P", "observation": "OBS-001"}, Reason.NO_SUCH_ITEM),
    ("a player rates nothing", "running", AMY, Rate,
     {"objective": "call-out", "rating": "P", "observation": "OBS-001"}, Reason.NOT_STAFF),
    ("the hot wash is after the end", "running", AMY, HotWash, {"text": "x"}, Reason.EXERCISE_STATUS),
    ("only participants answer", "ended", CHO, AnswerQuestions, {"answers": {"a": "5"}}, Reason.NOT_ENROLLED),
    ("an answer is given", "ended", AMY, AnswerQuestions, {"answers": {}}, Reason.FIELD_WRONG),
    ("answers come after the end", "running", AMY, AnswerQuestions, {"answers": {"a": "5"}},
     Reason.EXERCISE_STATUS),
    ("a player ends nothing", "running", AMY, EndExercise, {"wall": WALL}, Reason.NOT_STAFF),
    ("what is aborted is not resumed", "aborted", LEAD, StartExercise, {"wall": WALL},
     Reason.EXERCISE_STATUS),
    ("what is aborted is not aborted again", "aborted", AMY, AbortExercise, {"wall": WALL},
     Reason.EXERCISE_STATUS),
    ("management signs what has ended", "running", CHO, SignOff, {}, Reason.EXERCISE_STATUS),
    ("nothing aborted is signed off", "aborted", CHO, SignOff, {}, Reason.EXERCISE_STATUS),
    ("a controller names no staff", "running", AMY, Staff, {"person": BEN, "role": "scribe"},
     Reason.NOT_STAFF),
    ("staff is of the directory", "running", LEAD, Staff, {"person": "x", "role": "scribe"},
     Reason.UNKNOWN_PERSON),
    ("somebody always leads", "running", LEAD, Staff, {"person": LEAD, "role": None}, Reason.FIELD_WRONG),
    ("the same part is no change", "running", LEAD, Staff, {"person": LEAD, "role": "facilitator"},
     Reason.ALREADY),
    ("a player enrols nobody", "prepared", AMY, Enrol, {"person": CHO, "roles": ("ciso",)}, Reason.NOT_STAFF),
    ("participants are of the directory", "prepared", LEAD, Enrol, {"person": "x", "roles": ("ciso",)},
     Reason.UNKNOWN_PERSON),
    ("a role is one there is", "prepared", LEAD, Enrol, {"person": CHO, "roles": ("x",)},
     Reason.NO_SUCH_ROLE),
    ("somebody plays something", "prepared", LEAD, Enrol, {"person": CHO, "roles": ()}, Reason.NO_SUCH_ROLE),
    ("nobody is enrolled after the end", "ended", LEAD, Enrol, {"person": CHO, "roles": ("ciso",)},
     Reason.EXERCISE_STATUS),
    ("nobody confirms for another", "prepared", AMY, ConfirmAddress, {"person": BEN, "channel": "file"},
     Reason.NOT_STAFF),
    ("not even control", "prepared", LEAD, ConfirmAddress, {"person": BEN, "channel": "file"},
     Reason.NOT_STAFF),
    ("whoever does not take part confirms nothing", "prepared", CHO, ConfirmAddress,
     {"person": CHO, "channel": "file"}, Reason.NOT_ENROLLED),
    ("an address that is not there is not confirmed", "prepared", AMY, ConfirmAddress,
     {"person": AMY, "channel": "email"}, Reason.FIELD_WRONG),
    ("only participants can be absent", "running", LEAD, MarkAbsent, {"person": CHO, "why": "ill"},
     Reason.NOT_ENROLLED),
    ("whoever is there has not come back", "running", LEAD, MarkAbsent, {"person": AMY, "why": None},
     Reason.ALREADY),
    ("an inject is readable", "running", LEAD, PutInject, {"inject": {"id": "x"}}, Reason.FIELD_WRONG),
    ("a player adds no inject", "running", AMY, PutInject, {"inject": EXTRA}, Reason.NOT_STAFF),
]  # fmt: skip


@pytest.mark.parametrize(
    ("sentence", "status", "who", "kind", "given", "reason"),
    REFUSED,
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_what_is_refused(
    sentence: str, status: str, who: str, kind: type[Command], given: dict[str, Any], reason: Reason
) -> None:
    made = HOW[status]()
    before = made.facts()
    assert made.try_(kind, who, **given).refused is reason, sentence
    assert made.facts() == before, "nothing is written"


@pytest.mark.parametrize(
    ("sentence", "kind", "given"),
    [
        ("the script starts nothing", StartExercise, {"wall": WALL}),
        ("the script aborts nothing", AbortExercise, {"wall": WALL}),
        ("the script signs nothing off", SignOff, {}),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_the_script_never_acts_as_staff(sentence: str, kind: type[Command], given: dict[str, Any]) -> None:
    assert prepared(TWO).try_(kind, LEAD, via="script", **given).refused is Reason.SCRIPTED, sentence


def test_nothing_is_prepared_outside_a_drill_or_for_another_scenario() -> None:
    plain = scene(declare=False)
    prepare = PrepareDrill(actor=Actor(person=AMY), **PREPARE)
    assert plain.desk.handle("exercise", prepare).refused is Reason.NOT_A_DRILL
    for world in ({"drill": True}, {"drill": True, "scenario": TWO}):
        made = scene(declare=False, **world)
        other = PrepareDrill(actor=Actor(person=AMY), **PREPARE | {"version": "2.0.0"})
        assert made.desk.handle("exercise", other).refused is Reason.NO_SUCH_SCENARIO
    wrong = PrepareDrill(actor=Actor(person=AMY), **PREPARE | {"seed": -1})
    assert made.desk.handle("exercise", wrong).refused is Reason.FIELD_WRONG


def test_staff_comes_and_goes() -> None:
    made = prepared(TWO)
    made.do(Staff, person=CHO, role="facilitator")
    made.do(Staff, CHO, person=LEAD, role=None)
    assert made.state.staff == {EVALUATOR: "evaluator", CHO: "facilitator"}
    assert made.try_(StartExercise, LEAD, wall=WALL).refused is Reason.NOT_STAFF


def test_control_writes_for_others_and_an_evaluator_does_not() -> None:
    made = ended()
    made.do(HotWash, LEAD, text="it went well", for_=AMY)
    assert made.facts("hotwash.said")[-1].for_ == AMY
    made.do(AnswerQuestions, LEAD, answers={"useful": "4"}, for_=BEN)
    assert made.state.answers == {BEN: {"useful": "4"}}
    refused = made.try_(HotWash, EVALUATOR, text="x", for_=AMY).refused
    assert refused is Reason.ROLE_MISSING
    assert made.try_(HotWash, LEAD, text="x", for_="nobody").refused is Reason.UNKNOWN_PERSON
    told = made.try_(SignOff, LEAD, for_=CHO, text="by telephone")
    assert told.refused is Reason.IN_PERSON, "nobody knows the results for somebody else"
    made.do(SignOff, CHO)
    assert made.state.signed_off_by == CHO
    assert made.try_(SignOff, CHO).refused is Reason.ALREADY


def test_answers_in_words_lie_beside_the_facts() -> None:
    made = ended()
    made.do(AnswerQuestions, AMY, answers={"useful": "5", "better": "more time"})
    data = made.facts("questions.answered")[0].data["answers"]
    assert data["useful"] == "5"
    assert data["better"].startswith("t:")
    assert made.desk.texts("exercise")[data["better"]] == "more time"


def test_whoever_is_enrolled_again_plays_what_is_said_now_and_stays_confirmed() -> None:
    made = prepared(TWO)
    made.do(Enrol, person=AMY, roles=("csirt-duty", "ciso"), organisation="Maker")
    known = made.state.participants[AMY]
    assert (known.roles, known.confirmed, known.organisation) == (
        ["csirt-duty", "ciso"],
        ["console"],
        "Maker",
    )
    made.do(ConfirmAddress, AMY, person=AMY, channel="console")
    assert len(made.facts("participant.confirmed")) == 3
    assert made.desk.handle("exercise", ConfirmAddress(actor=MACHINE, person=AMY, channel="file")).accepted
    assert made.state.participants[AMY].confirmed == ["console", "file"]


def test_whoever_is_away_gets_nothing_but_the_abort() -> None:
    made = prepared(TWO)
    made.do(MarkAbsent, person=AMY, why="ill")
    made.do(StartExercise, wall=made.wall)
    made.catch_up()
    told = [one for one in made.facts("message.requested") if one.data["template"] == "notice.inject"]
    assert [list(recipients(one)) for one in told] == [[(AMY, ()), (LEAD, ("console",))]]
    assert made.facts("inject.delivered")[0].data["unreached"] is True
    made.do(AbortExercise, BEN, wall=made.wall)
    last = dict(recipients(made.facts("message.requested")[-1]))
    assert last == {AMY: ("console",), BEN: ("console",), LEAD: ("console",), DAN: ()}


def test_whoever_has_left_the_directory_is_passed_over() -> None:
    made = started(TWO)
    made.state.participants["zed"] = Participant(person="zed", roles=["csirt-duty"])
    made.do(EndExercise, wall=made.wall)
    people = [person for person, _ in recipients(made.facts("message.requested")[-1])]
    assert "zed" not in people


def test_a_role_nobody_is_enrolled_for_is_its_holders_and_each_hears_once() -> None:
    roles = [{"role": name, "task": "-"} for name in ("csirt-duty", "csirt-lead", "ciso")]
    made = started(scenario(inject("first", to=["csirt-lead", "csirt-duty"]), roles=roles))
    made.do(Enrol, person=AMY, roles=("csirt-duty", "csirt-lead"))
    made.do(Enrol, person=BEN, roles=("pr",))
    made.do(PutInject, inject=inject("second", to=["ciso"]))
    made.catch_up()
    told = [one for one in made.facts("message.requested") if one.data["template"] == "notice.inject"]
    assert [list(recipients(one)) for one in told] == [
        [(AMY, ("console",))],
        [(CHO, ()), (LEAD, ("console",))],
    ]


def test_a_drill_that_never_began_can_be_called_off() -> None:
    made = prepared(TWO)
    made.do(AbortExercise, AMY, wall=made.wall)
    assert (made.state.status, made.state.timing) == ("aborted", None)


def test_a_rating_may_stand_without_a_proposal() -> None:
    made = ended()
    made.do(Rate, EVALUATOR, objective="call-out", rating="M", observation="OBS-001")
    assert made.state.ratings["call-out"].proposed is None


def test_a_page_of_an_incident_in_a_drill_reaches_confirmed_addresses_of_those_enrolled_alone() -> None:
    made = started(TWO)
    assert made.desk.handle(None, Declare(actor=by(AMY), text="it burns")).accepted
    with made.desk.record.read() as tx:
        rows = {(one.person, one.channel) for one in tx.connection.execute(OUTBOX.select())}
    assert rows == {(AMY, "console"), (BEN, "console"), (LEAD, "console")}
    state = made.state
    assert enrolled.reachable(state, AMY, "console") and not enrolled.reachable(state, AMY, "file")
    assert enrolled.reachable(state, CHO, enrolled.SCRIPT) and not enrolled.reachable(state, CHO, "console")
    assert enrolled.enrolled(state, EVALUATOR) and not enrolled.enrolled(state, CHO)
    assert enrolled.notified(state, staff=False) == (AMY, BEN)


# -- changing the script ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sentence", "change", "said"),
    [
        ("it goes to a role with a card", {"to": ["ciso"]}, "to: expected one of csirt-duty, csirt-lead"),
        ("it comes from somebody of the scenario", {"from": "x"}, "from: expected one of control"),
        ("it serves an objective there is", {"objectives": ["x"]}, "objectives: expected one of call-out"),
        ("its condition is readable", {"when": "open('x')"}, "when: "),
        ("it follows an inject there is", {"after": "x", "later": "5m"}, "after: expected an inject"),
        ("its condition asks what there is", {"at": "5m", "when": "var('x')"}, "when: "),
        ("it does not follow itself", {"after": "extra", "later": "5m"}, "got a circle"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_an_inject_that_does_not_fit_is_refused_by_field(
    sentence: str, change: dict[str, Any], said: str
) -> None:
    made = started(TWO)
    outcome = made.try_(PutInject, inject=inject("extra", **change))
    assert outcome.refused is Reason.FIELD_WRONG, sentence
    assert said in "; ".join(str(one) for one in outcome.detail["fields"])  # type: ignore[attr-defined]


def test_a_changed_inject_comes_as_it_is_now_and_what_follows_it_as_well() -> None:
    made = started(scenario(inject("first", at="5m"), inject("then", after="first", later="5m")))
    expect = [{"text": "they call the lead", "role": "csirt-lead"}]
    made.do(PutInject, inject=inject("first", at="15m", title="Later", expect=expect), reason="too early")
    made.pass_(14 * MINUTE)
    assert made.came() == []
    made.pass_(10 * MINUTE)
    assert made.came() == [("first", "planned", 15 * MINUTE), ("then", "planned", 20 * MINUTE)]
    put = made.facts("inject.put")[0]
    assert put.data["changed"] is True
    texts = made.desk.texts("exercise")
    assert texts[put.data["inject"]["title"]["en"]] == "Later"
    assert texts[put.data["inject"]["expect"][0]["text"]["ja"]] == "they call the lead"
    assert made.try_(PutInject, inject=inject("first")).refused is Reason.ALREADY


def test_an_added_inject_may_follow_one_that_follows_another() -> None:
    made = started(scenario(inject("first", at="5m"), inject("then", after="first", later="5m")))
    made.do(PutInject, inject=inject("extra", after="then", later="5m"))
    made.pass_(16 * MINUTE)
    assert made.came()[-1] == ("extra", "planned", 15 * MINUTE)


def test_an_inject_that_is_written_too_late_comes_at_once_and_not_in_the_past() -> None:
    made = started(scenario(inject("first", at="5m")))
    made.pass_(30 * MINUTE)
    made.do(PutInject, inject=inject("extra", at="10m"))
    made.do(PutInject, inject=inject("then", after="first", later="5m"))
    made.do(PutInject, inject=inject("last", after="extra", later="5m"))
    made.pass_(10 * MINUTE)
    assert [(name, played / MINUTE) for name, _, played in made.came()] == [
        ("first", 5), ("extra", 30), ("then", 30), ("last", 35)
    ]  # fmt: skip


def test_players_read_nothing_that_is_still_to_come() -> None:
    made = started(TWO)
    made.do(PutInject, inject=EXTRA)
    made.do(SkipInject, inject="second", reason="no time")
    hidden = {one.kind for one in made.facts() if not may_see(made.state, one, AMY)}
    assert hidden == {"exercise.prepared", "inject.put", "inject.skipped"}
    assert all(may_see(made.state, one, EVALUATOR) for one in made.facts())
    assert not may_see(made.state, made.facts()[0], None)
    made.pass_(21 * MINUTE)
    assert may_see(made.state, made.facts("inject.put")[0], AMY)
    made.do(EndExercise, wall=made.wall)
    assert all(may_see(made.state, one, AMY) for one in made.facts())


def test_a_skipped_inject_moves_nothing() -> None:
    made = started(scenario(inject("first", at="5m"), inject("then", after="first", later="5m")))
    made.do(SkipInject, inject="first", reason="no time")
    made.pass_(11 * MINUTE)
    assert made.came() == [("first", "skipped", timedelta()), ("then", "planned", 10 * MINUTE)]


def test_without_its_scenario_a_drill_still_comes_to_its_end() -> None:
    made = started(TWO)
    lost = made.desk.world(made.state)
    object.__setattr__(lost, "scenario", None)
    actor = Actor(person=LEAD, name=LEAD)
    fire = FireInject(actor=actor, inject="second")
    assert len(exercise_injects.fire(made.state, fire, lost)) == 1
    said = SpeakFor(actor=actor, party="control", to=("csirt-duty",), text="x")
    assert len(exercise_injects.speak(made.state, said, lost)) == 2
    assert exercise_injects.put(made.state, PutInject(actor=actor, inject=EXTRA), lost)
    assert exercise_watching.observe(made.state, Observe(actor=actor, text="x", objective="y"), lost)
    enrol = Enrol(actor=actor, person=CHO, roles=("ciso",))
    assert exercise_people.enrol(made.state, enrol, lost)


# -- bounds -------------------------------------------------------------------------------------------------


def full(state: Exercise) -> None:
    state.participants = {f"p{n}": Participant(person=f"p{n}") for n in range(MAX_PARTICIPANTS)}
    state.added = {f"a{n}": {} for n in range(MAX_ADDED)}
    seen = Observation(id="x", seq=1, at=STARTEX, by=LEAD)
    state.observations = {f"o{n}": seen for n in range(MAX_OBSERVATIONS)}


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (Enrol, {"person": CHO, "roles": ("ciso",)}),
        (PutInject, {"inject": EXTRA}),
        (Observe, {"text": "x"}),
    ],
    ids=["participants", "injects of control's own", "observations"],
)
def test_everything_has_a_bound(kind: type[Command], given: dict[str, Any]) -> None:
    made = started(TWO)
    world = made.desk.world(made.state)
    full(made.state)
    rules: dict[Any, Any] = {
        Enrol: exercise_people.enrol, PutInject: exercise_injects.put, Observe: exercise_watching.observe
    }  # fmt: skip
    with pytest.raises(Refused) as no:
        rules[kind](made.state, kind(actor=Actor(person=LEAD, name=LEAD), **given), world)
    assert no.value.reason is Reason.FIELD_WRONG


def test_what_control_said_is_kept_within_a_bound() -> None:
    made = started(TWO)
    for _ in range(SAID_KEPT + 1):
        made.do(SpeakFor, party="police", to=("csirt-duty",), text="x")
    assert len(made.state.said) == SAID_KEPT
