"""The emulator's newer ways to fail: without them no test of sync would mean much."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from mask_cli.errors import ProviderUnavailable
from mask_cli.sandbox.voximplant_faults import THROTTLING_CODES, Fault, Faults

if TYPE_CHECKING:
    from mask_cli.providers.voximplant import VoximplantStore
    from mask_cli.sandbox.voximplant import VoximplantSandbox

SOON = 600


def put(store: VoximplantStore, count: int) -> None:
    for n in range(count):
        store.set(f"order:{n:05d}", "x", int(time.time()) + SOON)


def test_a_truncated_page_leaves_keys_out(
    store: VoximplantStore, sandbox: VoximplantSandbox
) -> None:
    put(store, 11)
    sandbox.faults.add("truncated")
    assert len(store.page("order:", 0)) == 6
    assert len(store.page("order:", 0)) == 11
    assert store.page("order:", 1) == []


@pytest.mark.parametrize("prefix", ["order", ""])
def test_pages_without_a_colon_show_keys_only(store: VoximplantStore, prefix: str) -> None:
    put(store, 3)
    page = store.page(prefix, 0)
    assert next((item.key, item.value) for item in page) == ("order:00000", None)
    assert len(page) == 3


def test_a_duplicate_comes_after_a_later_write(
    store: VoximplantStore, sandbox: VoximplantSandbox
) -> None:
    until = int(time.time()) + SOON
    sandbox.faults.add("duplicate", seconds=0.2)
    store.set("k", "old", until)
    store.set("k", "new", until)
    assert sandbox.items()["k"].value == "new"
    end = time.monotonic() + 5
    while sandbox.items()["k"].value == "new" and time.monotonic() < end:
        time.sleep(0.01)
    assert sandbox.items()["k"].value == "old"


def test_throttling_is_told_by_each_of_the_platforms_codes(
    store: VoximplantStore, sandbox: VoximplantSandbox
) -> None:
    sandbox.faults.add("throttling", times=0)
    seen = set()
    for _ in range(3):
        with pytest.raises(ProviderUnavailable) as error:
            store.get("k")
        seen |= {code for code in THROTTLING_CODES if f"code {code}" in str(error.value)}
    assert seen
    statuses = {entry.fault for entry in sandbox.requests.entries()}
    assert statuses == {"throttling"}
    sandbox.faults.clear()
    sandbox.faults.add("throttling", times=2)
    assert store.get("k") is None


def chances(seed: int, probability: float) -> list[bool]:
    faults = Faults(seed)
    faults.add("lost", times=0, probability=probability)
    return [faults.take(None)[1] is not None for _ in range(400)]


def test_chance_repeats_with_its_seed() -> None:
    assert chances(7, 0.3) == chances(7, 0.3)
    assert chances(7, 0.3) != chances(8, 0.3)
    assert 80 < sum(chances(7, 0.3)) < 160
    assert not any(chances(7, 0.0))
    assert all(chances(7, 1.0))


@pytest.mark.parametrize("probability", [-0.1, 1.1])
def test_no_probability_outside_its_range_is_taken(probability: float) -> None:
    with pytest.raises(ValueError, match="probability"):
        Fault("lost", probability=probability)
