// What kvs_scenario.js uses of VoxEngine, declared by hand, and its own shapes. Nothing more.

// ---- VoxEngine ----

declare const Modules: { ApplicationStorage: 'ApplicationStorage' };
declare function require(module: 'ApplicationStorage'): void;
declare function setTimeout(act: () => void, milliseconds: number): number;
declare function clearTimeout(timer: number): void;

declare namespace Logger {
  function write(line: string): void;
  function hideTones(hide: boolean): void;
}

declare const AppEvents: {
  Started: 'Application.Started';
  CallAlerting: 'Application.CallAlerting';
  Terminating: 'Application.Terminating';
};

interface StartedEvent { sessionId: number }
interface CallAlertingEvent { call: Call; callerid?: string; destination: string }

interface AppEventMap {
  'Application.Started': StartedEvent;
  'Application.CallAlerting': CallAlertingEvent;
  'Application.Terminating': object;
}

declare const CallEvents: {
  Connected: 'Call.Connected';
  Disconnected: 'Call.Disconnected';
  Failed: 'Call.Failed';
  ToneReceived: 'Call.ToneReceived';
  PlaybackFinished: 'Call.PlaybackFinished';
  RecordStarted: 'Call.RecordStarted';
};

interface DisconnectedEvent { duration?: number; cost?: number; internalCode?: number }
interface FailedEvent { code: number; reason: string }
interface ToneEvent { tone: string }
interface PlaybackFinishedEvent { error?: string }
interface RecordStartedEvent { url: string }

interface CallEventMap {
  'Call.Connected': object;
  'Call.Disconnected': DisconnectedEvent;
  'Call.Failed': FailedEvent;
  'Call.ToneReceived': ToneEvent;
  'Call.PlaybackFinished': PlaybackFinishedEvent;
  'Call.RecordStarted': RecordStartedEvent;
}

interface Voice { readonly voice: unique symbol }
declare const VoiceList: object;
interface SayParameters { voice?: Voice }

interface Call {
  answer(): void;
  hangup(): void;
  reject(code: number): void;
  state(): 'ALERTING' | 'PROGRESSING' | 'CONNECTED' | 'TERMINATED';
  handleTones(handle: boolean): void;
  say(text: string, parameters: SayParameters): void;
  startPlayback(url: string, parameters: { loop: boolean }): void;
  stopPlayback(): void;
  record(parameters: { stereo: boolean }): void;
  addEventListener<E extends keyof CallEventMap>(event: E, act: (e: CallEventMap[E]) => void): void;
  removeEventListener<E extends keyof CallEventMap>(
    event: E,
    act: (e: CallEventMap[E]) => void,
  ): void;
}

declare namespace VoxEngine {
  function addEventListener<E extends keyof AppEventMap>(
    event: E,
    act: (e: AppEventMap[E]) => void,
  ): void;
  function callPSTN(number: string, callerid: string): Call;
  function sendMediaBetween(one: Call, other: Call): void;
  function customData(data: string): void;
  function getSecretValue(name: string): string | undefined;
  function terminate(): void;
}

interface StorageItem { key: string; value: string; expireAt: number }
declare namespace ApplicationStorage {
  function get(key: string): Promise<StorageItem | null>;
}

declare namespace Crypto {
  function hmac_sha256(key: string, data: string): string;
}

declare namespace Net {
  interface Options {
    method: 'POST';
    headers: Record<string, string>;
    postData: string;
    timeout: number;
    connectionTimeout: number;
  }
  function httpRequestAsync(url: string, options: Options): Promise<{ code: number }>;
}

// ---- the scenario ----

type Role = 'courier' | 'client';
type Reason =
  | 'ask_order' | 'courier_to_client' | 'client_to_courier' | 'no_digits' | 'bad_digits'
  | 'unknown_order' | 'unknown_caller' | 'unknown_number' | 'too_many_attempts' | 'operator'
  | 'unavailable';
type Outcome =
  | 'abandoned' | 'busy' | 'connected' | 'no_answer' | 'not_accepted' | 'operator'
  | 'operator_unavailable' | 'refused' | 'rejected' | 'unavailable' | 'unreachable';

interface Mapping { courier: string; client: string }

interface Leg {
  call: Call;
  who: 'caller' | 'party' | 'operator';
  gone: boolean;
  seconds: number;
  cost: number;
  code: number | null;
}

interface Facts {
  session: string;
  order: string | null;
  role: Role | null;
  reason: Reason;
  outcome: Outcome;
  attempts: number;
  started: number | null;
  answered: number | null;
  dialled: number | null;
  bridged: number | null;
  ended: number | null;
  recording: string | null;
}

interface ScenarioConfig {
  numbers: string[];
  operator: string | null;
  order_digits: number;
  key_prefix: string;
  ring_timeout: number;
  call_time_limit: number;
  attempts: number;
  recording: 'off' | 'announced';
  report_url: string | null;
  music_url: string | null;
  voice: string;
  phrases: Record<
    | 'greeting' | 'ask_again' | 'operator_hint' | 'no_digits' | 'bad_digits' | 'unknown_order'
    | 'too_many_attempts' | 'unknown_number' | 'unknown_caller' | 'unavailable'
    | 'connecting_courier' | 'connecting_client' | 'connecting_operator' | 'please_hold'
    | 'recording_notice' | 'call_from_courier' | 'call_from_client' | 'order_announcement'
    | 'courier_unavailable' | 'client_unavailable' | 'no_operator' | 'operator_unavailable'
    | 'goodbye',
    string
  >;
}
