// VoxEngine, emulated: one incoming call, one thread, virtual time. Evaluates to a function that
// takes the plan of a call (JSON) and returns `control(command, argument)`, which the driver in
// simulate_voximplant.py calls; calls and network have files of their own, put in front of this
// one. Everything is deterministic.
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

  const LIMIT = { timers: 100, steps: 20000 };
  const SECOND = 1000;
  const NativePromise = Promise;
  const NativeDate = Date;

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
      calls.calls.forEach((call) => call.drop());
    }

    /** Drop everything, then tell the scenario; only requests under way go on. */
    function terminate(reason) {
      if (phase !== 'running') return;
      phase = 'terminating';
      out.finish = reason;
      timers.forEach((timer) => (timer.live = false));
      timers.clear();
      calls.calls.forEach((call) => call.drop());
      network.dropQueue();
      at(0, () => dispatch(appListeners, 'Application.Terminating', {}));
      at(1, () => dispatch(appListeners, 'Application.Terminated', {}));
      at(2, () => finish(reason));
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
    // ---- the other parts ----------------------------------------------------------------------

    const world = {
      plan,
      out,
      at,
      seconds,
      tell,
      misuse,
      listen,
      unlisten,
      dispatch,
      terminate,
      timers,
      appListeners,
      Tracked,
      get clock() {
        return clock;
      },
      get phase() {
        return phase;
      },
    };
    const calls = emulatedCalls(world);
    const network = emulatedNetwork(world);

    // ---- what a scenario sees -----------------------------------------------------------------

    const VoxEngine = {
      addEventListener: (event, act) => listen(appListeners, event, act),
      removeEventListener: (event, act) => unlisten(appListeners, event, act),
      callPSTN: calls.callPSTN,
      sendMediaBetween: calls.sendMediaBetween,
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
    const storage = { get: network.storageGet };
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
        httpRequestAsync: network.httpRequest,
        HttpRequestOptions: class {},
      },
      VoiceList: network.voices(),
      Crypto: { hmac_sha256: network.hmac, sha256: network.sha256 },
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

    function start() {
      trackAsyncFunctions();
      at(0, () => {
        const sessionId = plan.session;
        dispatch(appListeners, 'Application.Started', { sessionId, accountId: 1, applicationId: 1 });
      });
      const callerid = plan.caller === null ? undefined : plan.caller;
      at(1, () => calls.alert('caller', callerid));
      if (plan.second_call !== null) at(plan.second_call * SECOND, () => calls.alert('second', callerid));
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
      const event = phase === 'over' && !network.busy() ? undefined : queue.shift();
      if (event === undefined) {
        finish('nothing left');
        return 'end';
      }
      if (event.live) {
        clock = event.time;
        event.act();
      }
      const key = network.wantedKey();
      return key === null ? '' : `get ${key}`;
    }

    function result() {
      out.seconds = seconds(clock);
      out.left_live = calls.calls.filter((call) => call.live).map((call) => call.who);
      return JSON.stringify(out);
    }

    return function control(command, argument) {
      if (command === 'start') start();
      else if (command === 'step') return step();
      else if (command === 'result') return result();
      else if (command === 'fault') fault(argument);
      else network.answerLookup(command, argument);
      return '';
    };
  };
})();
