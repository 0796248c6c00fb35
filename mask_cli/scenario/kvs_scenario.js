// The call scenario: two parties of an order reach each other through a rented number.
//
// One session is one incoming call. `state` says where the call stands; `enter` is the only
// place that changes it: it starts a new generation, so that nothing begun earlier (a phrase, a
// timer, a look-up) can act on the call any more. A party that answers has to press 1 before it
// is connected: no voicemail ever is, and none hears the order number. Answering-machine detection
// is not used: it guesses, takes seconds of everybody's time, and a wrong guess connects a mailbox.
//
// Nothing here logs a digit or a number. `mask voximplant scenario render` fills in CONFIG.

require(Modules.ApplicationStorage);

/** @type {ScenarioConfig} */
const CONFIG = MASK_CONFIG;

const State = Object.freeze({
  WAITING: 'waiting', // the call has not been answered yet
  ASKING: 'asking', // a prompt is played, or no key has been pressed since
  COLLECTING: 'collecting', // some digits have been entered
  LOOKING: 'looking', // the order is being read
  CONNECTING: 'connecting', // the caller is told that somebody will be called
  RINGING: 'ringing', // the other leg has not answered yet
  CONFIRMING: 'confirming', // the party is asked to press 1
  JOINING: 'joining', // the other leg hears what the call is about
  TALKING: 'talking', // both legs hear each other
  LEAVING: 'leaving', // the caller hears why it ends
  ENDED: 'ended',
});

const SHORTEST_NUMBER = 7;
const FIRST_KEY_SECONDS = 8;
const NEXT_KEY_SECONDS = 5;
const HINT_SECONDS = 3;
const ANSWER_SECONDS = 1; // between the last digit and whatever follows, the same for all
const STORAGE_SECONDS = 5;
const CONFIRM_SECONDS = 6;
const CONFIRM_TIMES = 2;
const HOLD_SECONDS = 8;
const OFFER_SECONDS = 4;
const SETTLE_SECONDS = 3; // for the last durations and costs to arrive
const REPORT_SECONDS = 5;
const RETRY_SECONDS = 1;

/** @type {string} */
let state = State.WAITING;
let generation = 0;
/** @type {Set<number>} */
const timers = new Set();
/** @type {Set<() => void>} */
const pauses = new Set();
/** @type {Map<Call, (heard: boolean) => void>} */
const speeches = new Map(); // one phrase a leg, as the platform has it

/** @type {Leg[]} */
const legs = [];
/** @type {Call | null} */
let caller = null;
/** @type {Call | null} */
let callee = null; // the outgoing leg that is wanted: party or operator, never both
let callerNumber = '';
let calledNumber = '';
let entered = '';
let music = false;
let noticed = false; // the caller has heard that the call is recorded
let operatorTried = false;
let settling = false;

/** @type {Facts} */
const facts = {
  session: '',
  order: null,
  role: null,
  reason: 'ask_order',
  outcome: 'abandoned',
  attempts: 0,
  started: null,
  answered: null,
  dialled: null,
  bridged: null,
  ended: null,
  recording: null,
};

// ---- time and state ---------------------------------------------------------------------------

/** @param {string} next */
function enter(next) {
  generation += 1;
  state = next;
  timers.forEach((timer) => clearTimeout(timer));
  timers.clear();
  [...pauses].forEach((resume) => resume());
  pauses.clear();
  [...speeches.values()].forEach((settle) => settle(false));
  return generation;
}

/**
 * Whether what began in this generation may still act on the caller's leg, and on the other one.
 * @param {number} here
 * @param {Call | null} leg
 */
function still(here, leg = caller) {
  if (here !== generation || caller === null || leg === null) return false;
  return caller.state() === 'CONNECTED' && leg.state() === 'CONNECTED';
}

/**
 * @param {number} seconds
 * @param {() => void} act
 */
function later(seconds, act) {
  const here = generation;
  const timer = setTimeout(() => {
    timers.delete(timer);
    if (still(here)) act();
  }, seconds * 1000);
  timers.add(timer);
  return timer;
}

/**
 * @param {number} seconds
 * @returns {Promise<void>}
 */
function pause(seconds) {
  return new Promise((resolve) => {
    pauses.add(resolve);
    later(seconds, resolve);
  });
}

/**
 * Let nothing that goes wrong end in silence: apologise once, then end.
 * @param {Promise<unknown>} work
 */
function guarded(work) {
  work.catch(() => {
    Logger.write('mask fault');
    if (state === State.ENDED || facts.outcome === 'unavailable') end();
    else apologise();
  });
}

function now() {
  return Math.floor(Date.now() / 1000);
}

/** @param {Reason} reason */
function decide(reason) {
  facts.reason = reason;
  Logger.write(`mask reason ${reason}`);
}

// ---- numbers ----------------------------------------------------------------------------------

/**
 * The digits of a phone number, '' of anything else (withheld, a SIP address, nothing at all).
 * @param {unknown} value
 */
function digitsOf(value) {
  const text = String(value);
  return /^\s*\+?[\d\s().-]+$/.test(text) ? text.replace(/\D/g, '') : '';
}

/**
 * @param {string} one
 * @param {string} other
 */
function same(one, other) {
  return one.length >= SHORTEST_NUMBER && one === other;
}

// ---- speaking ---------------------------------------------------------------------------------

/** @returns {SayParameters} */
function voice() {
  /** @type {unknown} */
  let found = VoiceList;
  for (const name of CONFIG.voice.split('.')) {
    found = found === undefined ? found : /** @type {Record<string, unknown>} */ (found)[name];
  }
  return found === undefined ? {} : { voice: /** @type {Voice} */ (found) };
}

/**
 * Speak to a leg. Settles when the phrase has ended, could not be spoken, took far too long, or
 * the state has changed; true only when it was heard to its end.
 * @param {Call} leg
 * @param {string} text
 * @returns {Promise<boolean>}
 */
function say(leg, text) {
  // A leg may be gone before the event that tells of it has arrived.
  if (leg.state() !== 'CONNECTED') return Promise.resolve(false);
  if (leg === caller) music = false;
  // What played before must not be taken for this phrase's end: after stopPlayback none is told.
  leg.stopPlayback();
  const former = speeches.get(leg);
  if (former) former(false);
  return new Promise((resolve) => {
    /** @param {boolean} heard */
    const settle = (heard) => {
      leg.removeEventListener(CallEvents.PlaybackFinished, finished);
      speeches.delete(leg);
      clearTimeout(guard);
      timers.delete(guard);
      resolve(heard);
    };
    /** @param {PlaybackFinishedEvent} e */
    const finished = (e) => settle(!e.error);
    const guard = later(10 + text.length / 8, () => settle(false));
    speeches.set(leg, settle);
    leg.addEventListener(CallEvents.PlaybackFinished, finished);
    leg.say(text, voice());
  });
}

/** Music, or a word from time to time, for a caller who waits. */
async function hold() {
  const here = generation;
  if (CONFIG.music_url !== null) {
    if (caller !== null && !music) caller.startPlayback(CONFIG.music_url, { loop: true });
    music = true;
    return;
  }
  while (caller !== null) {
    await pause(HOLD_SECONDS);
    if (!still(here)) return;
    await say(caller, CONFIG.phrases.please_hold);
    if (!still(here)) return;
  }
}

// ---- the caller and the order number ----------------------------------------------------------

/** @param {CallAlertingEvent} e */
function onAlerting(e) {
  if (caller !== null) {
    e.call.reject(603);
    return;
  }
  caller = e.call;
  callerNumber = digitsOf(e.callerid);
  calledNumber = digitsOf(e.destination);
  facts.started = now();
  watch(caller, 'caller', end);
  caller.addEventListener(CallEvents.Connected, onAnswered);
  caller.addEventListener(CallEvents.ToneReceived, onTone);
  caller.answer();
}

function onAnswered() {
  if (caller === null || state !== State.WAITING) return;
  facts.answered = now();
  caller.handleTones(true);
  if (!CONFIG.numbers.includes(calledNumber)) {
    facts.outcome = 'refused';
    decide('unknown_number');
    guarded(leave(CONFIG.phrases.unknown_number, false));
  } else if (notCallable(callerNumber)) {
    guarded(giveUp('unknown_caller', CONFIG.phrases.unknown_caller));
  } else {
    decide('ask_order');
    guarded(ask(CONFIG.phrases.greeting));
  }
}

/** @param {string} text */
async function ask(text) {
  const here = enter(State.ASKING);
  entered = '';
  if (caller === null) return;
  await say(caller, text);
  if (!still(here)) return;
  if (hasOperator()) {
    await pause(HINT_SECONDS);
    if (!still(here)) return;
    await say(caller, CONFIG.phrases.operator_hint);
    if (!still(here)) return;
  }
  later(FIRST_KEY_SECONDS, () => refuse('no_digits', CONFIG.phrases.no_digits));
}

/** @param {ToneEvent} e */
function onTone(e) {
  if (e.tone === '#') {
    onOperatorKey();
    return;
  }
  if (caller === null || (state !== State.ASKING && state !== State.COLLECTING)) return;
  if (state === State.ASKING) caller.stopPlayback();
  enter(State.COLLECTING);
  entered += e.tone;
  if (entered.length < CONFIG.order_digits) {
    later(NEXT_KEY_SECONDS, () => refuse('bad_digits', CONFIG.phrases.bad_digits));
  } else if (/^[0-9]+$/.test(entered)) {
    guarded(lookUp(entered));
  } else {
    refuse('bad_digits', CONFIG.phrases.bad_digits);
  }
}

/**
 * Ask again, until the attempts are used up.
 * @param {Reason} reason
 * @param {string} text
 */
function refuse(reason, text) {
  decide(reason);
  facts.attempts += 1;
  const last = facts.attempts >= CONFIG.attempts;
  guarded(last ? giveUp('too_many_attempts', CONFIG.phrases.too_many_attempts) : ask(text));
}

/** @param {string} order */
async function lookUp(order) {
  const here = enter(State.LOOKING);
  const [item] = await Promise.all([read(order), pause(ANSWER_SECONDS)]);
  if (!still(here)) return;
  const mapping = item === undefined ? undefined : mappingOf(item);
  if (mapping === undefined) {
    apologise();
    return;
  }
  const role = mapping === null ? null : roleIn(mapping);
  // An order that does not exist, is over, or is somebody else's: the caller cannot tell which.
  if (mapping === null || role === null) refuse('unknown_order', CONFIG.phrases.unknown_order);
  else guarded(callParty(order, role, role === 'courier' ? mapping.client : mapping.courier));
}

/**
 * The item, null when there is none, undefined when the storage cannot tell in time.
 * @param {string} order
 * @returns {Promise<StorageItem | null | undefined>}
 */
async function read(order) {
  const late = pause(STORAGE_SECONDS).then(() => undefined);
  try {
    return await Promise.race([ApplicationStorage.get(CONFIG.key_prefix + order), late]);
  } catch (error) {
    return undefined;
  }
}

/**
 * The parties, null when there are none any more, undefined when the value cannot be read.
 * @param {StorageItem | null} item
 * @returns {Mapping | null | undefined}
 */
function mappingOf(item) {
  if (item === null || item.expireAt <= now()) return null;
  try {
    const value = JSON.parse(item.value);
    return { courier: digitsOf(value.courier), client: digitsOf(value.client) };
  } catch (error) {
    return undefined;
  }
}

/**
 * @param {Mapping} mapping
 * @returns {Role | null}
 */
function roleIn({ courier, client }) {
  // Both parties need a number of their own, and none of them may be ours: it would call itself.
  if (courier === client || [courier, client].some(notCallable)) return null;
  if (same(callerNumber, courier)) return 'courier';
  return same(callerNumber, client) ? 'client' : null;
}

/** @param {string} number */
function notCallable(number) {
  return number.length < SHORTEST_NUMBER || CONFIG.numbers.includes(number);
}

/** Whether somebody can be called as operator: an operator who calls would only call himself. */
function hasOperator() {
  return CONFIG.operator !== null && !same(CONFIG.operator, callerNumber);
}

// ---- the other leg ----------------------------------------------------------------------------

/**
 * @param {string} order
 * @param {Role} role of the caller
 * @param {string} number of the other party
 */
async function callParty(order, role, number) {
  const here = enter(State.CONNECTING);
  facts.order = order;
  facts.role = role;
  decide(role === 'courier' ? 'courier_to_client' : 'client_to_courier');
  const { connecting_client, connecting_courier } = CONFIG.phrases;
  if (caller === null) return;
  await say(caller, role === 'courier' ? connecting_client : connecting_courier);
  if (!still(here)) return;
  await place('party', number);
}

async function callOperator() {
  const here = enter(State.CONNECTING);
  operatorTried = true;
  facts.outcome = 'abandoned';
  dropCallee();
  if (caller === null || CONFIG.operator === null) return;
  await say(caller, CONFIG.phrases.connecting_operator);
  if (!still(here)) return;
  await place('operator', CONFIG.operator);
}

/**
 * @param {'party' | 'operator'} who
 * @param {string} number
 */
async function place(who, number) {
  const here = generation;
  if (caller === null) return;
  if (CONFIG.recording === 'announced' && !noticed) {
    noticed = await say(caller, CONFIG.phrases.recording_notice);
    if (!still(here)) return;
  }
  enter(State.RINGING);
  guarded(hold());
  const leg = VoxEngine.callPSTN(number, calledNumber);
  callee = leg;
  facts.dialled = now();
  watch(leg, who, (code) => onCalleeGone(leg, who, code));
  leg.addEventListener(CallEvents.Connected, () => onCalleeAnswers(leg, who));
  later(CONFIG.ring_timeout, () => {
    leg.hangup();
    onCalleeGone(leg, who, 408);
  });
}

/**
 * @param {Call} leg
 * @param {'party' | 'operator'} who
 */
function onCalleeAnswers(leg, who) {
  if (leg !== callee || state !== State.RINGING || !still(generation, leg)) {
    leg.hangup();
    return;
  }
  guarded(who === 'party' ? confirm(leg) : join(leg, who));
}

/**
 * Ask the party to press 1; a machine that answers cannot.
 * @param {Call} leg
 */
async function confirm(leg) {
  const here = enter(State.CONFIRMING);
  guarded(hold());
  leg.handleTones(true);
  leg.addEventListener(CallEvents.ToneReceived, (e) => {
    if (e.tone === '1' && still(here, leg)) guarded(join(leg, 'party'));
  });
  const { call_from_courier, call_from_client } = CONFIG.phrases;
  for (let time = 0; time < CONFIRM_TIMES; time += 1) {
    await say(leg, facts.role === 'courier' ? call_from_courier : call_from_client);
    if (!still(here, leg)) return;
    await pause(CONFIRM_SECONDS);
    if (!still(here, leg)) return;
  }
  leg.hangup();
  onCalleeGone(leg, 'party', null);
}

/**
 * Tell the other leg what the call is about, then connect both.
 * @param {Call} leg
 * @param {'party' | 'operator'} who
 */
async function join(leg, who) {
  const here = enter(State.JOINING);
  guarded(hold());
  if (who === 'party') {
    const order = (facts.order || '').split('').join(', ');
    await say(leg, CONFIG.phrases.order_announcement.replace('{order}', order));
    if (!still(here, leg)) return;
  }
  let told = false;
  if (CONFIG.recording === 'announced') {
    told = await say(leg, CONFIG.phrases.recording_notice);
    if (!still(here, leg)) return;
  }
  bridge(leg, who, told && noticed);
}

/**
 * @param {Call} leg
 * @param {'party' | 'operator'} who
 * @param {boolean} record only when both have been told
 */
function bridge(leg, who, record) {
  if (caller === null) return;
  enter(State.TALKING);
  for (const side of [caller, leg]) {
    side.stopPlayback();
    side.handleTones(false);
  }
  VoxEngine.sendMediaBetween(caller, leg);
  facts.outcome = who === 'party' ? 'connected' : 'operator';
  facts.bridged = now();
  later(CONFIG.call_time_limit, end);
  if (!record) return;
  caller.addEventListener(CallEvents.RecordStarted, (e) => {
    facts.recording = e.url;
  });
  caller.record({ stereo: true });
}

/** @type {Record<number, Outcome>} */
const OUTCOMES = {
  408: 'no_answer',
  480: 'no_answer',
  486: 'busy',
  487: 'no_answer',
  603: 'rejected',
};

/**
 * @param {Call} leg
 * @param {'party' | 'operator'} who
 * @param {number | null} code null when it had answered
 */
function onCalleeGone(leg, who, code) {
  if (leg !== callee) return;
  callee = null;
  if (state === State.TALKING || state === State.ENDED) {
    end();
    return;
  }
  if (who === 'operator') facts.outcome = 'operator_unavailable';
  else facts.outcome = code === null ? 'not_accepted' : OUTCOMES[code] || 'unreachable';
  const { courier_unavailable, client_unavailable, operator_unavailable } = CONFIG.phrases;
  const party = facts.role === 'courier' ? client_unavailable : courier_unavailable;
  guarded(leave(who === 'operator' ? operator_unavailable : party, true));
}

function dropCallee() {
  const leg = callee;
  callee = null;
  if (leg !== null) leg.hangup();
}

// ---- the operator key -------------------------------------------------------------------------

function onOperatorKey() {
  /** @type {string[]} */
  const deaf = [State.WAITING, State.TALKING, State.ENDED];
  if (deaf.includes(state) || operatorTried || facts.reason === 'unknown_number') return;
  if (hasOperator()) {
    decide('operator');
    guarded(callOperator());
    return;
  }
  const { no_operator, ask_again } = CONFIG.phrases;
  /** @type {string[]} */
  const entering = [State.ASKING, State.COLLECTING, State.LOOKING];
  if (entering.includes(state)) refuse('operator', `${no_operator} ${ask_again}`);
  else if (state === State.RINGING || state === State.CONFIRMING) guarded(mention(no_operator));
}

/**
 * Say something to a caller who goes on waiting.
 * @param {string} text
 */
async function mention(text) {
  const here = generation;
  if (caller === null) return;
  const heard = await say(caller, text);
  if (!still(here)) return;
  if (heard && CONFIG.music_url !== null) await hold();
}

// ---- the end ----------------------------------------------------------------------------------

/**
 * @param {Reason} reason
 * @param {string} text
 */
async function giveUp(reason, text) {
  const here = enter(State.LEAVING);
  decide(reason);
  facts.outcome = 'refused';
  if (!hasOperator() || operatorTried) {
    await leave(text, false);
    return;
  }
  if (caller === null) return;
  await say(caller, text);
  if (!still(here)) return;
  await callOperator();
}

function apologise() {
  decide('unavailable');
  facts.outcome = 'unavailable';
  guarded(leave(CONFIG.phrases.unavailable, true));
}

/**
 * Say why it ends; hang up.
 * @param {string} text
 * @param {boolean} offer the operator, when there is one
 */
async function leave(text, offer) {
  const here = enter(State.LEAVING);
  dropCallee();
  if (caller === null) return;
  await say(caller, text);
  if (!still(here)) return;
  if (offer && hasOperator() && !operatorTried) {
    await say(caller, CONFIG.phrases.operator_hint);
    if (!still(here)) return;
    await pause(OFFER_SECONDS);
    if (!still(here)) return;
  }
  await say(caller, CONFIG.phrases.goodbye);
  if (!still(here)) return;
  end();
}

/** Hang up every leg, first thing; the report waits until they are gone. */
function end() {
  if (state === State.ENDED) return;
  enter(State.ENDED);
  legs.filter((leg) => !leg.gone).forEach((leg) => leg.call.hangup());
  conclude();
  setTimeout(settle, SETTLE_SECONDS * 1000);
}

/** Leave a mark in the call history, in fixed words. */
function conclude() {
  if (facts.ended !== null) return;
  facts.ended = now();
  const words = [facts.outcome, facts.reason, facts.role || '-'];
  VoxEngine.customData(`mask ${words.join(' ')}`);
  Logger.write(`mask end ${words.join(' ')}`);
}

/**
 * Keep account of a leg, and act when it is gone.
 * @param {Call} call
 * @param {'caller' | 'party' | 'operator'} who
 * @param {(code: number | null) => void} gone
 */
function watch(call, who, gone) {
  /** @type {Leg} */
  const leg = { call, who, gone: false, seconds: 0, cost: 0, code: null };
  legs.push(leg);
  /**
   * @param {Partial<Leg>} known
   * @param {number | null} code
   */
  const left = (known, code) => {
    Object.assign(leg, known, { gone: true, code });
    gone(code);
    if (state === State.ENDED && legs.every((other) => other.gone)) settle();
  };
  call.addEventListener(CallEvents.Disconnected, (e) =>
    left({ seconds: e.duration || 0, cost: e.cost || 0 }, null),
  );
  call.addEventListener(CallEvents.Failed, (e) => left({}, e.code));
}

function settle() {
  if (settling) return;
  settling = true;
  guarded(report());
}

// ---- the report -------------------------------------------------------------------------------

let reported = false;
let body = '';

async function report() {
  await post();
  if (reported) VoxEngine.terminate();
  else setTimeout(() => post().then(() => VoxEngine.terminate()), RETRY_SECONDS * 1000);
}

/** The last chance: one request is allowed now, and one under way may yet fail. */
function onTerminating() {
  enter(State.ENDED);
  conclude();
  if (!reported) post();
}

/** Send the report, always the same text; never rejects. */
async function post() {
  if (CONFIG.report_url === null) {
    reported = true;
    return;
  }
  try {
    body = body || JSON.stringify(summary());
    const answer = await Net.httpRequestAsync(CONFIG.report_url, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'X-Mask-Signature': signature(now()) },
      postData: body,
      timeout: REPORT_SECONDS,
      connectionTimeout: REPORT_SECONDS,
    });
    reported = answer.code >= 200 && answer.code < 300;
    Logger.write(reported ? 'mask report accepted' : `mask report refused ${answer.code}`);
  } catch (error) {
    Logger.write('mask report failed');
  }
}

/** @param {number} stamp */
function signature(stamp) {
  const secret = VoxEngine.getSecretValue('MASK_REPORT_SECRET');
  if (!secret) throw new Error('no secret');
  return `t=${stamp},v1=${Crypto.hmac_sha256(secret, `${stamp}.${body}`)}`;
}

/** The order is in it only when the caller is one of its parties. */
function summary() {
  const { started, answered, dialled, bridged, ended } = facts;
  return {
    version: 1,
    session: facts.session,
    order: facts.order,
    role: facts.role,
    outcome: facts.outcome,
    reason: facts.reason,
    attempts: facts.attempts,
    started_at: started,
    answered_at: answered,
    dialled_at: dialled,
    bridged_at: bridged,
    ended_at: ended,
    talk_seconds: bridged !== null && ended !== null ? ended - bridged : 0,
    cost: legs.reduce((sum, leg) => sum + leg.cost, 0),
    legs: legs.map(({ who, seconds, cost, code }) => ({ who, seconds, cost, code })),
    recording_url: facts.recording,
  };
}

Logger.hideTones(true);
VoxEngine.addEventListener(AppEvents.Started, (e) => {
  facts.session = String(e.sessionId);
});
VoxEngine.addEventListener(AppEvents.CallAlerting, onAlerting);
VoxEngine.addEventListener(AppEvents.Terminating, onTerminating);
