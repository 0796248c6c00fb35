"""What arrives at the provider, and what is told when it does not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from mask_cli.errors import ExitCode
from mask_cli.sandbox.voximplant_kvs import Stored
from mask_cli.times import format_time
from tests.cli.conftest import DAY, NOON, PARTIES, remote_values
from tests.cli.leaks import GUIDE

if TYPE_CHECKING:
    from mask_cli.sandbox.voximplant import VoximplantSandbox
    from tests.cli.conftest import FixedClock, Mask

JSON = ("--format", "json")
VALUE = '{"courier":"12222222222","client":"13333333333"}'
GUIDES_CALL = ("add", "12345", *PARTIES, "--ttl", "864000s")


@pytest.mark.parametrize(("prefix", "key"), [(None, "order:12345"), ("", "12345")])
def test_the_guides_call_puts_exactly_what_its_scenario_reads(
    mask: Mask,
    provider: VoximplantSandbox,
    monkeypatch: pytest.MonkeyPatch,
    prefix: str | None,
    key: str,
) -> None:
    if prefix is not None:
        monkeypatch.setenv("MASK_KEY_PREFIX", prefix)
    run = mask(*GUIDES_CALL, *JSON).done()
    assert (run.json["remote"], run.json["changed"], run.err) == ("live", True, "")
    assert remote_values(provider) == {key: (VALUE, NOON + 864_000)}


def test_a_prefix_can_be_emptied_in_the_settings_file(
    mask: Mask, provider: VoximplantSandbox
) -> None:
    settings = mask.write("settings.toml", 'key_prefix = ""\n')
    mask(*GUIDES_CALL, "--config", settings).done()
    assert remote_values(provider).keys() == {"12345"}


def test_leading_zeros_reach_the_provider(mask: Mask, provider: VoximplantSandbox) -> None:
    mask("add", "00042", *PARTIES).done()
    assert remote_values(provider).keys() == {"order:00042"}
    assert [row["order"] for row in mask("list", "--remote", *JSON).done().json] == ["00042"]
    mask("delete", "00042").done()
    assert remote_values(provider) == {}


def test_every_change_arrives_at_once(
    mask: Mask, provider: VoximplantSandbox, clock: FixedClock
) -> None:
    mask(*GUIDES_CALL).done()
    mask("extend", "12345", "--by", "1h").done()
    assert remote_values(provider)["order:12345"][1] == NOON + 864_000 + 3600
    mask("expire", "12345", "--in", "2h").done()
    assert remote_values(provider)["order:12345"][1] == NOON + 7200
    mask("reassign", "12345", "--courier", GUIDE[1]).done()
    value = json.loads(remote_values(provider)["order:12345"][0])
    assert value == {"courier": GUIDE[1], "client": "13333333333"}
    run = mask("expire", "12345", *JSON).done()
    assert (run.json["remote"], remote_values(provider)) == ("absent", {})
    clock.pass_(60)
    assert mask("extend", "12345", "--by", "1h", *JSON).done().json["remote"] == "live"
    assert mask("delete", "12345", *JSON).done().json["remote"] == "absent"
    assert remote_values(provider) == {}
    assert mask("sync", *JSON).done().json["pending"] == 0


def test_a_long_mapping_is_capped_and_renewed_before_the_provider_forgets_it(
    mask: Mask, provider: VoximplantSandbox, clock: FixedClock
) -> None:
    run = mask("add", "12345", *PARTIES, "--ttl", "120d", *JSON).done()
    assert (run.json["remote"], run.json["expires_at"]) == ("live", format_time(NOON + 120 * DAY))
    kept = remote_values(provider)["order:12345"][1]
    assert NOON + 90 * DAY - 600 <= kept <= NOON + 90 * DAY
    clock.at = kept - 30 * DAY
    assert mask("sync", *JSON).done().json["set"] == 0
    clock.pass_(1)
    assert [row["remote"] for row in mask("list", *JSON).done().json] == ["pending"]
    assert mask("sync", *JSON).done().json["set"] == 1
    assert remote_values(provider)["order:12345"][1] == NOON + 120 * DAY


@pytest.mark.parametrize(
    "words",
    [
        GUIDES_CALL,
        ("reassign", "20001", "--courier", GUIDE[3]),
        ("expire", "20001"),
        ("extend", "20001", "--by", "1h"),
        ("delete", "20001"),
    ],
    ids=lambda words: words[0],
)
def test_dry_run_and_no_push_send_nothing(
    mask: Mask, provider: VoximplantSandbox, words: tuple[str, ...]
) -> None:
    mask("add", "20001", "--courier", GUIDE[1], "--client", GUIDE[0]).done()
    remote, local = remote_values(provider), mask.everything()
    provider.requests.clear()
    assert "nothing was changed" in mask(*words, "--dry-run").done().err
    assert mask.everything() == local
    run = mask(*words, "--no-push", *JSON).done()
    assert run.json["remote"] == "pending"
    assert (remote_values(provider), provider.requests.entries()) == (remote, [])
    assert len(mask("list", "--pending", *JSON).done().json) == 1
    assert mask("sync", "--dry-run", *JSON).done().json["pending"] == 1
    assert provider.requests.entries() == []
    assert mask("sync", "--dry-run", "--exit-code").code == ExitCode.PENDING
    mask("sync").done()
    assert mask("sync", "--dry-run", "--exit-code").code == ExitCode.DONE
    assert mask("list", "--pending", *JSON).done().json == []


def test_prune_removes_there_what_is_forgotten_here(
    mask: Mask, provider: VoximplantSandbox
) -> None:
    mask(*GUIDES_CALL).done()
    mask("expire", "12345", "--no-push").done()
    run = mask("prune", "--grace", "0", "--dry-run", *JSON).done()
    assert run.json["pruned"] == 1
    assert remote_values(provider)
    run = mask("prune", "--grace", "0", "--no-push", *JSON).done()
    assert run.json == {"pruned": 1, "audit": 0, "calls": 0, "deleted": 0, "pending": 1}
    pending = mask("list", "--pending", *JSON).done().json
    assert [(row["order"], row["courier"], row["remote"]) for row in pending] == [
        ("12345", None, "pending")
    ]
    assert mask("prune", *JSON).done().json["deleted"] == 1
    assert remote_values(provider) == {}


def test_a_second_delete_finishes_what_the_first_could_not(
    mask: Mask, provider: VoximplantSandbox
) -> None:
    mask(*GUIDES_CALL).done()
    mask("delete", "12345", "--no-push").done()
    assert remote_values(provider)
    mask("delete", "12345", "--missing-ok").done()
    assert remote_values(provider) == {}


def test_list_and_show_tell_what_stands_there_and_whose_it_is(
    mask: Mask, provider: VoximplantSandbox
) -> None:
    mask(*GUIDES_CALL).done()
    foreign = json.dumps({"courier": GUIDE[0], "client": GUIDE[1]})
    provider.store().set(Stored("order:77777", foreign, NOON + DAY))
    provider.store().set(Stored("other:1", "x", NOON + DAY))
    rows = mask("list", "--remote", *JSON).done().json
    assert rows == [
        {
            "order": "12345",
            "courier": "+1•••••••2222",
            "client": "+1•••••••3333",
            "expires_at": format_time(NOON + 864_000),
            "known": True,
            "state": "active",
        },
        {
            "order": "77777",
            "courier": "+1•••••••7777",
            "client": "+1•••••••7778",
            "expires_at": format_time(NOON + DAY),
            "known": False,
            "state": None,
        },
    ]
    assert len(mask("list", "--remote", "--limit", "1", *JSON).done().json) == 1
    shown = mask("show", "12345", "--remote", *JSON).done().json
    assert shown["agrees"] is True
    assert shown["remote_item"]["courier"] == "+1•••••••2222"
    provider.store().set(Stored("order:12345", foreign, NOON + DAY))
    assert mask("show", "12345", "--remote", *JSON).done().json["agrees"] is False
    provider.store().delete("order:12345", NOON)
    shown = mask("show", "12345", "--remote", *JSON).done().json
    assert (shown["remote_item"], shown["agrees"]) == (None, False)


def test_show_does_not_call_right_what_drift_calls_wrong(
    mask: Mask, provider: VoximplantSandbox, clock: FixedClock
) -> None:
    mask(*GUIDES_CALL).done()
    provider.store().set(Stored("order:12345", VALUE, NOON + 60 * DAY))
    (row,) = mask("drift", *JSON).json
    assert row["reason"] == "expiry_differs"
    assert mask("show", "12345", "--remote", *JSON).done().json["agrees"] is False
    mask("sync", "--full").done()
    assert mask("show", "12345", "--remote", *JSON).done().json["agrees"] is True
    # The provider keeps no longer than 90 days: what was cut there is right.
    mask("extend", "12345", "--by", "120d").done()
    clock.pass_(60)
    assert mask("show", "12345", "--remote", *JSON).done().json["agrees"] is True


@pytest.mark.parametrize("prefix", ["", "order:"])
def test_an_order_that_is_gone_here_and_reachable_there_is_not_left_out(
    mask: Mask, provider: VoximplantSandbox, monkeypatch: pytest.MonkeyPatch, prefix: str
) -> None:
    monkeypatch.setenv("MASK_KEY_PREFIX", prefix)
    for order in ("12345", "12346", "12347"):
        mask("add", order, *PARTIES).done()
    mask("delete", "12346", "--no-push").done()
    mask("expire", "12347", "--no-push").done()
    provider.store().set(Stored("somebody-elses", "x", NOON + DAY))

    rows = mask("list", "--remote", *JSON).done().json

    rows.sort(key=lambda row: row["order"])
    assert [row["order"] for row in rows] == ["12345", "12346", "12347"]
    assert all(row["known"] and row["courier"] for row in rows)
    assert [row["state"] for row in rows] == ["active", "expired", "expired"]


def test_an_order_of_another_length_is_not_taken_for_a_strangers(
    mask: Mask, provider: VoximplantSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MASK_ORDER_DIGITS", "10")
    mask("add", "0123456789", *PARTIES).done()
    monkeypatch.setenv("MASK_ORDER_DIGITS", "5")
    (row,) = mask("list", "--remote", *JSON).done().json
    assert len(provider.items()) == 1
    assert row["known"]
    assert row["state"] == "active"


@pytest.mark.parametrize(
    "value",
    ["null", "[]", "7", '"text"', "no json", '{"courier": 5}', '{"courier":"","client":"x"}'],
)
def test_foreign_values_do_not_break_the_listing(
    mask: Mask, provider: VoximplantSandbox, value: str
) -> None:
    provider.store().set(Stored("order:77777", value, NOON + DAY))
    rows = mask("list", "--remote", *JSON).done().json
    assert [(row["order"], row["client"]) for row in rows] == [("77777", None)]


def test_kv_commands_see_and_change_single_items(mask: Mask, provider: VoximplantSandbox) -> None:
    kv = ("voximplant", "kv")
    run = mask(*kv, "set", "greeting", "hello", "--ttl", "1h", "--dry-run").done()
    assert ("Dry run" in run.err, remote_values(provider)) == (True, {})
    mask(*kv, "set", "greeting", "hello", "--ttl", "1h").done()
    assert remote_values(provider) == {"greeting": ("hello", NOON + 3600)}
    record = {"key": "greeting", "value": "hello", "expires_at": format_time(NOON + 3600)}
    assert mask(*kv, "get", "greeting", *JSON).done().json == record
    mask(*kv, "set", "order:1", "-", stdin="from stdin\n").done()
    assert remote_values(provider)["order:1"][0] == "from stdin"
    assert [row["key"] for row in mask(*kv, "list", *JSON).done().json] == ["order:1"]
    assert [row["key"] for row in mask(*kv, "list", "gree", *JSON).done().json] == ["greeting"]
    assert len(mask(*kv, "list", "", *JSON).done().json) == 2
    assert mask(*kv, "delete", "greeting", "--dry-run", *JSON).done().json["found"] is True
    assert mask(*kv, "delete", "greeting", *JSON).done().json == {
        "key": "greeting",
        "deleted": True,
        "found": True,
    }
    assert mask(*kv, "delete", "greeting", *JSON).done().json["found"] is False
    mask(*kv, "get", "greeting").failed(ExitCode.NOT_FOUND, "there is no key 'greeting'")
    actions = [row["action"] for row in mask("audit", *JSON).done().json]
    assert actions == ["kv delete", "kv delete", "kv set", "kv set"]


@pytest.mark.parametrize(
    "words",
    [("set", "a key", "x"), ("set", "a", ""), ("set", "a", "x" * 2001), ("delete", "a key")],
    ids=["key", "empty", "long", "delete"],
)
def test_what_is_refused_is_not_audited_as_done(
    mask: Mask, provider: VoximplantSandbox, words: tuple[str, ...]
) -> None:
    mask("voximplant", "kv", *words).failed(ExitCode.BAD_DATA)
    provider.faults.add("error", times=0, code=127, message="No money.")
    mask("voximplant", "kv", "set", "a", "b").failed(ExitCode.PROVIDER)
    mask("voximplant", "kv", "delete", "a").failed(ExitCode.PROVIDER)
    assert mask("audit", *JSON).done().json == []


@pytest.mark.parametrize("words", [("set", "a", "b"), ("delete", "a")], ids=lambda words: words[0])
def test_what_may_have_been_done_is_audited(
    mask: Mask, provider: VoximplantSandbox, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.setenv("MASK_VOXIMPLANT_TIMEOUT", "1s")
    provider.faults.add("silent-applied", times=0)
    mask("voximplant", "kv", *words).failed(ExitCode.TRY_LATER)
    (row,) = mask("audit", *JSON).done().json
    assert (row["action"], row["detail"]) == (f"kv {words[0]}", "a")


def test_what_cannot_be_audited_is_not_begun(mask: Mask, provider: VoximplantSandbox) -> None:
    mask("list").done()
    mask.query("CREATE TRIGGER no_audit BEFORE INSERT ON audit BEGIN SELECT RAISE(FAIL, 'no'); END")
    mask("voximplant", "kv", "set", "a", "b").failed(ExitCode.STORAGE)
    assert remote_values(provider) == {}


@pytest.mark.parametrize(
    "words",
    [("list",), ("get", "a"), ("set", "a", "b"), ("delete", "a")],
    ids=lambda words: words[0],
)
def test_kv_without_a_provider_says_what_to_set(mask: Mask, words: tuple[str, ...]) -> None:
    run = mask("voximplant", "kv", *words)
    run.failed(ExitCode.CONFIGURATION, "no provider is configured", "VOXIMPLANT_CREDENTIALS")


def test_what_the_store_there_cannot_keep_is_bad_data_or_refused(
    mask: Mask, provider: VoximplantSandbox
) -> None:
    for words in (("a b", "x"), ("k" * 201, "x"), ("key", "x" * 2001)):
        run = mask("voximplant", "kv", "set", *words)
        assert run.code in (ExitCode.BAD_DATA, ExitCode.PROVIDER), run.err
        assert run.out == ""
    assert remote_values(provider) == {}


def test_sync_without_a_provider_is_fine_for_cron(mask: Mask) -> None:
    run = mask("sync", *JSON).done()
    assert set(run.json.values()) == {0}
    assert mask("sync", "--quiet").done().err == ""


@pytest.mark.parametrize("name", ["masking", "masking.sandbox.voximplant.com"])
def test_an_application_may_be_named(
    mask: Mask, provider: VoximplantSandbox, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("MASK_VOXIMPLANT_APPLICATION", name)
    assert mask(*GUIDES_CALL, *JSON).done().json["remote"] == "live"
    assert remote_values(provider).keys() == {"order:12345"}


def test_another_application_or_prefix_has_everything_pending_and_loses_nothing(
    mask: Mask, provider: VoximplantSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    mask(*GUIDES_CALL).done()
    other = provider.add_application("other")
    monkeypatch.setenv("MASK_VOXIMPLANT_APPLICATION", str(other))
    assert mask("list", *JSON).done().json[0]["remote"] == "pending"
    mask("sync").done()
    monkeypatch.setenv("MASK_KEY_PREFIX", "o:")
    assert mask("sync", "--dry-run", *JSON).done().json["pending"] == 1
    mask("sync").done()
    assert provider.items(other).keys() == {"order:12345", "o:12345"}
    assert provider.items(1).keys() == {"order:12345"}


def test_an_application_that_is_not_there_is_told_before_it_is_believed(
    mask: Mask, provider: VoximplantSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert provider
    monkeypatch.setenv("MASK_VOXIMPLANT_APPLICATION", "nowhere")
    run = mask(*GUIDES_CALL, *JSON)
    run.answered(ExitCode.PARTLY, "nowhere")
    assert run.json["remote"] == "pending"


def failing(mask: Mask, *more: str) -> Any:
    run = mask(*GUIDES_CALL, *JSON, *more)
    run.answered(ExitCode.TRY_LATER, "stored here", "mask sync", "do not repeat")
    assert (run.json["remote"], run.json["changed"]) == ("pending", True)
    assert mask("list", *JSON).done().json[0]["remote"] == "pending"
    return run


def healed(mask: Mask, provider: VoximplantSandbox, clock: FixedClock) -> None:
    provider.faults.clear()
    clock.pass_(60)
    assert mask("sync", *JSON).done().json["pending"] == 0
    assert remote_values(provider) == {"order:12345": (VALUE, NOON + 864_000)}
    assert mask("list", *JSON).done().json[0]["remote"] == "live"


UNREACHABLE: dict[str, dict[str, Any]] = {
    "silent": {},
    "silent-applied": {},
    "lost": {},
    "reset": {"applied": True},
    "html-status": {},
    "html-200": {"applied": True},
    "null": {"applied": True},
    "number": {},
    "list": {},
    "empty": {},
    "broken-json": {},
    "json-status": {"applied": True},
    "result-status": {},
    "redirect": {},
    "too-many": {"seconds": 5.0},
    "error": {"code": 340, "message": "Try later, +14156667777."},
}


@pytest.mark.parametrize("kind", UNREACHABLE)
def test_a_provider_that_does_not_answer_properly_loses_no_mapping(
    mask: Mask,
    provider: VoximplantSandbox,
    clock: FixedClock,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    monkeypatch.setenv("MASK_VOXIMPLANT_TIMEOUT", "1s")
    provider.faults.add(kind, times=0, **UNREACHABLE[kind])
    failing(mask)
    healed(mask, provider, clock)


def test_a_provider_that_is_not_there_loses_no_mapping(
    mask: Mask,
    provider: VoximplantSandbox,
    clock: FixedClock,
    monkeypatch: pytest.MonkeyPatch,
    nowhere: str,
) -> None:
    monkeypatch.setenv("MASK_VOXIMPLANT_ENDPOINT", nowhere)
    monkeypatch.setenv("MASK_VOXIMPLANT_TIMEOUT", "1s")
    failing(mask)
    monkeypatch.setenv("MASK_VOXIMPLANT_ENDPOINT", provider.endpoint)
    healed(mask, provider, clock)


def test_an_untrusted_provider_gets_no_numbers(
    mask: Mask, provider: VoximplantSandbox, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    trusted = str(provider.ca_file)
    for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name)
    assert "Hint: REQUESTS_CA_BUNDLE or SSL_CERT_FILE name other" in failing(mask).err
    mask("sync").answered(ExitCode.TRY_LATER, "Hint: REQUESTS_CA_BUNDLE", "mask sync goes on")
    assert provider.requests.entries() == []
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", trusted)
    healed(mask, provider, clock)


def test_an_endpoint_that_is_somebody_elses_is_named_where_nothing_could_be_sent(
    mask: Mask, provider: VoximplantSandbox, clock: FixedClock
) -> None:
    provider.faults.add("redirect", times=0)
    assert "check the setting voximplant.endpoint; then mask sync" in failing(mask).err
    clock.pass_(60)
    assert "check the setting voximplant.endpoint" in mask("sync").err
    healed(mask, provider, clock)


@pytest.mark.parametrize(("code", "message"), [(100, "Authorization failed"), (454, "Bad token")])
def test_denied_credentials_are_not_retried_but_nothing_is_lost(
    mask: Mask, provider: VoximplantSandbox, clock: FixedClock, code: int, message: str
) -> None:
    provider.faults.add("error", times=0, code=code, message=message)
    run = mask(*GUIDES_CALL, *JSON)
    run.answered(ExitCode.PARTLY, "stored here")
    assert run.json["remote"] in ("pending", "failed")
    mask("sync").failed(ExitCode.DENIED)
    healed(mask, provider, clock)


def test_what_was_done_here_is_told_when_nothing_can_be_sent_afterwards(
    mask: Mask, provider: VoximplantSandbox, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A script that reads an empty answer would take a stored import for one that failed."""
    rows = "order,courier,client\n12345,12222222222,13333333333\n"
    provider.faults.add("error", times=0, code=104, message="Forbidden command")
    run = mask("import", "-", "--push", *JSON, stdin=rows)
    run.answered(ExitCode.PARTLY, "stored here", "Forbidden command")
    assert (run.json["added"], run.json["set"], run.json["pending"]) == (1, 0, 1)
    provider.faults.clear()
    mask("sync").done()

    mask("expire", "12345", "--no-push").done()
    clock.pass_(60)
    provider.faults.add("error", times=0, code=104, message="Forbidden command")
    run = mask("prune", "--grace", "0", *JSON)
    run.answered(ExitCode.PARTLY, "stored here", "Forbidden command")
    assert (run.json["pruned"], run.json["deleted"], run.json["pending"]) == (1, 0, 1)

    provider.faults.clear()
    provider.faults.add("json-status", times=0, status=500)
    monkeypatch.setenv("MASK_VOXIMPLANT_APPLICATION", "never-looked-up")
    run = mask("import", "-", "--push", *JSON, stdin=rows)
    run.answered(ExitCode.TRY_LATER, "stored here", "mask sync")
    assert (run.json["added"], run.json["pending"]) == (1, 1)


def test_a_refusal_among_several_orders_is_not_taken_for_a_provider_that_is_away(
    mask: Mask, provider: VoximplantSandbox
) -> None:
    """75 alone is worth repeating; what was refused needs somebody to look at it."""
    for order in ("12345", "12346"):
        mask("add", order, *PARTIES, "--no-push").done()
    provider.faults.add("error", times=1, code=127, message="Not enough money")
    provider.faults.add("json-status", times=0, status=500)
    run = mask("extend", "12345", "12346", "--by", "1h", *JSON)
    run.answered(ExitCode.PARTLY, "Not enough money")


@pytest.mark.usefixtures("provider")
def test_a_clock_that_was_ahead_does_not_make_a_deletion_forgotten(
    mask: Mask, clock: FixedClock
) -> None:
    mask("add", "12345", *PARTIES, "--ttl", "1h").done()
    mask("delete", "12345", "--no-push").done()
    clock.pass_(2 * 3_600)
    mask("prune").done()
    clock.pass_(-2 * 3_600)
    assert [row["order"] for row in mask("list", "--pending", *JSON).done().json] == ["12345"]
    clock.pass_(2 * DAY)
    mask("prune").done()
    assert mask.query("SELECT * FROM remote_items") == []


def test_an_item_is_not_kept_for_less_than_was_asked_for_unseen(
    mask: Mask, provider: VoximplantSandbox
) -> None:
    too_long = mask("voximplant", "kv", "set", "key", "value", "--ttl", "91d")
    too_long.failed(ExitCode.BAD_DATA, "90d")
    assert remote_values(provider) == {}
    mask("voximplant", "kv", "set", "key", "value", "--ttl", "90d").done()


@pytest.mark.parametrize("chosen", ["csv", "tsv", "json", "jsonl", "table"])
def test_a_list_that_could_not_be_had_is_not_taken_for_an_empty_one(
    mask: Mask, provider: VoximplantSandbox, chosen: str
) -> None:
    provider.faults.add("error", times=0, code=104, message="Forbidden command")
    for words in (("list", "--remote"), ("voximplant", "kv", "list")):
        mask(*words, "--format", chosen).failed(ExitCode.DENIED, "Forbidden command")


@pytest.mark.parametrize("chosen", ["csv", "tsv", "json", "jsonl", "table"])
@pytest.mark.parametrize("prefix", ["order:", ""])
def test_half_a_list_is_not_taken_for_a_whole_one(
    mask: Mask,
    provider: VoximplantSandbox,
    monkeypatch: pytest.MonkeyPatch,
    chosen: str,
    prefix: str,
) -> None:
    monkeypatch.setenv("MASK_KEY_PREFIX", prefix)
    rows = "".join(f"{n:05d},12222222222,13333333333\n" for n in range(60))
    mask("import", "-", "--push", stdin="order,courier,client\n" + rows).done()
    for words in (("list", "--remote"), ("voximplant", "kv", "list")):
        # One page of keys, or one item, comes; what is asked for after it does not.
        provider.faults.add("error", times=0, skip=1, code=104, message="Forbidden command")
        mask(*words, "--format", chosen).failed(ExitCode.DENIED, "Forbidden command")
        provider.faults.clear()
    assert len(mask("list", "--remote", *JSON).done().json) == 60


def test_a_refusal_for_good_is_told_and_shown_as_failed(
    mask: Mask, provider: VoximplantSandbox, clock: FixedClock
) -> None:
    provider.faults.add("error", times=0, code=127, message="Not enough money")
    run = mask(*GUIDES_CALL, *JSON)
    run.answered(ExitCode.PARTLY, "Not enough money")
    assert run.json["remote"] == "failed"
    mask("sync", *JSON).answered(ExitCode.PARTLY, "1 of 1 were refused")
    checks = mask("doctor", "--exit-code", "--offline", *JSON)
    assert checks.code == ExitCode.CONFIGURATION
    healed(mask, provider, clock)


@pytest.mark.parametrize(
    "change",
    [
        ("reassign", "--courier", "14155550100"),
        ("extend", "--by", "1h"),
        ("add", *PARTIES, "--note", "ring twice"),
        ("expire",),
        ("delete",),
    ],
)
def test_a_change_not_tried_yet_is_not_shown_as_refused(
    mask: Mask, provider: VoximplantSandbox, change: tuple[str, ...]
) -> None:
    mask(*GUIDES_CALL).done()
    provider.faults.add("error", times=0, code=127, message="Not enough money")
    assert mask("extend", "12345", "--by", "2h", *JSON).json["remote"] == "failed"

    command, *rest = change
    told = mask(command, "12345", *rest, "--no-push", *JSON).done().json
    listed = mask("list", "--pending", *JSON).done().json
    checks = mask("doctor", "--exit-code", "--offline", *JSON)

    assert (told["remote"], [row["remote"] for row in listed]) == ("pending", ["pending"])
    if command != "delete":
        assert mask("show", "12345", *JSON).done().json["remote"] == "pending"
    assert checks.code == ExitCode.DONE
    assert "0 of them refused" in checks.out
    mask("sync").answered(ExitCode.PARTLY)
    assert [row["remote"] for row in mask("list", "--pending", *JSON).json] == ["failed"]


def test_an_order_under_way_is_not_sent_twice(
    mask: Mask, provider: VoximplantSandbox, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MASK_VOXIMPLANT_TIMEOUT", "1s")
    monkeypatch.setattr("mask_cli.cli.context._PATIENCE", 0.2)
    provider.faults.add("silent", times=0)
    failing(mask)
    provider.faults.clear()
    provider.requests.clear()
    run = mask("expire", "12345", *JSON)
    run.answered(ExitCode.TRY_LATER, "not answered or is under way")
    assert provider.requests.entries() == []
    clock.pass_(60)
    mask("sync").done()
    assert remote_values(provider) == {}


def test_sync_stops_at_its_timeout_and_says_what_is_left(
    mask: Mask, provider: VoximplantSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MASK_VOXIMPLANT_TIMEOUT", "2s")
    for n in range(10):
        mask("add", f"0000{n}", *PARTIES, "--no-push").done()
    provider.faults.add("latency", times=0, seconds=0.3)
    run = mask("sync", "--timeout", "1s", "--jobs", "1", *JSON)
    run.answered(ExitCode.TRY_LATER, "stopped before the end")
    assert run.json["set"] + run.json["pending"] == 10
    assert 0 < run.json["set"] < 10
    provider.faults.clear()
    assert mask("sync", *JSON).done().json["set"] == run.json["pending"]


def test_sync_gives_up_on_an_absent_provider_soon(
    mask: Mask, provider: VoximplantSandbox, monkeypatch: pytest.MonkeyPatch, nowhere: str
) -> None:
    assert provider
    monkeypatch.setenv("MASK_VOXIMPLANT_ENDPOINT", nowhere)
    monkeypatch.setenv("MASK_VOXIMPLANT_TIMEOUT", "1s")
    for n in range(9):
        mask("add", f"0000{n}", *PARTIES, "--no-push").done()
    run = mask("sync", *JSON)
    run.answered(ExitCode.TRY_LATER)
    assert run.json["pending"] == 9
    assert run.json["unavailable"] <= 3


def test_without_order_a_failed_push_warns_against_repeating(
    mask: Mask, provider: VoximplantSandbox
) -> None:
    provider.faults.add("null", times=0)
    run = mask("add", *PARTIES, *JSON)
    run.answered(ExitCode.TRY_LATER, "do not repeat this command")
    assert len(run.json["order"]) == 5


@pytest.mark.usefixtures("provider")
def test_doctor_tells_that_voximplant_rings_for_a_minute_at_most(
    mask: Mask, monkeypatch: pytest.MonkeyPatch
) -> None:
    mask(*GUIDES_CALL).done()
    assert "rings for" not in mask("doctor", "--offline").out
    monkeypatch.setenv("MASK_RING_TIMEOUT", "2m")
    assert "ring_timeout is 2m; Voximplant rings for 1m at most" in mask("doctor", "--offline").out
