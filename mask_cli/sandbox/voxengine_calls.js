// People and calls of the emulated VoxEngine: who does what when, one audio stream a leg, bridges.
// Part of voxengine.js, which makes the `world` it is given.

function emulatedCalls(world) {
  'use strict';

  const SECOND = 1000;
  const LATENCY = 20; // between a cause and the event that tells of it
  const MUSIC = 20 * SECOND; // a file that is not looped
  const LIMIT = { calls: 10, attempts: 50 };
  const { plan, out, at, seconds, tell, misuse, listen, unlisten, dispatch } = world;

  // ---- people: what they do and when --------------------------------------------------------

  const people = plan.people;
  for (const person of Object.values(people)) person.call = null;

  function perform(person, act) {
    let wait = 0;
    for (const key of act.keys || '') {
      at(wait, () => person.call && person.call.press(key));
      wait += act.gap * SECOND;
    }
    if (act.hangup) at(wait, () => person.call && person.call.remoteHangup());
  }

  /** Something happened that this person may have been waiting for. */
  function moment(person, when) {
    const due = person.acts.filter((act) => act.when === when && !act.done);
    for (const act of when === 'quiet' ? due.slice(0, 1) : due) {
      act.done = true;
      at(act.after * SECOND, () => perform(person, act));
    }
  }
  const everybody = (when) => Object.values(people).forEach((person) => moment(person, when));

  // ---- calls --------------------------------------------------------------------------------

  const calls = [];

  class EmulatedCall {
    constructor(who, number, callerid, incoming) {
      this.who = who;
      this.phoneNumber = number;
      this.shownCallerid = callerid;
      this.isIncoming = incoming;
      this.status = incoming ? 'ALERTING' : 'PROGRESSING';
      this.listeners = new Map();
      this.stream = null; // {heard, end}: a call receives one audio stream
      this.tones = false;
      this.recording = false;
      this.connectedAt = null;
      this.person = people[who];
      if (this.person && this.person.call === null) this.person.call = this;
      calls.push(this);
      this.callId = `call-${calls.length}`;
    }

    get live() {
      return this.status !== 'TERMINATED';
    }
    emit(event, payload) {
      at(LATENCY, () => {
        if (world.phase === 'running') dispatch(this.listeners, event, { call: this, ...payload });
      });
    }

    // What the network does.
    connect() {
      if (!this.live) return;
      this.status = 'CONNECTED';
      this.connectedAt = world.clock;
      tell('answered', { who: this.who });
      this.emit('Call.Connected', { headers: {} });
      at(LATENCY, () => {
        if (this.person) moment(this.person, 'connected');
        if (!this.isIncoming && people.caller) moment(people.caller, 'answered');
      });
    }
    close(by, code) {
      if (!this.live) return;
      const connected = this.status === 'CONNECTED';
      this.status = 'TERMINATED';
      this.silence(false);
      const talked = connected ? (world.clock - this.connectedAt) / SECOND : 0;
      if (connected || this.isIncoming) {
        tell('gone', { who: this.who, by });
        const cost = Math.ceil(talked / 60) * 0.01;
        const why = { internalCode: 200, reason: 'OK', duration: Math.round(talked), cost };
        this.emit('Call.Disconnected', { ...why, direction: '', headers: {} });
        if (this.recording) this.emit('Call.RecordStopped', { url: this.recording });
      } else {
        tell('failed', { who: this.who, code });
        this.emit('Call.Failed', { code, reason: '', headers: {} });
      }
      watchForEmptySession();
    }
    remoteHangup() {
      this.close('them', 487);
    }
    drop() {
      if (!this.live) return;
      const failed = this.status === 'PROGRESSING';
      this.status = 'TERMINATED';
      this.silence(false);
      tell(failed ? 'failed' : 'gone', { who: this.who, by: 'platform', code: failed ? 487 : 0 });
    }
    press(key) {
      if (this.status !== 'CONNECTED') return;
      tell('pressed', { who: this.who, key });
      if (!this.tones) return;
      if (!out.hides_tones) out.log.push(`DTMF ${key}`);
      this.emit('Call.ToneReceived', { tone: key, type: 1 });
    }

    // Audio towards this leg.
    silence(natural) {
      const stream = this.stream;
      if (stream === null) return null;
      this.stream = null;
      if (stream.end) stream.end.live = false;
      if (stream.bridge) unbridge(stream.bridge);
      if (stream.heard) {
        stream.heard.until = seconds(world.clock);
        stream.heard.whole = natural;
      }
      this.listenForQuiet();
      return stream;
    }
    play(heard, length) {
      if (this.status !== 'CONNECTED') {
        misuse(`audio to a ${this.status} ${this.who}`);
        return;
      }
      const replaced = this.silence(false);
      if (replaced && plan.replaced_fires && !replaced.bridge) this.finished(undefined);
      const stream = { heard: tell('heard', { who: this.who, ...heard, until: null, whole: false }) };
      this.stream = stream;
      this.emit('Call.PlaybackStarted', {});
      if (length === null) return;
      stream.end = at(length, () => {
        this.silence(true);
        this.finished(undefined);
      });
    }
    finished(error) {
      const event = 'Call.PlaybackFinished';
      if (error === undefined) this.emit(event, {});
      else if (plan.errors_at_once) dispatch(this.listeners, event, { call: this, error });
      else this.emit(event, { error });
    }
    listenForQuiet() {
      at(0.4 * SECOND, () => {
        const quiet = this.status === 'CONNECTED' && this.tones && this.stream === null;
        if (quiet && this.person) moment(this.person, 'quiet');
      });
    }

    // What a scenario may call.
    answer() {
      if (this.isIncoming && this.status === 'ALERTING') at(LATENCY, () => this.connect());
      else misuse('answer');
    }
    hangup() {
      if (this.live) at(0, () => this.close('us', 487));
    }
    reject(code) {
      this.hangup(code);
    }
    decline(code) {
      this.hangup(code);
    }
    ring() {}
    startEarlyMedia() {}
    state() {
      return this.status;
    }
    id() {
      return this.callId;
    }
    callerid() {
      return this.shownCallerid;
    }
    number() {
      return this.phoneNumber;
    }
    incoming() {
      return this.isIncoming;
    }
    clientType() {
      return 'pstn';
    }
    customData() {
      return '';
    }
    handleTones(handle) {
      this.tones = Boolean(handle);
      if (handle) this.listenForQuiet();
    }
    addEventListener(event, act) {
      listen(this.listeners, event, act);
    }
    removeEventListener(event, act) {
      unlisten(this.listeners, event, act);
    }
    say(text, options) {
      const number = (spoken += 1);
      const tooLong = String(text).length > 1500;
      if (this.status === 'CONNECTED' && (tooLong || plan.speech_errors.includes(number))) {
        this.silence(false);
        this.finished('speech failed');
        return;
      }
      const endless = plan.speech_endless.includes(number);
      const named = typeof options === 'object' && options !== null && options.voice;
      if (!named) misuse('phrase without a known voice');
      this.play({ text: String(text) }, endless ? null : 500 + 60 * String(text).length);
    }
    startPlayback(url, options) {
      const loop = Boolean(options && options.loop);
      this.play({ url: String(url), loop }, loop ? null : MUSIC);
    }
    stopPlayback() {
      if (this.stream && !this.stream.bridge) this.silence(false);
    }
    sendMediaTo(other) {
      sendMediaBetween(this, other);
    }
    sendDigits() {}
    record() {
      if (this.status !== 'CONNECTED') misuse(`recording of a ${this.status} ${this.who}`);
      this.recording = `https://records.example/${plan.session}.mp3`;
      tell('recording', { who: this.who });
      this.emit('Call.RecordStarted', { url: this.recording });
    }
  }
  let spoken = 0;

  function unbridge(bridge) {
    if (bridge.told.until !== null) return;
    bridge.told.until = seconds(world.clock);
    for (const side of bridge.sides) {
      if (side.stream && side.stream.bridge === bridge) side.stream = null;
    }
  }

  function progress(call) {
    const person = call.person;
    const later = (delay, act) => at(delay * SECOND, () => call.status === 'PROGRESSING' && act());
    if (person.fails_with) {
      later(person.after, () => call.close('them', person.fails_with));
      return;
    }
    later(1, () => {
      tell('rings', { who: call.who });
      call.emit('Call.Ringing', { headers: {} });
      moment(people.caller, 'ringing');
    });
    if (person.after !== null) later(person.after, () => call.connect());
    later(60, () => call.close('network', 408));
  }

  function callPSTN(number, callerid) {
    const digits = String(number);
    const isOperator = digits === plan.operator_number;
    const call = new EmulatedCall(isOperator ? 'operator' : 'party', digits, callerid, false);
    tell('dialled', { who: call.who, number: digits, caller_id: String(callerid) });
    if (world.phase !== 'running') misuse('a call while terminating');
    const busy = calls.filter((other) => !other.isIncoming && other.live).length > LIMIT.calls;
    const attempts = calls.filter((other) => !other.isIncoming).length > LIMIT.attempts;
    const fail = (code) => at(LATENCY, () => call.close('network', code));
    // The rented numbers, and the number of the inbound call, may be shown; nothing else.
    const shown = [...plan.numbers, plan.caller];
    if (busy || attempts || !shown.includes(callerid)) fail(403);
    else if (!/^[1-9][0-9]{6,14}$/.test(digits)) fail(404);
    else progress(call);
    return call;
  }

  function alert(who, callerid) {
    if (world.phase !== 'running') return;
    const call = new EmulatedCall(who, plan.called, callerid, true);
    tell('alerting', { who });
    moment(people.caller, 'alerting');
    dispatch(world.appListeners, 'Application.CallAlerting', {
      call,
      callerid,
      destination: plan.called,
      toURI: '',
      fromURI: '',
      displayName: '',
      headers: {},
      scheme: 'pstn',
    });
    at(60 * SECOND, () => call.status === 'ALERTING' && call.close('network', 0));
  }

  function watchForEmptySession() {
    if (calls.some((call) => call.live)) return;
    const count = calls.length;
    at(60 * SECOND, () => {
      if (calls.length === count) world.terminate('Timeout');
    });
  }

  function sendMediaBetween(one, other) {
      const dead = [one, other].find((call) => call.status !== 'CONNECTED');
      if (dead) {
        misuse(`bridge to a ${dead.status} ${dead.who}`);
        return;
      }
      const told = tell('bridged', { who: [one.who, other.who], until: null });
      const bridge = { told, sides: [one, other] };
      for (const side of [one, other]) {
        const replaced = side.silence(false);
        if (replaced && plan.replaced_fires && !replaced.bridge) side.finished(undefined);
        side.stream = { bridge };
      }
      at(SECOND, () => (told.timers = world.timers.size));
      everybody('bridged');
    }

  return { calls, callPSTN, sendMediaBetween, alert };
}
