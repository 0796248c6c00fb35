"""The contract of a key-value store, held by the real adapter over real sockets."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mask_cli.errors import BadData, Conflict, NotFound, ProviderRefused, ProviderUnavailable
from mask_cli.providers.base import KeyValueItem, KeyValueStore, RemoteApplication
from mask_cli.sandbox.voximplant_kvs import KeyValueModel, Stored

if TYPE_CHECKING:
    from mask_cli.providers.voximplant import Voximplant, VoximplantStore
    from mask_cli.sandbox.voximplant import VoximplantSandbox

VALUE = '{"courier":"12222222222","client":"13333333333"}'


@pytest.fixture
def contract(store: VoximplantStore) -> KeyValueStore:
    return store


def later(seconds: int = 3600) -> int:
    return int(time.time()) + seconds


def test_what_was_set_is_got_back_whole(contract: KeyValueStore) -> None:
    expires_at = later()

    written = contract.set("order:00042", VALUE, expires_at)

    assert written == KeyValueItem("order:00042", VALUE, expires_at)
    assert contract.get("order:00042") == written


def test_leading_zeros_of_an_order_number_are_not_lost(
    contract: KeyValueStore, sandbox: VoximplantSandbox
) -> None:
    contract.set("00042", VALUE, later())

    assert list(sandbox.items()) == ["00042"]
    assert contract.get("42") is None


def test_setting_again_replaces_value_and_expiry(contract: KeyValueStore) -> None:
    contract.set("order:1", VALUE, later(60))
    expires_at = later(120)

    contract.set("order:1", "{}", expires_at)

    assert contract.get("order:1") == KeyValueItem("order:1", "{}", expires_at)


def test_an_expired_item_is_gone(contract: KeyValueStore, sandbox: VoximplantSandbox) -> None:
    contract.set("order:1", VALUE, later(60))
    sandbox.clock.advance(61)

    assert contract.get("order:1") is None
    assert list(contract.items("order:")) == []
    assert contract.delete("order:1") is False


def test_deleting_twice_does_no_harm(contract: KeyValueStore) -> None:
    contract.set("order:1", VALUE, later())

    assert contract.delete("order:1") is True
    assert contract.delete("order:1") is False
    assert contract.get("order:1") is None


@pytest.mark.parametrize("answer", ["error", "null", "object", "list"])
def test_a_missing_key_is_not_a_failure_however_it_is_answered(
    contract: KeyValueStore, sandbox: VoximplantSandbox, answer: str
) -> None:
    sandbox.switches.change({"missing_get": answer, "missing_delete": answer})

    assert contract.get("order:1") is None
    assert contract.delete("order:1") is False


@pytest.mark.parametrize("code", [101, 110, 134, 496, 501, 999])
def test_a_missing_key_is_not_a_failure_whatever_its_code(
    contract: KeyValueStore, sandbox: VoximplantSandbox, code: int
) -> None:
    sandbox.switches.missing_code = code

    assert contract.get("order:1") is None
    assert contract.delete("order:1") is False


def test_a_missing_key_deleted_with_result_1_is_no_failure(
    contract: KeyValueStore, sandbox: VoximplantSandbox
) -> None:
    sandbox.switches.missing_delete = "one"

    contract.delete("order:1")

    assert sandbox.requests.count("DelKeyValueItem") == 1


@pytest.mark.parametrize("code", [103, 116, 127, 131, 558])
def test_an_error_about_something_else_is_not_taken_for_a_missing_key(
    contract: KeyValueStore, sandbox: VoximplantSandbox, code: int
) -> None:
    sandbox.faults.add("error", times=2, code=code, message="No.")

    with pytest.raises(ProviderRefused):
        contract.get("order:1")
    with pytest.raises(ProviderRefused):
        contract.delete("order:1")


def test_a_refused_delete_does_not_leave_an_order_reachable_unnoticed(
    contract: KeyValueStore, sandbox: VoximplantSandbox
) -> None:
    contract.set("order:1", VALUE, later())
    sandbox.faults.add("error", command="DelKeyValueItem", code=999, message="Odd.")

    with pytest.raises(ProviderRefused) as refused:
        contract.delete("order:1")

    assert refused.value.code == 999


@pytest.mark.parametrize("reading", ["prefix", "namespace"])
@pytest.mark.parametrize("count", [0, 1, 49, 50, 51, 120])
def test_no_item_is_lost_or_doubled_between_pages(
    contract: KeyValueStore, sandbox: VoximplantSandbox, reading: str, count: int
) -> None:
    sandbox.switches.change({"pattern": reading})
    put(sandbox, *(f"order:{n:05}" for n in range(count)), "order2:1", "orderly", "other:1")

    items = list(contract.items("order:"))
    keys = list(contract.keys("order:"))

    expected = sorted(f"order:{n:05}" for n in range(count))
    assert sorted(item.key for item in items) == expected
    assert {item.value for item in items} <= {VALUE}
    assert sorted(item.key for item in keys) == expected
    assert {item.value for item in keys} <= {None}
    assert sandbox.requests.count("GetKeyValueItems") == count // 50 + 1 + (
        # A prefix listing shows the two other keys that begin with "order" too.
        reading == "prefix" and count % 50 >= 48
    )


@pytest.mark.parametrize("reading", ["prefix", "namespace"])
def test_keys_without_a_namespace_are_listed_in_both_readings(
    contract: KeyValueStore, sandbox: VoximplantSandbox, reading: str
) -> None:
    sandbox.switches.change({"pattern": reading})
    put(sandbox, "00042", "00043", "o-1", "order:1")

    assert {item.key for item in contract.keys(None)} == {"00042", "00043", "o-1", "order:1"}
    assert {item.key for item in contract.keys("o-")} == {"o-1"}
    assert {item.key: item.value for item in contract.items("000")} == {
        "00042": VALUE,
        "00043": VALUE,
    }
    assert {item.key for item in contract.items("")} == {"00042", "00043", "o-1", "order:1"}
    assert {item.key for item in contract.items("order:1")} == {"order:1"}


def put(sandbox: VoximplantSandbox, *keys: str) -> None:
    model = sandbox.store()
    for key in keys:
        model.set(Stored(key, VALUE, later()))


@pytest.mark.parametrize(
    "key", ["", "all", "ALL", "order:1*", "a b", "a/b", "k" * 201, "order:1\n", "заказ\u200b"]
)
def test_a_key_the_store_cannot_hold_is_refused_before_any_call(
    contract: KeyValueStore, sandbox: VoximplantSandbox, key: str
) -> None:
    for call in (contract.get, contract.delete, lambda key: contract.set(key, VALUE, later())):
        with pytest.raises(BadData):
            call(key)

    assert sandbox.requests.count() == 0


@pytest.mark.parametrize("value", ["", "x" * 2001])
def test_a_value_the_store_cannot_hold_is_refused_before_any_call(
    contract: KeyValueStore, sandbox: VoximplantSandbox, value: str
) -> None:
    with pytest.raises(BadData):
        contract.set("order:1", value, later())

    assert sandbox.requests.count() == 0


@pytest.mark.parametrize("key", ["k" * 200, "заказ:Ё", "a#b+c;d.e_f-g"])
def test_every_legal_key_and_the_longest_value_survive_the_way(
    contract: KeyValueStore, key: str
) -> None:
    value = 'Ё/"\\&=+%' * 250

    contract.set(key, value, later())

    item = contract.get(key)
    assert item is not None
    assert item.value == value


def test_an_expiry_beyond_90_days_is_a_refusal_not_a_retry(
    contract: KeyValueStore, sandbox: VoximplantSandbox
) -> None:
    with pytest.raises(ProviderRefused) as refused:
        contract.set("order:1", VALUE, later(91 * 86_400))

    assert refused.value.code == 497
    assert sandbox.requests.count() == 1


def test_a_listing_that_does_not_move_on_ends(
    contract: KeyValueStore, sandbox: VoximplantSandbox
) -> None:
    put(sandbox, *(f"order:{n}" for n in range(60)))
    sandbox.switches.change({"offset": "ignored"})

    with pytest.raises(ProviderUnavailable):
        list(contract.items("order:"))


def test_many_threads_share_few_connections_and_lose_nothing(
    account: Voximplant, sandbox: VoximplantSandbox
) -> None:
    store = account.key_value_store("1")
    expires_at = later()

    def work(thread: int) -> None:
        for n in range(10):
            store.set(f"order:{thread:02}{n:03}", VALUE, expires_at)

    sandbox.faults.add("latency", times=0, seconds=0.005)
    threads = [threading.Thread(target=work, args=(n,)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(sandbox.items()) == 160
    assert sandbox.requests.count() == 160
    assert sandbox.requests.connections() <= 16
    assert 2 <= sandbox.requests.most_at_once() <= 16


def test_one_connection_serves_calls_made_one_after_another(
    contract: KeyValueStore, sandbox: VoximplantSandbox
) -> None:
    for n in range(20):
        contract.set(f"order:{n}", VALUE, later())

    assert sandbox.requests.connections() == 1


def test_a_write_that_may_come_late_is_told_to_its_thread_until_the_next_write(
    contract: KeyValueStore, sandbox: VoximplantSandbox
) -> None:
    contract.set("order:1", VALUE, later())
    assert not contract.may_come_late()

    sandbox.faults.add("lost")
    contract.set("order:1", VALUE, later())
    contract.get("order:1")
    assert contract.may_come_late()
    elsewhere: list[bool] = []
    thread = threading.Thread(target=lambda: elsewhere.append(contract.may_come_late()))
    thread.start()
    thread.join()
    assert elsewhere == [False]

    assert contract.delete("order:1")
    assert not contract.may_come_late()
    contract.set("order:1", VALUE, later())
    sandbox.faults.add("lost")
    assert contract.delete("order:1") is False
    assert contract.may_come_late()


def test_neither_value_nor_number_shows_in_the_repr_of_an_item(contract: KeyValueStore) -> None:
    contract.set("order:1", VALUE, later())

    assert "2222222" not in repr(contract.get("order:1"))


def test_importing_the_adapter_does_not_load_the_sdk_or_httpx() -> None:
    code = (
        "import sys, mask_cli.providers.voximplant;"
        "print([m for m in ('httpx', 'voximplant', 'jwt', 'cryptography') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert run.stdout == "[]\n"


def test_account_info_shows_whose_credentials_they_are(account: Voximplant) -> None:
    assert account.account_info()["account_name"] == "sandbox"


def test_applications_are_all_found_on_many_pages(
    account: Voximplant, sandbox: VoximplantSandbox
) -> None:
    for n in range(250):
        sandbox.add_application(f"app-{n}")

    found = list(account.applications())

    assert len({application.application_id for application in found}) == len(found) == 251
    assert found[0] == RemoteApplication("1", "masking")


@pytest.mark.parametrize("name", ["1", "masking", "masking.sandbox.voximplant.com"])
def test_an_application_is_found_by_id_name_and_full_name(account: Voximplant, name: str) -> None:
    assert account.resolve_application(name) == RemoteApplication("1", "masking")


@pytest.mark.parametrize("name", ["2", "mask", "masking.other.voximplant.com", "nothing"])
def test_part_of_a_name_does_not_hit_a_foreign_application(account: Voximplant, name: str) -> None:
    with pytest.raises(NotFound):
        account.resolve_application(name)


def test_an_application_is_not_chosen_among_several(
    account: Voximplant, sandbox: VoximplantSandbox
) -> None:
    sandbox.add_application("masking", node="n1")

    with pytest.raises(Conflict, match="1, 2"):
        account.resolve_application("masking")


def test_all_is_never_sent_as_a_name(account: Voximplant, sandbox: VoximplantSandbox) -> None:
    for call in (account.resolve_application, account.add_application, account.key_value_store):
        with pytest.raises(BadData):
            call("all")

    assert sandbox.requests.count() == 0


def test_a_taken_application_name_is_a_conflict(account: Voximplant) -> None:
    assert account.add_application("second") == RemoteApplication("2", "second")
    with pytest.raises(Conflict):
        account.add_application("second")


def test_an_illegal_application_name_is_refused(account: Voximplant) -> None:
    with pytest.raises(ProviderRefused) as refused:
        account.add_application("Bad Name")

    assert refused.value.code == 107


KEYS = st.sampled_from(["a", "b", "order:1", "order:2", "order2:1"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("set"), KEYS, st.integers(1, 30)),
        st.tuples(st.just("delete"), KEYS, st.just(0)),
        st.tuples(st.just("wait"), st.just(""), st.integers(1, 20)),
    ),
    max_size=30,
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STEPS)
def test_the_emulated_store_shows_what_lives_and_nothing_else(
    steps: list[tuple[str, str, int]],
) -> None:
    model, expected, now = KeyValueModel(), dict[str, int](), 1000
    for action, key, amount in steps:
        if action == "set":
            model.set(Stored(key, "v", now + amount))
            expected[key] = now + amount
        elif action == "delete":
            assert model.delete(key, now) == (expected.pop(key, 0) > now)
        else:
            now += amount
        alive = {key for key, expiry in expected.items() if expiry > now}
        assert {item.key for item in model.page("", "prefix", (50, 0), now)} == alive
        assert {item.key for item in model.page("order", "namespace", (50, 0), now)} == {
            key for key in alive if key.startswith("order:")
        }
        assert set(model.live(now)) == alive
