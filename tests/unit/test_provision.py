"""Plans for a Plivo account, and what becomes of them when they are broken off."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import fields, replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mask_cli.errors import BadData, Conflict, NotFound, TryLater
from mask_cli.models import PhoneNumber
from mask_cli.providers.base import Application, RentedNumber
from mask_cli.providers.plivo import PlivoClient
from mask_cli.provision import (
    AddToPool,
    AssignNumber,
    CreateApplication,
    Current,
    Desired,
    FieldChange,
    Plan,
    Row,
    UpdateApplication,
    WantedApplication,
    application_named,
    apply,
    checked_url,
    observe,
    plan_plivo,
    wanted_for_serving,
)
from mask_cli.sandbox.plivo_api import PlivoSandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

NUMBER = PhoneNumber("+14155550100")
ANSWER, HANGUP = "https://mask.example/plivo/answer", "https://mask.example/plivo/hangup"
WANTED = wanted_for_serving("masking", "https://mask.example")
WHOLE = Desired(WANTED, NUMBER)
STANDING = Application("77", "masking", ANSWER, "POST", HANGUP, "POST", ANSWER, "POST")
RENTED = RentedNumber(NUMBER, None, None, "0.80000", "local", voice_enabled=True)


# Plans


def test_the_served_application_answers_hangs_up_and_falls_back() -> None:
    assert WANTED.fields() == {
        "answer_url": ANSWER,
        "answer_method": "POST",
        "hangup_url": HANGUP,
        "hangup_method": "POST",
        "fallback_url": ANSWER,
        "fallback_method": "POST",
    }


@pytest.mark.parametrize("base", ["https://mask.example/", "https://mask.example"])
def test_a_slash_at_the_end_of_the_public_url_makes_no_second_application(base: str) -> None:
    assert wanted_for_serving("masking", base) == WANTED


def test_the_guides_get_is_planned_for_answer_and_fallback() -> None:
    wanted = wanted_for_serving("masking", "https://mask.example", "GET")
    assert (wanted.answer_method, wanted.fallback_method, wanted.hangup_method) == (
        "GET", "GET", "POST",
    )  # fmt: skip


def test_everything_missing_is_planned_in_order() -> None:
    plan = plan_plivo(WHOLE, Current(None, RENTED, in_pool=False))
    assert plan.steps == (
        CreateApplication(replace(STANDING, app_id="")),
        AssignNumber(NUMBER, "masking", None),
        AddToPool(NUMBER),
    )
    assert plan.warnings == ()


def test_everything_standing_plans_nothing() -> None:
    plan = plan_plivo(WHOLE, Current(STANDING, replace(RENTED, app_id="77")))
    assert plan.empty
    assert plan.rows() == []


def test_only_what_differs_is_planned() -> None:
    moved = replace(STANDING, answer_url="https://old.example/a", answer_method="GET")
    plan = plan_plivo(WHOLE, Current(moved, replace(RENTED, app_id="77"), in_pool=False))
    assert plan.steps == (
        UpdateApplication(
            "77",
            "masking",
            (
                FieldChange("answer_url", "https://old.example/a", ANSWER),
                FieldChange("answer_method", "GET", "POST"),
            ),
        ),
        AddToPool(NUMBER),
    )
    assert plan.rows() == [
        Row("update_application", "masking", "answer_url", "https://old.example/a", ANSWER),
        Row("update_application", "masking", "answer_method", "GET", "POST"),
        Row("add_to_pool", NUMBER, "provider", None, "plivo"),
    ]


def test_other_values_are_not_overwritten_without_being_asked() -> None:
    moved = replace(STANDING, answer_method="GET", hangup_url=None)
    with pytest.raises(Conflict) as caught:
        plan_plivo(Desired(WANTED), Current(moved), update=False)
    assert "answer_method: GET -> POST" in caught.value.message
    assert f"hangup_url: none -> {HANGUP}" in caught.value.message
    assert "answer_url" not in caught.value.message
    assert "--update" in (caught.value.hint or "")


def test_the_same_values_are_no_conflict() -> None:
    assert plan_plivo(Desired(WANTED), Current(STANDING), update=False).empty


def test_what_is_not_wanted_is_left_alone() -> None:
    special = replace(STANDING, hangup_url="https://other.example/h", fallback_method="GET")
    wanted = WantedApplication("masking", ANSWER)
    assert plan_plivo(Desired(wanted), Current(special)).empty


def test_a_hangup_url_that_followed_the_answer_url_does_not_stay_behind() -> None:
    old = "https://tunnel-1.example/a"
    wanted = WantedApplication("masking", ANSWER)
    plan = plan_plivo(Desired(wanted), Current(Application("77", "masking", old, hangup_url=old)))
    assert [(row.field, row.after) for row in plan.rows()] == [
        ("answer_url", ANSWER),
        ("hangup_url", ANSWER),
    ]


def test_a_number_is_not_taken_from_another_application_silently() -> None:
    current = Current(STANDING, replace(RENTED, app_id="88"), in_pool=True)
    with pytest.raises(Conflict, match="88") as caught:
        plan_plivo(WHOLE, current)
    assert NUMBER.digits not in caught.value.message
    plan = plan_plivo(WHOLE, current, take_over=True)
    assert plan.steps == (AssignNumber(NUMBER, "masking", "88"),)
    assert plan.rows() == [Row("assign_number", NUMBER, "application", "88", "masking")]


def test_a_number_of_an_application_to_be_created_is_not_thought_assigned() -> None:
    with pytest.raises(Conflict):
        plan_plivo(WHOLE, Current(None, replace(RENTED, app_id="77")))


def test_a_number_that_takes_no_calls_is_not_provisioned() -> None:
    with pytest.raises(BadData, match="no calls"):
        plan_plivo(WHOLE, Current(STANDING, replace(RENTED, voice_enabled=False)))
    with pytest.raises(NotFound, match="not rented"):
        plan_plivo(WHOLE, Current(STANDING))


@pytest.mark.parametrize("name", ["Phone IVR", "a.b", "naïve"])
def test_a_name_plivo_may_refuse_is_warned_of_but_planned(name: str) -> None:
    plan = plan_plivo(Desired(replace(WANTED, name=name)), Current())
    assert len(plan.steps) == 1
    assert name in plan.warnings[0]


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 101])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(BadData, match="not a name"):
        plan_plivo(Desired(replace(WANTED, name=name)), Current())


@pytest.mark.parametrize("method", ["PUT", "get", ""])
def test_a_method_plivo_does_not_know_is_refused(method: str) -> None:
    with pytest.raises(BadData, match="hangup_method"):
        plan_plivo(Desired(replace(WANTED, hangup_method=method)), Current())


def test_a_plan_shows_no_number() -> None:
    plan = plan_plivo(WHOLE, Current(None, RENTED, in_pool=False))
    assert NUMBER.digits not in repr(plan)
    assert NUMBER.digits not in repr(plan.rows())


URLS = st.sampled_from([ANSWER, HANGUP, "https://other.example/a", "http://127.0.0.1:8000/b"])
METHODS = st.sampled_from(["GET", "POST"])
APPLICATIONS = st.builds(
    Application,
    st.just("77"),
    st.just("masking"),
    st.none() | URLS,
    METHODS,
    st.none() | URLS,
    METHODS,
    st.none() | URLS,
    METHODS,
    default_number_app=st.booleans(),
)
WISHES = st.builds(
    WantedApplication,
    st.just("masking"),
    URLS,
    *(st.none() | values for values in (METHODS, URLS, METHODS, URLS, METHODS)),
)


def simulated(plan: Plan, current: Current) -> Current:
    """Carry out a plan on what is known of the account."""
    for step in plan.steps:
        if isinstance(step, CreateApplication):
            created = replace(step.application, app_id="77")
            hangup = created.hangup_url or created.answer_url
            current = replace(current, application=replace(created, hangup_url=hangup))
        elif isinstance(step, UpdateApplication):
            assert current.application is not None
            values = {change.field: change.after for change in step.changes}
            changed = replace(current.application, **values)  # type: ignore[arg-type]
            current = replace(current, application=changed)
        elif isinstance(step, AssignNumber):
            assert current.number is not None
            current = replace(current, number=replace(current.number, app_id="77"))
        else:
            current = replace(current, in_pool=True)
    return current


@given(
    wish=WISHES,
    application=st.none() | APPLICATIONS,
    app_id=st.sampled_from([None, "77", "88"]),
    in_pool=st.booleans(),
)
def test_a_second_plan_is_always_empty_and_nothing_unasked_changes(
    wish: WantedApplication, application: Application | None, app_id: str | None, in_pool: bool
) -> None:
    desired = Desired(wish, NUMBER)
    before = Current(application, replace(RENTED, app_id=app_id), in_pool)
    after = simulated(plan_plivo(desired, before, take_over=True), before)
    assert plan_plivo(desired, after, update=False).empty
    assert after.application is not None
    assert {name: getattr(after.application, name) for name in wish.fields()} == wish.fields()
    if application is not None:
        followed = application.hangup_url == application.answer_url
        asked = wish.fields().keys() | ({"hangup_url"} if followed else set())
        kept = {f.name for f in fields(Application)} - asked
        assert {n: getattr(after.application, n) for n in kept} == {
            n: getattr(application, n) for n in kept
        }


# Addresses


@pytest.mark.parametrize(
    "url",
    [
        "http://mask.example", "mask.example", "", "ftp://mask.example", "https://", "https:///x",
        "https://exämple.com", "https://mask.example/a b", "https://mask.example/\n",
        "https://a:b@mask.example", "https://mask.example/#x", "https://mask.example:x",
        "http://127.0.0.1.example", "http://10.0.0.1", "https://[",
    ],
)  # fmt: skip
def test_an_address_plivo_cannot_call_is_refused(url: str) -> None:
    with pytest.raises(BadData, match="not an address"):
        checked_url(url)
    with pytest.raises(BadData, match="not an address"):
        wanted_for_serving("masking", url)


@pytest.mark.parametrize(
    "url", ["https://mask.example:8443/x?y=1", "http://127.0.0.1:8000", "http://localhost/a"]
)
def test_good_addresses_are_taken(url: str) -> None:
    assert checked_url(url) == url


def test_a_public_url_with_a_query_would_lose_it() -> None:
    with pytest.raises(BadData, match="not an address"):
        wanted_for_serving("masking", "https://mask.example/?tenant=1")


def test_a_bad_address_is_refused_before_anything_is_planned() -> None:
    with pytest.raises(BadData):
        plan_plivo(Desired(replace(WANTED, fallback_url="http://mask.example")), Current(STANDING))


# Carried out, against the sandbox


class MemoryPool:
    """A pool of virtual numbers."""

    def __init__(self) -> None:
        self.entries: dict[PhoneNumber, tuple[str, str]] = {}
        self.parties: set[PhoneNumber] = set()

    def refuse_party(self, number: PhoneNumber) -> None:
        if number in self.parties:
            raise BadData("a party")

    def holds(self, number: PhoneNumber, provider: str, application: str) -> bool:
        return self.entries.get(number) == (provider, application)

    def add(self, number: PhoneNumber, provider: str, application: str) -> None:
        self.entries[number] = (provider, application)


class World:
    """An account with one rented number, and a pool."""

    def __init__(self, plivo: PlivoSandbox, account: PlivoClient) -> None:
        self.plivo = plivo
        self.account = account
        self.pool = MemoryPool()
        plivo.numbers.own(NUMBER.digits)

    def plan(self, desired: Desired = WHOLE) -> Plan:
        return plan_plivo(desired, observe(self.account, desired, self.pool))

    def state(self) -> tuple[object, ...]:
        applications = list(self.plivo.applications.by_id.values())
        rented = {n: r.app_id for n, r in self.plivo.numbers.rented.items()}
        return applications, rented, self.pool.entries


@pytest.fixture
def world() -> Iterator[World]:
    with PlivoSandbox() as plivo:
        plivo.switches.duplicate_name = 0
        with PlivoClient(
            plivo.auth_id, plivo.auth_token, endpoint=plivo.url, timeout=0.3, pause=0.001
        ) as account:
            yield World(plivo, account)


def test_the_second_run_changes_nothing(world: World) -> None:
    first = apply(world.plan(), world.account, world.pool)
    assert first.changed
    assert len(first.done) == 3
    before = len(world.plivo.requests)
    plan = world.plan()
    second = apply(plan, world.account, world.pool)
    assert (plan.empty, second.changed) == (True, False)
    assert second.application == first.application
    assert {seen.method for seen in list(world.plivo.requests)[before:]} == {"GET"}


def test_the_whole_stands_after_the_first_run(world: World) -> None:
    app_id = apply(world.plan(), world.account, world.pool).application.app_id
    assert world.account.application(app_id) == replace(STANDING, app_id=app_id)
    assert world.account.number(NUMBER).app_id == app_id
    assert world.pool.entries == {NUMBER: ("plivo", app_id)}


def test_a_new_public_url_changes_the_urls_alone(world: World) -> None:
    first = apply(world.plan(), world.account, world.pool).application
    moved = Desired(wanted_for_serving("masking", "https://new.example/base"), NUMBER)
    plan = world.plan(moved)
    assert {row.field for row in plan.rows()} == {"answer_url", "hangup_url", "fallback_url"}
    after = apply(plan, world.account, world.pool).application
    assert after == replace(
        first,
        answer_url="https://new.example/base/plivo/answer",
        hangup_url="https://new.example/base/plivo/hangup",
        fallback_url="https://new.example/base/plivo/answer",
    )
    assert world.plan(moved).empty


@pytest.mark.parametrize("steps", [0, 1, 2, 3])
def test_a_crash_between_two_steps_and_a_second_run_end_the_same(world: World, steps: int) -> None:
    plan = world.plan()
    if steps:
        apply(replace(plan, steps=plan.steps[:steps]), world.account, world.pool)
    rest = world.plan()
    assert len(rest.steps) == len(plan.steps) - steps
    apply(rest, world.account, world.pool)
    assert world.plan().empty
    applications, rented, pool = world.state()
    assert isinstance(applications, list)
    app_id = applications[0]["app_id"]
    assert (len(applications), rented) == (1, {NUMBER.digits: app_id})
    assert pool == {NUMBER: ("plivo", app_id)}


@pytest.mark.parametrize("kind", ["lost", "reset", "status", "silent"])
@pytest.mark.parametrize("request_number", range(5))
def test_a_failing_request_and_a_second_run_end_the_same(
    world: World, kind: str, request_number: int
) -> None:
    if request_number:
        world.plivo.faults.latency(0, times=request_number)
    if kind == "status":
        world.plivo.faults.status(503, times=1)
    else:
        getattr(world.plivo.faults, kind)()
    with suppress(TryLater):
        apply(world.plan(), world.account, world.pool)
    assert world.plivo.faults.take("") is None
    apply(world.plan(), world.account, world.pool)
    assert world.plan().empty
    applications, rented, pool = world.state()
    assert isinstance(applications, list)
    app_id = applications[0]["app_id"]
    assert (len(applications), rented) == (1, {NUMBER.digits: app_id})
    assert pool == {NUMBER: ("plivo", app_id)}


def test_without_a_pool_nothing_is_missing_in_it(world: World) -> None:
    outcome = apply(plan_plivo(WHOLE, observe(world.account, WHOLE)), world.account)
    assert [type(step) for step in outcome.done] == [CreateApplication, AssignNumber]
    assert plan_plivo(WHOLE, observe(world.account, WHOLE)).empty


def test_a_number_that_is_not_rented_stops_before_anything_is_created(world: World) -> None:
    desired = Desired(WANTED, PhoneNumber("+14155550101"))
    with pytest.raises(NotFound, match="not rented"):
        world.plan(desired)
    assert world.plivo.applications.by_id == {}


def test_a_partys_number_stops_before_anything_is_created(world: World) -> None:
    world.pool.parties = {NUMBER}
    before = world.state()
    with pytest.raises(BadData):
        world.plan()
    assert world.state() == before


def test_an_application_is_found_by_name_or_id(world: World) -> None:
    created = world.account.create_application(Application("", "2026", ANSWER))
    assert application_named(world.account, "2026").app_id == created.app_id
    assert application_named(world.account, created.app_id).name == "2026"
    for unknown in ("nobody", "123"):
        with pytest.raises(NotFound, match=unknown):
            application_named(world.account, unknown)


def test_a_plan_without_an_application_is_not_carried_out(world: World) -> None:
    with pytest.raises(NotFound):
        apply(Plan(None, (AssignNumber(NUMBER, "masking", None),)), world.account)
    with pytest.raises(NotFound):
        apply(Plan(None, ()), world.account)
