"""Small faults put into the scenario on purpose: each has to be caught by the check named.

A check that has never been seen to fail proves nothing. Every mutation replaces a piece of the
template that is there exactly once.
"""

from __future__ import annotations

from dataclasses import dataclass

from mask_cli.errors import BadData
from mask_cli.sandbox.scenario_bench import CHECKS, Bench
from mask_cli.sandbox.scenario_check import CheckResult, run_check
from mask_cli.scenario.render import template


@dataclass(frozen=True, slots=True)
class Mutation:
    """A fault: what is replaced by what, which check has to see it, for which rows it stands."""

    rows: tuple[int, ...]
    check: str
    old: str
    new: str

    def apply(self, text: str) -> str:
        """Return the text with the fault in it, or raise BadData when it does not apply once."""
        if text.count(self.old) != 1:
            raise BadData(f"the mutation {self.old[:40]!r} applies {text.count(self.old)} times")
        return text.replace(self.old, self.new)


def caught(mutation: Mutation, text: str | None = None) -> CheckResult:
    """Run the check that has to see the fault; it is caught when `passed` is False."""
    checks = {one.name: one for one in CHECKS}
    return run_check(checks[mutation.check], Bench(mutation.apply(text or template())))


def _m(rows: tuple[int, ...] | int, check: str, old: str, new: str) -> Mutation:
    return Mutation(rows if isinstance(rows, tuple) else (rows,), check, old, new)


MUTATIONS: tuple[Mutation, ...] = (
    # Left-over continuations and timers.
    _m(
        1,
        "typing-during-the-greeting-routes-once",
        "  generation += 1;\n",
        "  generation += 0;\n",
    ),
    _m(
        1,
        "every-continuation-looks-first",
        "  await say(caller, text);\n  if (!still(here)) return;\n  if (hasOperator()) {",
        "  await say(caller, text);\n  if (hasOperator()) {",
    ),
    _m(
        20,
        "no-timer-is-left-in-a-conversation",
        "  timers.forEach((timer) => clearTimeout(timer));\n",
        "",
    ),
    # The operator key.
    _m(2, "operator-key-works-during-any-prompt", "if (e.tone === '#') {", "if (e.tone === '~') {"),
    _m(
        (2, 21),
        "operator-key-works-until-bridged",
        "const deaf = [State.WAITING, State.TALKING,",
        "const deaf = [State.WAITING, State.RINGING, State.TALKING,",
    ),
    _m(
        21,
        "operator-key-works-until-bridged",
        "  facts.outcome = 'abandoned';\n  dropCallee();\n",
        "  facts.outcome = 'abandoned';\n",
    ),
    _m(
        21,
        "operator-key-works-until-bridged",
        "const deaf = [State.WAITING, State.TALKING,",
        "const deaf = [State.WAITING, State.CONNECTING, State.TALKING,",
    ),
    _m(
        12,
        "an-operator-who-calls-is-not-called",
        " && !same(CONFIG.operator, callerNumber);",
        ";",
    ),
    _m(
        2,
        "who-hesitates-hears-of-the-operator",
        "    await say(caller, CONFIG.phrases.operator_hint);\n    if (!still(here)) return;\n"
        "  }\n  later(",
        "  }\n  later(",
    ),
    _m(
        19,
        "who-hesitates-hears-of-the-operator",
        "  if (offer && hasOperator() && !operatorTried) {",
        "  if (false) {",
    ),
    _m(
        21,
        "listeners-are-removed-by-name",
        "leg.removeEventListener(CallEvents.PlaybackFinished, finished);",
        "leg.removeEventListener(CallEvents.PlaybackFinished);",
    ),
    # Both legs end.
    _m(
        3,
        "both-legs-end-together",
        "legs.filter((leg) => !leg.gone).forEach((leg) => leg.call.hangup());",
        "",
    ),
    _m(
        3,
        "both-legs-end-together",
        "watch(caller, 'caller', end);",
        "watch(caller, 'caller', now);",
    ),
    _m(
        3,
        "an-answer-that-comes-too-late-is-not-connected",
        "if (leg !== callee || state !== State.RINGING || !still(generation, leg)) {",
        "if (!still(generation)) {",
    ),
    _m(
        3,
        "nobody-is-spoken-to-who-has-hung-up",
        "  if (leg.state() !== 'CONNECTED') return Promise.resolve(false);\n",
        "",
    ),
    # The storage.
    _m(
        4,
        "storage-failure-is-spoken-and-reported",
        "  if (mapping === undefined) {\n    apologise();\n    return;\n  }\n",
        "  if (mapping === undefined) return;\n",
    ),
    _m(
        4,
        "storage-failure-is-spoken-and-reported",
        "const STORAGE_SECONDS = 5;",
        "const STORAGE_SECONDS = 500;",
    ),
    _m(
        4,
        "storage-failure-is-spoken-and-reported",
        "    const value = JSON.parse(item.value);",
        "    const value = JSON.parse(item.value || '{}') || {};",
    ),
    # Who is calling.
    _m(5, "caller-id-is-compared-by-digits", "text.replace(/\\D/g, '')", "text"),
    _m(
        5,
        "caller-id-is-compared-by-digits",
        "return /^\\s*\\+?[\\d\\s().-]+$/.test(text) ?",
        "return true ?",
    ),
    _m(
        5,
        "caller-id-is-compared-by-digits",
        "} else if (notCallable(callerNumber)) {",
        "} else if (false) {",
    ),
    _m(
        5, "caller-id-is-compared-by-digits", "return same(callerNumber, client) ?", "return true ?"
    ),
    _m(5, "a-mapping-to-oneself-or-to-us-is-not-dialled", "if (courier === client || ", "if ("),
    _m(
        5,
        "a-mapping-to-oneself-or-to-us-is-not-dialled",
        "number.length < SHORTEST_NUMBER || CONFIG.numbers.includes(number)",
        "number.length < SHORTEST_NUMBER",
    ),
    # The order number is spoken.
    _m(6, "callee-hears-the-order-number-digit-by-digit", ".replace('{order}', order)", ""),
    _m(6, "callee-hears-the-order-number-digit-by-digit", ".split('').join(', ')", ""),
    # Guessing.
    _m(7, "attempts-are-limited", "facts.attempts += 1;", "facts.attempts += 0;"),
    _m(7, "refusals-cannot-be-told-apart", "item.expireAt <= now()", "false"),
    _m(
        7,
        "refusals-cannot-be-told-apart",
        "if (mapping === null || role === null) refuse(",
        "if (role === null) refuse(mapping === null ? 'bad_digits' :",
    ),
    _m(
        7,
        "refusals-cannot-be-told-apart",
        "  const role = mapping === null ? null : roleIn(mapping);\n",
        "  const role = mapping === null ? null : roleIn(mapping);\n"
        "  if (mapping !== null) await pause(1);\n",
    ),
    _m(
        8,
        "only-whole-order-numbers-are-looked-up",
        "} else if (/^[0-9]+$/.test(entered)) {",
        "} else if (true) {",
    ),
    _m(
        8,
        "only-whole-order-numbers-are-looked-up",
        "later(NEXT_KEY_SECONDS, () => refuse('bad_digits', CONFIG.phrases.bad_digits));",
        "later(NEXT_KEY_SECONDS, () => guarded(lookUp(entered)));",
    ),
    # What is written down.
    _m(9, "log-lines-hold-no-digits", "Logger.hideTones(true);", "Logger.hideTones(false);"),
    _m(
        (9, 23),
        "log-lines-hold-no-digits",
        "Logger.write(`mask reason ${reason}`);",
        "Logger.write(`mask reason ${reason} ${callerNumber}`);",
    ),
    _m(
        9,
        "log-lines-hold-no-digits",
        "VoxEngine.customData(`mask ${words.join(' ')}`);",
        "VoxEngine.customData(`mask ${words.join(' ')} ${facts.order}`);",
    ),
    _m(
        23,
        "log-lines-hold-no-digits",
        "Logger.write(`mask end ${",
        "Logger.write(`the timer is triggered ${",
    ),
    # Recording.
    _m(
        10,
        "recording-is-announced-to-both-and-starts-with-the-bridge",
        "told && noticed",
        "true",
    ),
    _m(
        10,
        "recording-is-announced-to-both-and-starts-with-the-bridge",
        "CONFIG.recording === 'announced' && !noticed",
        "false",
    ),
    _m(
        10,
        "recording-is-announced-to-both-and-starts-with-the-bridge",
        "  caller.handleTones(true);\n",
        "  caller.handleTones(true);\n  caller.record({ stereo: true });\n",
    ),
    # The report.
    _m(11, "report-is-signed-complete-and-sent-once", "`${stamp}.${body}`", "body"),
    _m(11, "report-is-signed-complete-and-sent-once", "facts.session = String(e.sessionId);", ""),
    _m(11, "report-is-signed-complete-and-sent-once", "  if (settling) return;\n", ""),
    _m(
        11,
        "report-is-signed-complete-and-sent-once",
        "seconds: e.duration || 0, cost: e.cost || 0",
        "seconds: 0",
    ),
    _m(11, "report-survives-a-failing-receiver", "answer.code >= 200 && answer.code < 300", "true"),
    _m(11, "report-survives-a-failing-receiver", "      timeout: REPORT_SECONDS,\n", ""),
    _m(11, "report-survives-a-failing-receiver", "body = body || JSON", "body = now() + JSON"),
    _m(
        11,
        "report-is-sent-when-the-platform-ends-the-session",
        "VoxEngine.addEventListener(AppEvents.Terminating, onTerminating);",
        "",
    ),
    _m(
        11,
        "the-text-holds-no-address-of-anybody",
        "httpRequestAsync(CONFIG.report_url,",
        "httpRequestAsync('https://reports.example/',",
    ),
    # Caller ID, and numbers of ours.
    _m(
        12,
        "caller-id-is-the-called-number",
        "callPSTN(number, calledNumber)",
        "callPSTN(number, CONFIG.numbers[0])",
    ),
    _m(
        (12, 22),
        "a-number-that-is-not-ours-teaches-nothing",
        "if (!CONFIG.numbers.includes(calledNumber)) {",
        "if (false) {",
    ),
    _m(
        12,
        "without-operator-the-key-says-so",
        "if (entering.includes(state)) refuse",
        "if (false) refuse",
    ),
    _m(12, "without-operator-the-key-says-so", "guarded(mention(no_operator))", "now()"),
    # Phrases.
    _m(
        13,
        "no-phrase-is-waited-for-for-ever",
        "const guard = later(10 + text.length / 8,",
        "const guard = later(1000,",
    ),
    _m(
        (13, 18),
        "callee-who-hangs-up-early-is-told-to-the-caller",
        "  guarded(leave(who === 'operator' ? operator_unavailable : party, true));\n",
        "  end();\n",
    ),
    _m(
        14,
        "no-phrase-is-cut-by-the-next",
        "  leg.stopPlayback();\n  const former",
        "  const former",
    ),
    _m(
        15,
        "a-phrase-that-fails-at-once-is-noticed",
        "    leg.addEventListener(CallEvents.PlaybackFinished, finished);\n"
        "    leg.say(text, voice());\n",
        "    leg.say(text, voice());\n"
        "    leg.addEventListener(CallEvents.PlaybackFinished, finished);\n",
    ),
    _m(16, "the-voice-exists", ": { voice: /** @type {Voice} */ (found) };", ": {};"),
    _m(17, "music-is-looped-until-the-bridge", "{ loop: true }", "{ loop: false }"),
    _m(
        17,
        "music-is-looped-until-the-bridge",
        "  enter(State.RINGING);\n  guarded(hold());\n",
        "  enter(State.RINGING);\n",
    ),
    # Machines that answer, operators that do not.
    _m(
        18,
        "voicemail-is-never-connected",
        "guarded(who === 'party' ? confirm(leg) : join(leg, who));",
        "guarded(join(leg, who));",
    ),
    _m(
        18,
        "voicemail-is-never-connected",
        "  leg.hangup();\n  onCalleeGone(leg, 'party', null);\n",
        "",
    ),
    _m(18, "voicemail-is-never-connected", "if (e.tone === '1' && ", "if ("),
    _m(
        19,
        "busy-operator-is-told-and-not-dialled-again",
        "  operatorTried = true;\n",
        "",
    ),
    _m(
        19,
        "busy-operator-is-told-and-not-dialled-again",
        "who === 'operator' ? operator_unavailable : party, true",
        "party, true",
    ),
    _m(
        22,
        "a-second-call-is-refused",
        "  if (caller !== null) {\n    e.call.reject(603);",
        "  if (false) {\n    e.call.reject(603);",
    ),
    _m(24, "nothing-is-left-unused", "CONFIG.phrases.goodbye", "'Goodbye.'"),
    _m(
        24,
        "nothing-is-left-unused",
        "let operatorTried = false;",
        "let operatorTried = false;\nlet wrongPhone;",
    ),
    _m(25, "order-numbers-have-their-prefix-and-zeros", "CONFIG.key_prefix + order", "order"),
    _m(
        25,
        "order-numbers-have-their-prefix-and-zeros",
        "guarded(lookUp(entered));",
        "guarded(lookUp(String(Number(entered))));",
    ),
    # Limits.
    _m((), "a-conversation-ends-at-its-time-limit", "later(CONFIG.call_time_limit, end);", ""),
    _m((), "a-conversation-ends-at-its-time-limit", "later(CONFIG.ring_timeout, ", "later(59, "),
    _m(
        (),
        "the-guides-own-test",
        "role === 'courier' ? mapping.client",
        "role !== 'courier' ? mapping.client",
    ),
    _m((), "no-party-is-spoken-or-shown", "order: facts.order,", "order: callerNumber,"),
    _m((), "the-report-is-plain-json", "    order: facts.order,\n", "    order: entered,\n"),
)
"""Sorted by theme; every row of the list of defects is among them."""
