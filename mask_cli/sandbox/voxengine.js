// VoxEngine, emulated: one incoming call, one thread, virtual time. Evaluates to a function that
// takes the plan of a call (JSON) and returns `control(command, argument)`, which the driver in
// simulate_voximplant.py calls. Everything here is deterministic.
//
//   control('start', '')     once the scenario's top level has run
//   control('fault', text)   it threw, or something took too long
//   control('step', '')      do the next thing that happens; '' more, 'end', or 'get ' + a key
//   control('item', json)    answer a 'get'; control('reject', '') the storage fails
//   control('result', '')    the transcript, as JSON
//
// After each of them the driver runs all pending promise jobs.

(function () {
  'use strict';

  const LIMIT = { timers: 100, calls: 10, attempts: 50, active: 3, requests: 35, steps: 20000 };
  const SECOND = 1000;
  const LATENCY = 20; // between a cause and the event that tells of it
  const MUSIC = 20 * SECOND; // a file that is not looped
  const NativePromise = Promise;
  const NativeDate = Date;
  const constants = hashConstants();

  return function (planText) {
    const plan = JSON.parse(planText);
    const out = { events: [], log: [], requests: [], misuse: [], custom_data: null, finish: null };

    // ---- virtual time -------------------------------------------------------------------------

    let clock = 0; // milliseconds since the call came in
    let order = 0;
    const queue = [];

    function at(delay, act) {
      const event = { time: clock + Math.max(0, delay), order: (order += 1), act, live: true };
      let place = queue.length;
      while (place > 0 && queue[place - 1].time > event.time) place -= 1;
      queue.splice(place, 0, event);
      return event;
    }

    class VirtualDate extends NativeDate {
      constructor(...parts) {
        if (parts.length) super(...parts);
        else super(VirtualDate.now());
      }
      static now() {
        return plan.now * SECOND + clock;
      }
    }

    const seconds = (time) => Math.round(time) / SECOND;
    function tell(kind, more) {
      const event = { at: seconds(clock), kind, ...more };
      out.events.push(event);
      return event;
    }
    const misuse = (what) => out.misuse.push({ at: seconds(clock), what });

    // ---- the session: errors, listeners, its end ----------------------------------------------

    let phase = 'running'; // then 'terminating', 'over'
    let requestsInTerminating = 0;
    const appListeners = new Map();
    const unhandled = [];
    let observing = false;

    // A promise whose rejection nobody handles ends the session. Native ones, which async functions
    // return, cannot be asked: of those, global functions and listeners are watched, local ones not.
    class Tracked extends NativePromise {
      static get [Symbol.species]() {
        return observing ? NativePromise : Tracked;
      }
      constructor(executor) {
        super(executor);
        this.handled = false;
        observing = true;
        NativePromise.prototype.then.call(this, undefined, (error) => unhandled.push([this, error]));
        observing = false;
      }
      then(one, other) {
        this.handled = true;
        return super.then(one, other);
      }
    }

    function fault(error) {
      if (phase !== 'running') return;
      out.log.push(`ERROR ${error && error.message ? error.message : error}`);
      finish('JS session error');
    }

    function protectedRun(act, ...args) {
      try {
        const result = act(...args);
        if (result instanceof NativePromise) result.then(undefined, fault);
      } catch (error) {
        fault(error);
      }
    }

    const listenersOf = (map, event) => {
      if (!map.has(event)) map.set(event, []);
      return map.get(event);
    };
    function listen(map, event, act) {
      if (typeof event !== 'string') throw new Error('unknown event');
      if (typeof act !== 'function') throw new Error('listener is not a function');
      listenersOf(map, event).push(act);
    }
    function unlisten(map, event, act) {
      // Without a function, all of that event's listeners go.
      map.set(event, act ? listenersOf(map, event).filter((one) => one !== act) : []);
    }
    function dispatch(map, event, payload) {
      for (const act of [...listenersOf(map, event)]) {
        if (phase === 'over') return;
        protectedRun(act, { name: event, ...payload });
      }
    }

    function finish(reason) {
      if (phase === 'over') return;
      phase = 'over';
      out.finish = out.finish || reason;
      timers.forEach((timer) => (timer.live = false));
      calls.forEach((call) => call.drop());
    }

    /** Drop everything, then tell the scenario; only requests under way go on. */
    function terminate(reason) {
      if (phase !== 'running') return;
      phase = 'terminating';
      out.finish = reason;
      timers.forEach((timer) => (timer.live = false));
      timers.clear();
      calls.forEach((call) => call.drop());
      waitingRequests.forEach((request) => (request.record.dropped = true));
      waitingRequests.length = 0;
      at(0, () => dispatch(appListeners, 'Application.Terminating', {}));
      at(1, () => dispatch(appListeners, 'Application.Terminated', {}));
      at(2, () => finish(reason));
    }

    function watchForEmptySession() {
      if (calls.some((call) => call.live)) return;
      const count = calls.length;
      at(60 * SECOND, () => {
        if (calls.length === count) terminate('Timeout');
      });
    }

    // ---- timers -------------------------------------------------------------------------------

    const timers = new Map();
    let timerId = 0;
    function startTimer(act, delay, every) {
      if (phase !== 'running') {
        misuse('timer while terminating');
        return 0;
      }
      if (typeof act !== 'function') throw new Error('timer without a function');
      if (timers.size >= LIMIT.timers) throw new Error('Exceeded the timer count limit!');
      const id = (timerId += 1);
      const wait = every ? Math.max(100, delay || 0) : delay || 0;
      const run = () => {
        if (every) timers.set(id, at(wait, run));
        else timers.delete(id);
        protectedRun(act);
      };
      timers.set(id, at(wait, run));
      return id;
    }
    function stopTimer(id) {
      if (timers.has(id)) timers.get(id).live = false;
      timers.delete(id);
    }

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
    const bridges = [];

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
          if (phase === 'running') dispatch(this.listeners, event, { call: this, ...payload });
        });
      }

      // What the network does.
      connect() {
        if (!this.live) return;
        this.status = 'CONNECTED';
        this.connectedAt = clock;
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
        const talked = connected ? (clock - this.connectedAt) / SECOND : 0;
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
          stream.heard.until = seconds(clock);
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
        VoxEngine.sendMediaBetween(this, other);
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
      bridge.told.until = seconds(clock);
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
      if (phase !== 'running') misuse('a call while terminating');
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

    // ---- HTTP ---------------------------------------------------------------------------------

    const waitingRequests = [];
    let activeRequests = 0;

    function headersOf(headers) {
      if (!Array.isArray(headers)) return { ...headers };
      const pairs = headers.map((line) => /^([^:]*):\s*(.*)$/.exec(String(line)) || [line, line, '']);
      return Object.fromEntries(pairs.map(([, name, value]) => [name, value]));
    }

    function httpRequest(url, options) {
      if (phase === 'terminating' && (requestsInTerminating += 1) > 1) {
        throw new Error('only one request while terminating');
      }
      if (out.requests.length >= LIMIT.requests) {
        throw new Error('Exceeded the HTTP connection count limit!');
      }
      const { method = 'GET', postData = null, headers = {}, timeout = 90 } = options || {};
      const record = { at: seconds(clock), url: String(url), method, headers: headersOf(headers) };
      Object.assign(record, { body: postData, code: null, accepted: false, dropped: false });
      record.number = out.requests.length;
      record.terminating = phase !== 'running';
      out.requests.push(record);
      return new Tracked((resolve) => {
        const request = { record, resolve, timeout: Math.min(timeout, 90) };
        if (activeRequests < LIMIT.active) send(request);
        else waitingRequests.push(request);
      });
    }

    function send({ record, resolve, timeout }) {
      activeRequests += 1;
      const answer = plan.http[Math.min(record.number, plan.http.length - 1)];
      const inTime = answer.delay <= timeout;
      // The other side may take it and answer too late.
      record.accepted = answer.code >= 200 && answer.code < 300;
      at(Math.min(answer.delay, timeout) * SECOND, () => {
        activeRequests -= 1;
        record.code = inTime ? answer.code : -7;
        if (waitingRequests.length) send(waitingRequests.shift());
        if (phase === 'running') resolve({ code: record.code, text: '', headers: [] });
      });
    }

    // ---- storage, secrets, hashes -------------------------------------------------------------

    let wanted = null; // the look-up that the driver has to answer
    function storageGet(key) {
      const fate = plan.storage;
      tell('looked_up', { key: String(key) });
      if (!/^[\p{L}\d_:;.#+-]{1,200}$/u.test(key)) misuse('illegal key');
      return new Tracked((resolve, reject) => {
        at(fate.delay * SECOND, () => {
          if (fate.fault === 'hang') return;
          if (fate.fault === 'reject') reject(new Error('storage'));
          else wanted = { key: String(key), resolve, reject };
        });
      });
    }

    const utf8 = (text) => Array.from(unescape(encodeURIComponent(text)), (c) => c.charCodeAt(0));
    const hex = (bytes) => bytes.map((byte) => byte.toString(16).padStart(2, '0')).join('');

    function hmac(key, data) {
      let secret = utf8(String(key));
      if (secret.length > 64) secret = sha256(secret);
      while (secret.length < 64) secret.push(0);
      const pad = (mask) => secret.map((byte) => byte ^ mask);
      return hex(sha256([...pad(0x5c), ...sha256([...pad(0x36), ...utf8(String(data))])]));
    }

    // ---- what a scenario sees -----------------------------------------------------------------

    const VoxEngine = {
      addEventListener: (event, act) => listen(appListeners, event, act),
      removeEventListener: (event, act) => unlisten(appListeners, event, act),
      callPSTN,
      sendMediaBetween(one, other) {
        const dead = [one, other].find((call) => call.status !== 'CONNECTED');
        if (dead) {
          misuse(`bridge to a ${dead.status} ${dead.who}`);
          return;
        }
        const told = tell('bridged', { who: [one.who, other.who], until: null });
        const bridge = { told, sides: [one, other] };
        bridges.push(bridge);
        for (const side of [one, other]) {
          const replaced = side.silence(false);
          if (replaced && plan.replaced_fires && !replaced.bridge) side.finished(undefined);
          side.stream = { bridge };
        }
        at(SECOND, () => (told.timers = timers.size));
        everybody('bridged');
      },
      stopMediaBetween: (one) => void one.silence(false),
      terminate: () => terminate('Normal termination'),
      customData(data) {
        if (String(data).length > 200) throw new Error('custom data is too long');
        out.custom_data = String(data);
      },
      getSecretValue: (name) => plan.secrets[name],
    };

    const named = (prefix, names) =>
      Object.freeze(Object.fromEntries(names.map((name) => [name, `${prefix}.${name}`])));
    const storage = { get: storageGet };
    const required = new Set();

    Object.assign(globalThis, {
      VoxEngine,
      AppEvents: named('Application', 'Started CallAlerting HttpRequest Terminating Terminated'.split(' ')),
      CallEvents: named(
        'Call',
        ('Connected Disconnected Failed Ringing AudioStarted ToneReceived PlaybackStarted ' +
          'PlaybackReady PlaybackFinished RecordStarted RecordStopped RecordError RtpStopped').split(' '),
      ),
      Modules: new Proxy({}, { get: (_, name) => name }),
      require(module) {
        if (typeof module !== 'string') throw new Error('unknown module');
        required.add(module);
      },
      Net: {
        httpRequestAsync: httpRequest,
        HttpRequestOptions: class {},
      },
      VoiceList: voices(),
      Crypto: { hmac_sha256: hmac, sha256: (data) => hex(sha256(utf8(String(data)))) },
      Logger: {
        write(line) {
          if (String(line).length > 15000) throw new Error('log line is too long');
          out.log.push(String(line));
        },
        hideTones: (hide) => void (out.hides_tones = Boolean(hide)),
      },
      setTimeout: (act, delay) => startTimer(act, delay, false),
      setInterval: (act, delay) => startTimer(act, delay, true),
      clearTimeout: stopTimer,
      clearInterval: stopTimer,
      Promise: Tracked,
      Date: VirtualDate,
    });
    Object.defineProperty(globalThis, 'ApplicationStorage', {
      get() {
        if (required.has('ApplicationStorage')) return storage;
        throw new ReferenceError('ApplicationStorage is not required');
      },
    });

    // ---- the course of a session --------------------------------------------------------------

    /** Make what a scenario's own async functions return tracked. */
    function trackAsyncFunctions() {
      const AsyncFunction = Object.getPrototypeOf(async () => {}).constructor;
      for (const name of Object.getOwnPropertyNames(globalThis)) {
        if (name === 'ApplicationStorage') continue;
        const act = globalThis[name];
        if (!(act instanceof AsyncFunction)) continue;
        globalThis[name] = (...args) =>
          new Tracked((resolve, reject) => act(...args).then(resolve, reject));
      }
    }

    function alert(who, callerid) {
      if (phase !== 'running') return;
      const call = new EmulatedCall(who, plan.called, callerid, true);
      tell('alerting', { who });
      moment(people.caller, 'alerting');
      dispatch(appListeners, 'Application.CallAlerting', {
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

    function start() {
      trackAsyncFunctions();
      at(0, () => {
        const sessionId = plan.session;
        dispatch(appListeners, 'Application.Started', { sessionId, accountId: 1, applicationId: 1 });
      });
      const callerid = plan.caller === null ? undefined : plan.caller;
      at(1, () => alert('caller', callerid));
      if (plan.second_call !== null) at(plan.second_call * SECOND, () => alert('second', callerid));
      if (plan.terminated_at !== null) {
        at(plan.terminated_at * SECOND, () => terminate('Terminated administratively'));
      }
    }

    let steps = 0;
    function step() {
      for (const [promise, error] of unhandled.splice(0)) {
        if (!promise.handled) fault(error);
      }
      if ((steps += 1) > LIMIT.steps) finish('runaway');
      const event = phase === 'over' && activeRequests === 0 ? undefined : queue.shift();
      if (event === undefined) {
        finish('nothing left');
        return 'end';
      }
      if (event.live) {
        clock = event.time;
        event.act();
      }
      return wanted === null ? '' : `get ${wanted.key}`;
    }

    function answerLookup(command, argument) {
      const { resolve, reject } = wanted;
      wanted = null;
      if (command === 'item') resolve(JSON.parse(argument));
      else reject(new Error('storage'));
    }

    function result() {
      out.seconds = seconds(clock);
      out.left_live = calls.filter((call) => call.live).map((call) => call.who);
      return JSON.stringify(out);
    }

    return function control(command, argument) {
      if (command === 'start') start();
      else if (command === 'step') return step();
      else if (command === 'result') return result();
      else if (command === 'fault') fault(argument);
      else answerLookup(command, argument);
      return '';
    };
  };

  // ---- data and arithmetic --------------------------------------------------------------------

  /** A few of the platform's voices; one that does not exist is undefined there too. */
  function voices() {
    const list = {};
    const known =
      'Amazon.en_US_Joanna Amazon.en_GB_Amy Amazon.de_DE_Marlene Amazon.fr_FR_Celine ' +
      'Amazon.es_ES_Lucia Amazon.ru_RU_Tatyana Amazon.Neural.en_US_Joanna Default.en_US_Female ' +
      'Default.en_US_Male Yandex.Neural.en_US_john Google.en_US_Standard_C';
    for (const path of known.split(' ')) {
      const names = path.split('.');
      const last = names.pop();
      const place = names.reduce((at, name) => (at[name] = at[name] || {}), list);
      place[last] = { voice: path };
    }
    return list;
  }

  function hashConstants() {
    const fraction = (x) => ((x - Math.floor(x)) * 2 ** 32) | 0;
    const primes = [];
    for (let n = 2; primes.length < 64; n += 1) {
      if (primes.every((prime) => n % prime)) primes.push(n);
    }
    const state = primes.slice(0, 8).map((prime) => fraction(Math.sqrt(prime)));
    return { state, roots: primes.map((prime) => fraction(Math.cbrt(prime))) };
  }

  /** SHA-256 of an array of bytes (FIPS 180-4). */
  function sha256(bytes) {
    const { roots } = constants;
    const state = [...constants.state];
    const message = [...bytes, 0x80];
    while (message.length % 64 !== 56) message.push(0);
    for (let shift = 56; shift >= 0; shift -= 8) {
      message.push(shift > 31 ? 0 : ((bytes.length * 8) >>> shift) & 255);
    }
    const w = new Int32Array(64);
    const turn = (x, n) => (x >>> n) | (x << (32 - n));
    for (let start = 0; start < message.length; start += 64) {
      for (let i = 0; i < 16; i += 1) {
        const j = start + i * 4;
        w[i] = (message[j] << 24) | (message[j + 1] << 16) | (message[j + 2] << 8) | message[j + 3];
      }
      for (let i = 16; i < 64; i += 1) {
        const s0 = turn(w[i - 15], 7) ^ turn(w[i - 15], 18) ^ (w[i - 15] >>> 3);
        const s1 = turn(w[i - 2], 17) ^ turn(w[i - 2], 19) ^ (w[i - 2] >>> 10);
        w[i] = (w[i - 16] + s0 + w[i - 7] + s1) | 0;
      }
      let [a, b, c, d, e, f, g, h] = state;
      for (let i = 0; i < 64; i += 1) {
        const s1 = turn(e, 6) ^ turn(e, 11) ^ turn(e, 25);
        const t1 = (h + s1 + ((e & f) ^ (~e & g)) + roots[i] + w[i]) | 0;
        const s0 = turn(a, 2) ^ turn(a, 13) ^ turn(a, 22);
        const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
        [h, g, f, e, d, c, b, a] = [g, f, e, (d + t1) | 0, c, b, a, (t1 + t2) | 0];
      }
      [a, b, c, d, e, f, g, h].forEach((value, i) => (state[i] = (state[i] + value) | 0));
    }
    return [...state].flatMap((word) => [24, 16, 8, 0].map((shift) => (word >>> shift) & 255));
  }
})();
