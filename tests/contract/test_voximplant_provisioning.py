"""The adapter's verbs of provisioning, against the emulated platform over real sockets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from mask_cli.errors import (
    BadData,
    Conflict,
    NotFound,
    ProviderDenied,
    ProviderRefused,
    ProviderUnavailable,
)
from mask_cli.models import PhoneNumber
from mask_cli.providers.voximplant_account import VoximplantAccount
from mask_cli.providers.voximplant_records import read_price, read_session
from mask_cli.sandbox.voximplant_history import add_session

if TYPE_CHECKING:
    from collections.abc import Callable

    from mask_cli.providers.voximplant import Voximplant
    from mask_cli.providers.voximplant_records import VoximplantOffer
    from mask_cli.sandbox.voximplant import VoximplantSandbox

pytestmark = pytest.mark.slow

NUMBER = PhoneNumber("+14155550120")
TEST_NUMBER = PhoneNumber("+15005550100")


@pytest.fixture
def vox(account: Voximplant) -> VoximplantAccount:
    return VoximplantAccount(account)


def offer_of(vox: VoximplantAccount, number: PhoneNumber) -> VoximplantOffer:
    found = (o for region in vox.regions("US") for o in vox.offers(region) if o.number == number)
    return next(found)


def attempts(sandbox: VoximplantSandbox, command: str) -> int:
    return len(sandbox.requests.entries(command))


# Scenarios and rules


@pytest.mark.parametrize("reading", ["part", "exact"])
def test_a_scenario_is_found_by_its_whole_name_only(
    vox: VoximplantAccount, sandbox: VoximplantSandbox, reading: str
) -> None:
    sandbox.switches.change({"scenario_filter": reading})
    vox.add_scenario("mask-longer", "other", "1")
    assert vox.find_scenario("mask", "1") is None
    number = vox.add_scenario("mask", "text", "1")
    found = vox.find_scenario("mask", "1")
    assert found is not None
    assert (found.scenario_id, found.text) == (number, "text")
    assert "text" not in repr(found)
    vox.set_scenario(number, "new")
    assert vox.scenario(number).text == "new"


def test_a_taken_scenario_name_is_explained(
    vox: VoximplantAccount, sandbox: VoximplantSandbox
) -> None:
    other = sandbox.add_application("other")
    vox.add_scenario("mask", "text", str(other))
    assert vox.find_scenario("mask", "1") is None
    with pytest.raises(Conflict) as raised:
        vox.add_scenario("mask", "text", "1")
    assert "unique in the whole account" in str(raised.value.hint)


def test_a_scenario_is_found_on_a_later_page(vox: VoximplantAccount) -> None:
    for position in range(101):
        vox.add_scenario(f"mask-{position}", "x", "1")
    vox.add_scenario("mask", "last", "1")
    found = vox.find_scenario("mask", "1")
    assert found is not None
    assert found.text == "last"


def test_a_rule_is_born_with_its_scenario(
    vox: VoximplantAccount, sandbox: VoximplantSandbox
) -> None:
    scenario = vox.add_scenario("mask", "text", "1")
    vox.add_rule("1", "mask", NUMBER.digits, scenario)
    (rule,) = vox.rules("1")
    assert rule.runs(scenario)
    assert NUMBER.digits not in repr(rule)
    assert attempts(sandbox, "BindScenario") == 0
    with pytest.raises(Conflict):
        vox.add_rule("1", "mask", NUMBER.digits, scenario)


def test_binding_adds_and_never_takes_away(vox: VoximplantAccount) -> None:
    first, second = (vox.add_scenario(name, "x", "1") for name in ("first", "second"))
    number = vox.add_rule("1", "mask", ".*", first)
    vox.bind_scenario(second, number)
    vox.bind_scenario(second, number)
    (rule,) = vox.rules("1")
    assert [name for _, name in rule.scenarios] == ["first", "second"]
    assert vox.delete_rule(number)
    assert not vox.delete_rule(number)


@pytest.mark.parametrize("word", ["all", "ALL", " all "])
def test_the_word_for_everything_is_never_sent(
    vox: VoximplantAccount, sandbox: VoximplantSandbox, word: str
) -> None:
    for verb in (vox.delete_application, vox.delete_rule):
        with pytest.raises(BadData):
            verb(word)
    with pytest.raises(BadData):
        vox.find_scenario(word, "1")
    assert sandbox.requests.entries() == []


def test_an_application_is_deleted_once(vox: VoximplantAccount) -> None:
    assert vox.find_application("masking") is not None
    assert vox.delete_application("1")
    assert not vox.delete_application("1")
    assert vox.find_application("masking") is None


@pytest.mark.parametrize("command", ["AddScenario", "AddRule", "AddSecret"])
def test_what_may_have_been_made_is_not_made_twice(
    vox: VoximplantAccount, sandbox: VoximplantSandbox, command: str
) -> None:
    scenario = vox.add_scenario("first", "x", "1")
    before = attempts(sandbox, command)
    sandbox.faults.add("lost", command=command)
    verbs: dict[str, Callable[[], object]] = {
        "AddScenario": lambda: vox.add_scenario("mask", "x", "1"),
        "AddRule": lambda: vox.add_rule("1", "mask", ".*", scenario),
        "AddSecret": lambda: vox.add_secret("1", "MASK", "x"),
    }
    with pytest.raises(ProviderUnavailable) as raised:
        verbs[command]()
    assert raised.value.unsure
    assert attempts(sandbox, command) == before + 1


# Numbers


def test_offers_tell_where_and_for_how_much(vox: VoximplantAccount) -> None:
    regions = {region.name: region for region in vox.regions("US")}
    assert set(regions) == {"San Francisco", "Seattle", "Toll-free"}
    offer = next(vox.offers(regions["Seattle"]))
    assert (offer.monthly_price, offer.setup_price) == ("1.5", "2.0")
    assert offer.price == "2.0 now and 1.5 a month"
    assert [region.name for region in vox.regions("US", "TOLLFREE")] == ["Toll-free"]


def test_a_country_with_states_is_searched_state_by_state(vox: VoximplantAccount) -> None:
    states = {region.name: region.state for region in vox.regions("US")}
    assert states == {"San Francisco": "CA", "Seattle": "WA", "Toll-free": None}
    assert [region.name for region in vox.regions("US", state="WA")] == ["Seattle"]
    assert [region.state for region in vox.regions("GB")] == [None]
    with pytest.raises(BadData, match="state") as refused:
        list(vox.regions("US", state="ZZ"))
    assert refused.value.hint == "--state takes CA, WA"


def test_a_number_of_a_state_can_be_rented(
    vox: VoximplantAccount, sandbox: VoximplantSandbox
) -> None:
    assert vox.rent(offer_of(vox, PhoneNumber("+12065550101")))
    assert attempts(sandbox, "GetPhoneNumberCountryStates") == 1


def test_a_number_is_paid_for_once(vox: VoximplantAccount, sandbox: VoximplantSandbox) -> None:
    offer = offer_of(vox, NUMBER)
    assert vox.rent(offer)
    assert not vox.rent(offer)
    assert sandbox.account.balance == 9_900
    assert attempts(sandbox, "AttachPhoneNumber") == 1


@pytest.mark.parametrize("kind", ["lost", "silent-applied", "html-status"])
def test_a_purchase_whose_end_is_unknown_is_looked_for_not_repeated(
    vox: VoximplantAccount, sandbox: VoximplantSandbox, kind: str
) -> None:
    offer = offer_of(vox, NUMBER)
    sandbox.faults.add(kind, command="AttachPhoneNumber", applied=True)
    assert vox.rent(offer)
    assert sandbox.account.balance == 9_900
    assert attempts(sandbox, "AttachPhoneNumber") == 1


def test_a_purchase_that_surely_failed_is_not_taken_for_done(
    vox: VoximplantAccount, sandbox: VoximplantSandbox
) -> None:
    offer = offer_of(vox, NUMBER)
    sandbox.faults.add("reset", command="AttachPhoneNumber")
    with pytest.raises(ProviderUnavailable):
        vox.rent(offer)
    assert sandbox.account.balance == 10_000
    assert attempts(sandbox, "AttachPhoneNumber") == 1


def test_an_empty_account_and_a_missing_role_are_told_apart(
    vox: VoximplantAccount, sandbox: VoximplantSandbox
) -> None:
    offer = offer_of(vox, NUMBER)
    sandbox.account.balance = 0
    with pytest.raises(ProviderRefused) as refused:
        vox.rent(offer)
    assert (refused.value.code, refused.value.exit_code) == (127, 69)
    assert "put money" in str(refused.value.hint)
    sandbox.switches.change({"role": "Developer"})
    with pytest.raises(ProviderDenied) as denied:
        vox.rent(offer)
    assert denied.value.exit_code == 77
    assert "Accountant" in str(denied.value.hint)


def test_a_number_knows_what_its_calls_go_to(vox: VoximplantAccount) -> None:
    vox.rent(offer_of(vox, NUMBER))
    rule = vox.add_rule("1", "mask", NUMBER.digits, vox.add_scenario("mask", "x", "1"))
    assert vox.number(NUMBER).application_id is None
    assert not vox.unassign(vox.number(NUMBER))
    vox.assign(vox.number(NUMBER), "1", rule)
    bound = vox.number(NUMBER)
    assert (bound.application_id, bound.application, bound.rule_id) == ("1", "masking", rule)
    assert NUMBER.digits not in repr(bound)
    assert [one.number for one in vox.numbers("1")] == [NUMBER]
    assert vox.unassign(bound)
    assert list(vox.numbers("1")) == []


def test_a_test_number_is_known_as_one(vox: VoximplantAccount, sandbox: VoximplantSandbox) -> None:
    sandbox.account.phones = {
        phone.phone_id: phone for phone in sandbox.account.phones.values() if phone.region.test
    }
    for phone in sandbox.account.phones.values():
        phone.purchased = sandbox.clock.now()
    assert vox.number(TEST_NUMBER).test
    assert [one.test for one in vox.numbers()] == [True]


def test_a_number_given_back_is_gone_and_stays_so(vox: VoximplantAccount) -> None:
    vox.rent(offer_of(vox, NUMBER))
    rented = vox.number(NUMBER)
    vox.unrent(rented)
    vox.unrent(rented)
    with pytest.raises(NotFound):
        vox.number(NUMBER)


# Secrets and history


@pytest.mark.parametrize("shape", ["object", "list"])
def test_a_secret_is_stored_changed_and_read_back(
    vox: VoximplantAccount, sandbox: VoximplantSandbox, shape: str
) -> None:
    sandbox.switches.change({"added": shape})
    assert vox.secret("1", "MASK_REPORT_SECRET") is None
    vox.add_secret("1", "MASK_REPORT_SECRET", "first")
    vox.set_secret("1", "MASK_REPORT_SECRET", "second")
    assert vox.secret("1", "MASK_REPORT_SECRET") == "second"


def test_the_history_is_read_without_its_numbers(
    vox: VoximplantAccount, sandbox: VoximplantSandbox
) -> None:
    now = sandbox.clock.now()
    leg: dict[str, object] = {
        "local_number": NUMBER.digits,
        "remote_number": "12222222222",
        "incoming": True,
        "successful": True,
        "duration": 40,
        "cost": 0.01,
    }
    number = add_session(
        sandbox.account, application_id=1, started=now - 60, custom_data="mask x", legs=[leg]
    )
    until = datetime.fromtimestamp(now + 10, UTC)
    (session,) = vox.sessions(until - timedelta(hours=1), until, "1")
    assert (session.session_id, session.started_at) == (str(number), now - 60)
    assert session.legs[0].seconds == 40
    assert "12222222222" not in repr(session)


@pytest.mark.parametrize("value", [None, [], {"call_session_history_id": 1}, {"start_date": "x"}])
def test_a_history_that_is_not_the_documented_one_is_an_error(value: object) -> None:
    with pytest.raises(ProviderUnavailable):
        read_session(value)


@pytest.mark.parametrize(
    ("given", "shown"), [(1, "1"), (1.5, "1.5"), ("0.80", "0.80"), (None, None), ("x", None)]
)
def test_a_price_is_shown_as_it_came(given: object, shown: str | None) -> None:
    assert read_price(given) == shown


# Answers that are not the documented ones

READS: dict[str, Callable[[VoximplantAccount], object]] = {
    "GetScenarios": lambda vox: vox.find_scenario("mask", "1"),
    "GetRules": lambda vox: vox.rules("1"),
    "GetPhoneNumbers": lambda vox: vox.find_number(NUMBER),
    "GetPhoneNumberCategories": lambda vox: list(vox.regions("US")),
    "GetPhoneNumberCountryStates": lambda vox: list(vox.regions("US", "GEOGRAPHIC")),
    "GetPhoneNumberRegions": lambda vox: list(vox.regions("US", "GEOGRAPHIC")),
    "GetNewPhoneNumbers": lambda vox: list(vox.offers(next(vox.regions("US")))),
    "GetSecretValue": lambda vox: vox.secret("1", "MASK_REPORT_SECRET"),
    "GetCallHistory": lambda vox: list(
        vox.sessions(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC), "1")
    ),
}
ODD: list[object] = [None, 1, "text", {"a": 1}, [None], [1], [{}], [[]], [{"phone_id": True}]]
BROKEN = ("null", "number", "list", "broken-json", "empty", "html-200", "no-type", "error-text")


@pytest.mark.parametrize("command", READS)
@pytest.mark.parametrize("result", ODD, ids=repr)
def test_an_odd_result_is_never_taken_for_an_answer(
    vox: VoximplantAccount, sandbox: VoximplantSandbox, command: str, result: object
) -> None:
    sandbox.faults.add("result", command=command, result=result, times=0)
    with pytest.raises(ProviderUnavailable):
        READS[command](vox)


@pytest.mark.parametrize("command", READS)
def test_a_broken_answer_is_never_taken_for_one(
    vox: VoximplantAccount, sandbox: VoximplantSandbox, command: str
) -> None:
    for kind in BROKEN:
        sandbox.faults.add(kind, command=command, times=0)
        with pytest.raises(ProviderUnavailable):
            READS[command](vox)
        sandbox.faults.clear()


@pytest.mark.parametrize("made", [None, "1", {}, [], True])
def test_something_made_without_an_id_is_of_unknown_fate(
    vox: VoximplantAccount, sandbox: VoximplantSandbox, made: object
) -> None:
    sandbox.faults.add("result", command="AddScenario", result=made)
    with pytest.raises(ProviderUnavailable) as raised:
        vox.add_scenario("mask", "text", "1")
    assert raised.value.unsure
