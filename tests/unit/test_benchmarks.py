import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import phonenumbers
import pytest

from benchmarks import harness
from benchmarks.generate import COLUMNS, ORDER_DIGITS, generate, write_csv
from benchmarks.harness import (
    BenchmarkError,
    Figure,
    Run,
    in_turn,
    median_ratio,
    rounds,
    run,
)
from benchmarks.prune import split_samples
from benchmarks.report import as_json, as_table
from benchmarks.workbench import Workbench

SINCE = datetime(2026, 1, 1, tzinfo=UTC)
ROWS = list(generate(3000, 7, SINCE))
SEARCH_PATH = {"PATH": os.environ.get("PATH", os.defpath)}


def figure(value: float, limit: float | None = 0.75, *, at_least: bool = False) -> Figure:
    return Figure("show", "sqlite-utils query", value, "x", limit, at_least=at_least)


def python(code: str, *, lines: bool = False) -> Run:
    return run((sys.executable, "-c", code), SEARCH_PATH, lines=lines)


def test_generated_orders_do_not_collide() -> None:
    assert len({row.order for row in ROWS}) == len(ROWS)


def test_generated_orders_keep_their_leading_zeros() -> None:
    assert {len(row.order) for row in ROWS} == {ORDER_DIGITS}
    assert any(row.order.startswith("0") for row in ROWS)


def test_generated_orders_do_not_come_sorted_as_no_export_does() -> None:
    orders = [row.order for row in ROWS]
    assert orders != sorted(orders)


def test_same_seed_gives_the_same_rows_and_another_seed_does_not() -> None:
    assert list(generate(3000, 7, SINCE)) == ROWS
    assert list(generate(3000, 8, SINCE)) != ROWS


def test_generated_numbers_are_ones_the_import_must_accept() -> None:
    for row in ROWS[:500]:
        for text in (row.courier, row.client):
            number = phonenumbers.parse(text)
            assert phonenumbers.is_possible_number(number)
            e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
            assert e164 == text


def test_no_generated_party_calls_itself() -> None:
    assert all(row.courier != row.client for row in ROWS)


def test_generated_north_american_numbers_are_the_fictional_block() -> None:
    american = [row.client for row in ROWS if row.client.startswith("+1")]
    assert american
    assert {number[5:10] for number in american} == {"55501"}


def test_no_generated_row_is_expired_on_import() -> None:
    assert min(row.expires_at for row in ROWS) > SINCE.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_more_rows_than_orders_are_refused_not_repeated() -> None:
    with pytest.raises(ValueError, match="only 10000000 orders"):
        next(generate(10**ORDER_DIGITS + 1, 1, SINCE))


def test_written_csv_has_header_and_every_row(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    write_csv(path, 10, 1, SINCE)
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0] == ",".join(COLUMNS)
    assert lines[1:] == [",".join(row) for row in generate(10, 1, SINCE)]


def test_ratio_is_the_median_of_pairs_not_the_ratio_of_medians() -> None:
    # The ratio of the medians would be 2 / 4; pair by pair it is 1, 2 / 8, 3 / 4.
    assert median_ratio([1.0, 2.0, 3.0], [1.0, 8.0, 4.0]) == pytest.approx(0.75)


def test_unpaired_times_are_not_compared() -> None:
    with pytest.raises(ValueError, match="shorter"):
        median_ratio([1.0, 2.0], [1.0])


def test_contenders_run_in_turn_after_a_warm_up_that_does_not_count() -> None:
    calls: list[tuple[str, int]] = []

    def contender(name: str, seconds: float, turn: int) -> Run:
        calls.append((name, turn))
        return Run(99.0 if turn < 0 else seconds, 0)

    runs = in_turn(
        2, 60, lambda turn: contender("a", 1, turn), lambda turn: contender("b", 2, turn)
    )
    assert calls == [("a", -1), ("b", -1), ("a", 0), ("b", 0), ("a", 1), ("b", 1)]
    assert [[one.seconds for one in pair] for pair in runs] == [[1, 2], [1, 2]]


def test_spent_budget_starts_no_further_round_but_measures_once() -> None:
    assert list(rounds(5, -1)) == [0]
    assert list(rounds(3, 60)) == [0, 1, 2]


def test_too_slow_figure_is_shown_as_missed() -> None:
    assert figure(0.76).reached is False
    assert " NO" in as_table([figure(0.76)], {})
    assert as_json([figure(0.76)], {})["figures"][0]["reached"] is False


def test_reached_figure_is_not_shown_as_missed() -> None:
    assert figure(0.75).reached is True
    assert " NO" not in as_table([figure(0.75)], {})


def test_factor_is_missed_from_below_not_from_above() -> None:
    assert figure(3.9, 4, at_least=True).reached is False
    assert figure(4.1, 4, at_least=True).reached is True


def test_figure_without_target_claims_nothing() -> None:
    assert figure(1.0, None).reached is None
    assert " yes" not in as_table([figure(1.0, None)], {})


def test_json_report_can_be_read_back_with_its_conditions() -> None:
    report = json.loads(json.dumps(as_json([figure(0.5)], {"seed": 7})))
    assert report["conditions"] == {"seed": 7}
    assert report["figures"] == [
        {
            "job": "show",
            "against": "sqlite-utils query",
            "value": 0.5,
            "unit": "x",
            "limit": 0.75,
            "at_least": False,
            "detail": "",
            "reached": True,
        }
    ]


def test_failed_process_is_not_taken_for_a_fast_one() -> None:
    with pytest.raises(BenchmarkError, match="ended with 3: no such thing"):
        python("import sys; print('no such thing', file=sys.stderr); sys.exit(3)")


def test_process_is_timed_to_its_end_not_to_its_first_line() -> None:
    seen = python("import time; print(1, flush=True); time.sleep(0.2); print(2)", lines=True)
    assert 0 < seen.first_line < seen.seconds - 0.15


def test_silent_process_has_no_first_line_to_time() -> None:
    with pytest.raises(BenchmarkError, match="no first line"):
        python("pass", lines=True)


def test_peak_memory_counts_what_was_freed_again() -> None:
    small = python("pass").peak
    assert python("x = b'x' * 300_000_000; del x").peak > small + 250_000_000


def test_size_of_the_harness_is_not_taken_for_that_of_the_process() -> None:
    ballast = b"x" * 200_000_000
    seen = python("x = b'x' * 50_000_000")
    assert 50 < seen.megabytes < len(ballast) / 2**20


def test_peak_of_the_starter_is_not_reported() -> None:
    with pytest.raises(BenchmarkError, match="too small"):
        _ = Run(1.0, peak=9, floor=9).megabytes


def test_process_that_never_ends_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harness, "LONGEST_RUN", 0.5)
    with pytest.raises(BenchmarkError, match="took longer"):
        python("import time; time.sleep(60)")


def test_writes_after_prune_do_not_flatter_the_median() -> None:
    said = "1.0 0.001\n1.9 0.2\n2.5 0.003\n4.0 0.001\n"
    assert split_samples(said, 2.0, 3.0) == ([(1.0, 0.001)], [(1.9, 0.2), (2.5, 0.003)])


def test_writer_that_wrote_nothing_is_not_taken_for_undisturbed() -> None:
    with pytest.raises(BenchmarkError, match="too little"):
        split_samples("1.0 0.001\n", 2.0, 3.0)


def test_settings_of_the_caller_do_not_reach_the_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOXIMPLANT_CREDENTIALS", "/etc/credentials.json")
    monkeypatch.setenv("MASK_TTL", "1h")
    environment = Workbench(tmp_path, 1000, 1, 1, 1.0).environment(tmp_path / "mask.db")
    assert {name for name in environment if name.startswith(("MASK_", "VOX"))} == {
        "MASK_DATABASE",
        "MASK_ORDER_DIGITS",
    }
    assert environment["HOME"].startswith(str(tmp_path))
