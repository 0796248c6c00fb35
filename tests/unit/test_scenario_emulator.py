"""The emulated VoxEngine behaves as the platform's documentation says, limits included."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import pytest

from mask_cli.errors import BadData
from mask_cli.providers.base import KeyValueItem
from mask_cli.sandbox.simulate_voximplant import (
    BEHAVIOURS,
    NOW,
    Act,
    Behaviour,
    CallPlan,
    HttpAnswer,
    Transcript,
    play,
    syntax_error,
    typed,
)

OURS, CALLER, CALLEE = "14156667777", "14155550100", "14155550101"


def run(body: str, *, acts: tuple[Act, ...] = (), storage: Any = None, **plan: Any) -> Transcript:
    """Play a script: `body` runs when `call` is answered; `on` adds a listener that logs."""
    script = f"""
        require(Modules.ApplicationStorage);
        const log = (...words) => Logger.write(words.join(' '));
        const on = (leg, name, tell) => leg.addEventListener(CallEvents[name], tell);
        const dial = (callerid) => VoxEngine.callPSTN('{CALLEE}', callerid || '{OURS}');
        VoxEngine.addEventListener(AppEvents.CallAlerting, ({{ call }}) => {{
          call.addEventListener(CallEvents.Disconnected, () => VoxEngine.terminate());
          call.addEventListener(CallEvents.Connected, () => {{ {body} }});
          call.answer();
        }});
    """
    return raw(script, acts=acts or (Act("connected", 30, hangup=True),), storage=storage, **plan)


def raw(script: str, *, storage: Any = None, **plan: Any) -> Transcript:
    return play(script, CallPlan(CALLER, OURS, **plan), storage or {}, numbers=(OURS,))


@pytest.mark.parametrize("fires", [False, True])
def test_a_leg_hears_one_thing_at_a_time(fires: bool) -> None:
    body = """
        on(call, 'PlaybackFinished', () => log('finished'));
        call.say('the first phrase', { voice: VoiceList.Amazon.en_US_Joanna });
        setTimeout(() => call.say('the second one', { voice: VoiceList.Amazon.en_GB_Amy }), 200);
    """
    call = run(body, replaced_fires=fires)
    assert [event["whole"] for event in call.of("heard")] == [False, True]
    assert call.log.count("finished") == (2 if fires else 1)


@pytest.mark.parametrize("fires", [False, True])
def test_a_stopped_playback_does_not_tell_that_it_finished(fires: bool) -> None:
    body = """
        on(call, 'PlaybackFinished', () => log('finished'));
        call.startPlayback('https://mask.example/hold.mp3');
        setTimeout(() => call.stopPlayback(), 1000);
    """
    assert "finished" not in run(body, replaced_fires=fires).log


def test_music_that_is_not_looped_ends() -> None:
    body = """
        on(call, 'PlaybackFinished', () => log('finished'));
        call.startPlayback('https://mask.example/hold.mp3', { loop: %s });
    """
    assert "finished" in run(body % "false").log
    assert "finished" not in run(body % "true").log


def test_a_phrase_that_is_too_long_ends_with_an_error() -> None:
    body = """
        on(call, 'PlaybackFinished', (e) => log('error', e.error !== undefined));
        call.say('x'.repeat(%d), {});
    """
    assert "error true" in run(body % 1501).log
    assert "error false" in run(body % 100).log


def test_hanging_up_fails_a_ringing_leg_and_disconnects_an_answered_one() -> None:
    body = """
        const leg = dial();
        on(leg, 'Failed', (e) => log('failed', e.code, leg.state()));
        on(leg, 'Disconnected', (e) => log('disconnected', e.duration, leg.state()));
        setTimeout(() => leg.hangup(), %d);
    """
    assert run(body % 2000).log == ("failed 487 TERMINATED",)
    assert run(body % 9000).log == ("disconnected 5 TERMINATED",)


@pytest.mark.parametrize(
    ("callee", "code"),
    [("busy", 486), ("rejects", 603), ("unreachable", 480), ("no-answer", 408)],
)
def test_a_callee_that_cannot_be_reached_fails_with_its_code(callee: str, code: int) -> None:
    call = run(
        "on(dial(), 'Failed', (e) => log('failed', e.code));",
        party=BEHAVIOURS[callee],
        acts=(Act("connected", 70, hangup=True),),
    )
    assert call.log == (f"failed {code}",)


def test_a_caller_id_that_is_not_ours_fails_the_call() -> None:
    body = "on(dial('%s'), 'Failed', (e) => log('failed', e.code));"
    assert run(body % CALLEE).log == ("failed 403",)
    assert run(body % "phone number rented in the panel").log == ("failed 403",)
    assert run(body % CALLER).log == ()  # the inbound call's own number may be shown


def test_an_unanswered_call_is_dropped_after_a_minute() -> None:
    call = raw("VoxEngine.addEventListener(AppEvents.CallAlerting, () => {});")
    assert call.of("gone", "caller")[0]["at"] == pytest.approx(60, abs=0.1)
    assert call.finish == "Timeout"
    assert call.seconds == pytest.approx(120, abs=0.1)


def test_a_session_whose_calls_are_over_is_terminated_after_a_minute() -> None:
    script = "VoxEngine.addEventListener(AppEvents.CallAlerting, (e) => e.call.answer());"
    call = raw(script, acts=(Act("connected", 5, hangup=True),))
    assert call.finish == "Timeout"
    assert call.seconds == pytest.approx(65, abs=0.1)


@pytest.mark.parametrize(
    "throws",
    [
        "async function f() { await null; null.x; } setTimeout(f, 10);",
        "Promise.reject(new Error('x'));",
        "new Promise((_, no) => setTimeout(() => no('x'), 10));",
        "ApplicationStorage.get('k').then(() => { throw new Error('x'); });",
        "call.addEventListener(CallEvents.ToneReceived, 'no function');",
        "null.x;",
        "for (let i = 0; i < 101; i += 1) setTimeout(() => {}, 1000);",
        "Logger.write('x'.repeat(15001));",
        "VoxEngine.customData('x'.repeat(201));",
    ],
)
def test_what_ends_a_real_session_with_an_error_ends_ours(throws: str) -> None:
    call = run(throws)
    assert call.finish == "JS session error"
    assert not call.left_live


def test_a_rejection_in_a_scenarios_own_async_function_is_seen() -> None:
    script = """
        require(Modules.ApplicationStorage);
        async function look() { await ApplicationStorage.get('k'); }
        VoxEngine.addEventListener(AppEvents.CallAlerting, (e) => { e.call.answer(); look(); });
    """
    assert raw(script, storage_fault="reject").finish == "JS session error"
    handled = script.replace("look();", "look().catch(() => VoxEngine.terminate());")
    assert raw(handled, storage_fault="reject").finish == "Normal termination"


def test_handled_rejections_do_no_harm() -> None:
    body = """
        Promise.reject(new Error('x')).catch(() => log('caught'));
        Promise.race([ApplicationStorage.get('k'), Promise.reject('y')]).catch(() => log('raced'));
    """
    call = run(body)
    assert sorted(call.log) == ["caught", "raced"]
    assert call.finish == "Normal termination"


def test_an_endless_callback_ends_the_session_and_not_the_program() -> None:
    call = run("for (;;) {}")
    assert call.finish == "JS session error"


def test_storage_answers_null_items_and_rejections() -> None:
    body = """
        ApplicationStorage.get('order:1').then((item) => log(JSON.stringify(item)), log);
        ApplicationStorage.get('order:2').then((item) => log(item), () => log('rejected'));
    """
    stored = {"order:1": KeyValueItem("order:1", "v", 7)}
    call = run(body, storage=stored)
    assert json.loads(call.log[0]) == {"key": "order:1", "value": "v", "expireAt": 7}
    assert call.log[1] == ""
    assert [event["key"] for event in call.of("looked_up")] == ["order:1", "order:2"]
    assert run(body, storage=stored, storage_fault="reject").log[1] == "rejected"
    assert run(body, storage=stored, storage_fault="hang").log == ()


def test_storage_has_to_be_required_first() -> None:
    script = """
        VoxEngine.addEventListener(AppEvents.CallAlerting, () => ApplicationStorage.get('k'));
    """
    call = raw(script)
    assert call.log == ("ERROR ApplicationStorage is not required",)


def test_illegal_keys_are_noticed() -> None:
    call = run("ApplicationStorage.get('12*45').then(log);")
    assert [one["what"] for one in call.misuse] == ["illegal key"]


def test_three_requests_run_at_once_and_the_rest_wait() -> None:
    body = """
        for (let i = 0; i < 4; i += 1) {
          Net.httpRequestAsync('https://mask.example/', {}).then(() => log(Date.now()));
        }
    """
    call = run(body, http=(HttpAnswer(delay=5),))
    times = [(int(line) - NOW * 1000) // 1000 for line in call.log]
    assert times == [5, 5, 5, 10]


def test_requests_time_out_and_are_limited_in_number() -> None:
    body = """
        Net.httpRequestAsync('https://mask.example/', { timeout: 2 })
          .then((answer) => log('code', answer.code, Date.now()));
    """
    call = run(body, http=(HttpAnswer(delay=80),))
    assert call.log[0].startswith("code -7")
    assert call.requests[0]["accepted"]  # the other side took it; only the answer was late
    body = """
        let sent = 0;
        try {
          for (;;) { Net.httpRequestAsync('https://mask.example/', {}); sent += 1; }
        } catch (error) { log(sent, error.message); }
    """
    assert run(body).log == ("35 Exceeded the HTTP connection count limit!",)


def test_both_forms_of_headers_are_understood() -> None:
    body = """
        const options = new Net.HttpRequestOptions();
        options.headers = ['X-One: a:b'];
        options.method = 'POST';
        options.postData = '{}';
        Net.httpRequestAsync('https://mask.example/', options);
        Net.httpRequestAsync('https://mask.example/', { headers: { 'X-One': 'a:b' } });
    """
    assert [r["headers"] for r in run(body).requests] == [{"X-One": "a:b"}] * 2


def test_one_request_and_no_timer_is_allowed_while_terminating() -> None:
    body = """
        VoxEngine.addEventListener(AppEvents.Terminating, () => {
          setTimeout(() => log('never'), 1);
          Net.httpRequestAsync('https://mask.example/', {}).then(() => log('never'));
          try { Net.httpRequestAsync('https://mask.example/', {}); } catch (e) { log('one only'); }
        });
        VoxEngine.addEventListener(AppEvents.Terminated, () => log('over'));
        VoxEngine.terminate();
        log('the block goes on');
    """
    call = run(body)
    assert call.log == ("the block goes on", "one only", "over")
    assert [request["accepted"] for request in call.requests] == [True]
    assert [one["what"] for one in call.misuse] == ["timer while terminating"]


def test_queued_requests_are_dropped_at_the_end() -> None:
    body = """
        for (let i = 0; i < 5; i += 1) Net.httpRequestAsync('https://mask.example/', {});
        VoxEngine.terminate();
    """
    assert [request["dropped"] for request in run(body).requests] == [False] * 3 + [True] * 2


def test_keys_reach_the_scenario_only_while_it_listens() -> None:
    body = """
        on(call, 'ToneReceived', (e) => log(e.tone));
        setTimeout(() => call.handleTones(true), 2000);
        setTimeout(() => call.handleTones(false), 4000);
    """
    acts = tuple(Act("connected", at, keys=key) for at, key in ((1, "1"), (3, "2"), (5, "3")))
    call = run(body, acts=(*acts, Act("connected", 9, hangup=True)))
    assert call.log == ("DTMF 2", "2")  # the platform logs keys, too
    assert run("Logger.hideTones(true);" + body, acts=acts).log[0] == "2"


def test_removing_without_a_function_removes_every_listener() -> None:
    body = """
        const one = () => log('one');
        const two = () => log('two');
        call.handleTones(true);
        for (const tell of [one, two]) on(call, 'ToneReceived', tell);
        call.removeEventListener(CallEvents.ToneReceived%s);
        Logger.hideTones(true);
    """
    acts = (Act("connected", 1, keys="5"), Act("connected", 2, hangup=True))
    assert run(body % ", one", acts=acts).log == ("two",)
    assert run(body % "", acts=acts).log == ()


def test_audio_to_a_leg_that_is_gone_is_misuse() -> None:
    body = """
        const leg = dial();
        leg.say('too early', { voice: VoiceList.Amazon.en_GB_Amy });
        VoxEngine.sendMediaBetween(call, leg);
    """
    what = [one["what"] for one in run(body).misuse]
    assert what == ["audio to a PROGRESSING party", "bridge to a PROGRESSING party"]


def test_a_bridge_lasts_until_either_leg_ends() -> None:
    body = "const leg = dial(); on(leg, 'Connected', () => VoxEngine.sendMediaBetween(call, leg));"
    talks = Behaviour(after=4, acts=(Act("bridged", 10, hangup=True),))
    assert run(body, party=talks).bridged_seconds == pytest.approx(10, abs=0.1)


def test_secrets_are_read_and_a_missing_one_is_undefined() -> None:
    body = "log(VoxEngine.getSecretValue('MASK_REPORT_SECRET'), VoxEngine.getSecretValue('OTHER'));"
    assert run(body).log == ("secret of a simulated call ",)


@pytest.mark.parametrize("secret", ["k", "s" * 64, "ключ — €" * 20])
@pytest.mark.parametrize("data", ["", "a" * 55, "a" * 56, "a" * 64, 'ü€😀 {"a":1}' * 30])
def test_the_emulated_hmac_is_an_hmac(secret: str, data: str) -> None:
    body = f"log(Crypto.hmac_sha256({json.dumps(secret)}, {json.dumps(data)}));"
    due = hmac.new(secret.encode(), data.encode(), hashlib.sha256).hexdigest()
    assert run(body, acts=(Act("connected", 1, hangup=True),)).log == (due,)


def test_the_clock_is_virtual_and_the_same_every_time() -> None:
    body = "setTimeout(() => log(Date.now(), new Date().toISOString()), 25000);"
    first, second = run(body), run(body)
    assert first.log == second.log
    assert int(first.log[0].split()[0]) // 1000 == NOW + 25


def test_a_caller_types_each_entry_when_it_is_quiet() -> None:
    body = """
        Logger.hideTones(true);
        call.handleTones(true);
        const say = () => call.say('which one?', { voice: VoiceList.Amazon.en_GB_Amy });
        on(call, 'ToneReceived', (e) => { log(e.tone); say(); });
        say();
    """
    call = run(body, acts=(*typed("1", "2"), Act("connected", 20, hangup=True)))
    assert call.log == ("1", "2")
    assert all(event["whole"] for event in call.of("heard"))


def test_syntax_errors_are_found_without_running_anything() -> None:
    assert syntax_error("VoxEngine.terminate(); let a = 1;") is None
    assert "SyntaxError" in (syntax_error("let a = ;") or "")
    assert syntax_error("}); (function () {") is not None


def test_a_plan_without_any_answer_for_the_report_is_refused() -> None:
    with pytest.raises(BadData):
        raw("", http=())


def test_a_script_that_is_not_ours_needs_its_numbers_named() -> None:
    with pytest.raises(BadData):
        play("VoxEngine.terminate();", CallPlan(CALLER, OURS), {})
