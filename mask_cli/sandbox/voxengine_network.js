// HTTP, storage, hashes and voices of the emulated VoxEngine. Part of voxengine.js, which makes
// the `world` it is given.

function emulatedNetwork(world) {
  'use strict';

  const SECOND = 1000;
  const LIMIT = { active: 3, requests: 35 };
  const { plan, out, at, seconds, tell, misuse } = world;
  const constants = hashConstants();
  let requestsInTerminating = 0;

  // ---- HTTP ---------------------------------------------------------------------------------

  const waitingRequests = [];
  let activeRequests = 0;

  function headersOf(headers) {
    if (!Array.isArray(headers)) return { ...headers };
    const pairs = headers.map((line) => /^([^:]*):\s*(.*)$/.exec(String(line)) || [line, line, '']);
    return Object.fromEntries(pairs.map(([, name, value]) => [name, value]));
  }

  function httpRequest(url, options) {
    if (world.phase === 'terminating' && (requestsInTerminating += 1) > 1) {
      throw new Error('only one request while terminating');
    }
    if (out.requests.length >= LIMIT.requests) {
      throw new Error('Exceeded the HTTP connection count limit!');
    }
    const { method = 'GET', postData = null, headers = {}, timeout = 90 } = options || {};
    const record = { at: seconds(world.clock), url: String(url), method, headers: headersOf(headers) };
    Object.assign(record, { body: postData, code: null, accepted: false, dropped: false });
    record.number = out.requests.length;
    record.terminating = world.phase !== 'running';
    out.requests.push(record);
    return new world.Tracked((resolve) => {
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
      if (world.phase === 'running') resolve({ code: record.code, text: '', headers: [] });
    });
  }

  // ---- storage, secrets, hashes -------------------------------------------------------------

  let wanted = null; // the look-up that the driver has to answer
  function storageGet(key) {
    const fate = plan.storage;
    tell('looked_up', { key: String(key) });
    if (!/^[\p{L}\d_:;.#+-]{1,200}$/u.test(key)) misuse('illegal key');
    return new world.Tracked((resolve, reject) => {
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

  function answerLookup(command, argument) {
    const { resolve, reject } = wanted;
    wanted = null;
    if (command === 'item') resolve(JSON.parse(argument));
    else reject(new Error('storage'));
  }

  function dropQueue() {
    waitingRequests.forEach((request) => (request.record.dropped = true));
    waitingRequests.length = 0;
  }

  return {
    httpRequest,
    storageGet,
    hmac,
    sha256: (data) => hex(sha256(utf8(String(data)))),
    voices,
    dropQueue,
    answerLookup,
    busy: () => activeRequests > 0,
    wantedKey: () => wanted && wanted.key,
  };

  /**
   * The platform's voices; one that does not exist is undefined there too. There are thousands,
   * and more every month: the makers are known, and the form of their names. Yandex's are few,
   * and one that never was is widely copied, so these are known one by one.
   */
  function voices() {
    const maker = (known, inside = {}) =>
      new Proxy(inside, {
        get: (own, name) => own[name] || (known(String(name)) ? { voice: name } : undefined),
      });
    const local = (name) => /^[a-z]{2,3}_([A-Z][a-z]{3}_)?([A-Z]{2}|\d{3})_\w+$/.test(name);
    const yandex =
      'de_DE_lea en_US_john kk_KK_amira kk_KK_madi ru_RU_alena ru_RU_ermil ru_RU_filipp ' +
      'ru_RU_jane ru_RU_madi_ru ru_RU_marina ru_RU_omazh ru_RU_zahar uz_UZ_nigora';
    return {
      Amazon: maker(local, { Neural: maker(local) }),
      Default: maker((name) => local(name) && /_(Fem|M)ale$/.test(name)),
      ElevenLabs: maker((name) => /^[A-Z][a-z]+$/.test(name)),
      Google: maker(local),
      IBM: { Neural: maker(local) },
      Microsoft: { Neural: maker(local) },
      SaluteSpeech: maker(local),
      TBank: maker(local),
      Yandex: { Neural: maker((name) => yandex.split(' ').includes(name)) },
      YandexV3: maker(local),
    };
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
}
