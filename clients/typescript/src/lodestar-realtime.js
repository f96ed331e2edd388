/**
 * Realtime over one WebSocket: many channels, in order, nothing lost and nothing doubled while connections come and go.
 *
 * One file without dependencies, for browsers and for Node.js 22 or newer; older ones give it a
 * `WebSocket`. README.md shows how it is used.
 *
 * @module lodestar-realtime
 */

const MAX_FRAME_BYTES = 65_536;
/** States of a socket, which every class of sockets numbers like this. */
const CONNECTING = 0;
const OPEN = 1;
const OPEN_WITHIN = 10_000;
/** The server pings every 25 s; after this long without a message it is gone. */
const SILENCE = 60_000;
/**
 * Frames a second, at once, and without an answer. The server takes 20 a second and at once: what is held up on its way
 * comes at once, together with answers to pings, and the next ones need room as well.
 */
const PACE = { perSecond: 15, burst: 8, unanswered: 8 };
const CHANNEL = /^[a-z]{1,32}(?::[A-Za-z0-9_.-]{1,64})?$/;
const EVENT = /^[a-z][a-z0-9_.-]{0,63}$/;
const KEY = /^[!-~]{1,64}$/;
/** As JSON has it; whole ones are not escaped. */
const HALF_A_SURROGATE = /(?:^|[^\\])(?:\\\\)*\\ud[89a-f]/;
/** How the server begins an event, to know which one it is that cannot be read. */
const EVENT_HEAD = /^\{"type":"event","channel":"([^"\\]+)","id":(\d{1,16}),/;
const BACKOFF = { first: 500, longest: 30_000 };
const AFTER_RESTART = 2_000;
const SLOW_DOWN_STEPS = 3;

/** Close codes of the server. */
export const CLOSE = Object.freeze({
  restarting: 1012,
  badFrame: 4400,
  unauthenticated: 4401,
  forbidden: 4403,
  tooSlow: 4408,
  tooLarge: 4413,
  tooFast: 4429,
});

/**
 * What was refused. `code` is the server's (`forbidden`, `closed`, ...), or one of this client's: `disconnected`,
 * `too_large`, `bad_frame`, `unauthenticated`, `ended`.
 */
export class RealtimeError extends Error {
  /** @param {string} code @param {string} [detail] @param {{retryable?: boolean, retryAfter?: number}} [more] */
  constructor(code, detail = code, { retryable = false, retryAfter = 0 } = {}) {
    super(detail);
    this.name = "RealtimeError";
    this.code = code;
    this.retryable = retryable;
    /** In milliseconds. */
    this.retryAfter = retryAfter;
  }
}

/**
 * @typedef {{id: string, username: ?string, name: ?string, avatar_url: ?string}} Member
 * @typedef {{channel: string, id: number, event: string, data: unknown, sent_at: string, sender_id: string | null}} RealtimeEvent
 * @typedef {object} Handlers
 * @property {(event: RealtimeEvent) => void} [onEvent] every event once, in the order of their ids
 * @property {(presence: {members: Member[], join: Member[], leave: Member[]}) => void} [onPresence]
 * @property {(info: {missed: number}) => void} [onRecovered] after a gap; the events that were missed follow
 * @property {(info: {missed: number | null, lastId: number}) => void} [onLost] too much was missed: load it by REST
 * @property {(error: RealtimeError) => void} [onEnd] the server has ended or refused it; it does not come back
 * @property {number} [since] the last id that is known from before
 */

/** One channel, as `Realtime.subscribe` returns it. */
export class Subscription {
  /** @param {Realtime} client @param {string} channel @param {Handlers} handlers @param {(subscription: Subscription) => void} leave */
  constructor(client, channel, handlers, leave) {
    this.client = client;
    this.channel = channel;
    this.handlers = handlers;
    /** The id of the last event that was handed over; give it to `since` to go on from there another time. @type {number | null} */
    this.lastId = handlers.since ?? null;
    /** Who is there, by id. @type {Map<string, Member>} */
    this.members = new Map();
    /** @type {"waiting" | "live" | "ended"} */
    this.state = "waiting";
    /** The reference that the answer to the latest request will have. @type {string | null} */
    this.ref = null;
    this.wasLive = false;
    this._leave = leave;
    /** Fulfilled when the server has agreed for the first time. @type {Promise<Subscription>} */
    this.ready = new Promise((resolve, reject) => {
      this._resolve = resolve;
      this._reject = reject;
    });
    this.ready.catch(() => {});
  }

  /** Ends it; no handler is called any more. */
  unsubscribe() {
    this._leave(this);
  }
}

/** A connection that heals itself. */
export class Realtime {
  #options;
  /** @type {"idle" | "connecting" | "open" | "waiting" | "closed"} */ #state = "idle";
  /** @type {WebSocket | null} */ #socket = null;
  /** @type {Map<string, Subscription>} */ #subscriptions = new Map();
  /** Not acknowledged yet, by reference and in the order in which they were made. @type {Map<string, any>} */
  #publishes = new Map();
  /** Requests that belong to this connection: subscribe, ping, refresh. @type {Map<string, any>} */ #requests = new Map();
  /** With the publish that it is, if it is one. @type {{text: string, ref: string, publish?: any}[]} */ #outgoing = [];
  /** Sent on this connection and not answered yet, by reference. @type {Map<string, any>} */ #unanswered = new Map();
  /** Whether one of the frames cannot be read by the server, and has to be found. */ #oneByOne = false;
  #pacing = { tokens: PACE.burst, at: 0, timer: null };
  #lastRef = 0;
  #failures = 0;
  #renew = false;
  #refusedInARow = 0;
  #heardAt = 0;
  #stopped = false;
  /** @type {RealtimeError | null} */ #failed = null;
  /** @type {(() => void) | null} */ #wake = null;
  /** @type {((end: {code: number, reason: string}) => void) | null} */ #endAttempt = null;

  /**
   * @param {object} options
   * @param {string} [options.baseUrl] of the service; by default this page's origin
   * @param {(how: {renew: boolean}) => Promise<string>} [options.getToken] an access token; a new one when `renew`.
   *   Throw a RealtimeError to stop; after anything else it is called again later
   * @param {(how: {renew: boolean}) => Promise<string>} [options.getTicket] instead of `getToken`: a ticket
   * @param {(state: "connecting" | "open" | "waiting" | "closed", info: object) => void} [options.onState]
   * @param {(error: unknown) => void} [options.onError] what a handler has thrown, and what concerns no request
   * @param {new (url: string) => any} [options.WebSocket] a class such as that of the package `ws`, where there is none
   * @param {number} [options.silence] milliseconds after which a silent server counts as gone
   */
  constructor(options) {
    if (!options.getToken === !options.getTicket) throw new TypeError("give either getToken or getTicket");
    const baseUrl = options.baseUrl ?? globalThis.location?.origin;
    if (!baseUrl) throw new TypeError("baseUrl is missing");
    const WebSocket = options.WebSocket ?? globalThis.WebSocket;
    if (!WebSocket) {
      throw new TypeError("there is no WebSocket here: use Node.js 22 or newer, or pass { WebSocket } of the package ws");
    }
    this.#options = { silence: SILENCE, ...options, WebSocket, baseUrl: baseUrl.replace(/\/+$/, "") };
  }

  get state() {
    return this.#state;
  }

  /** Connects, and stays connected until `close`. Subscribing and publishing do it by themselves. */
  connect() {
    if (this.#state === "idle") this.#run();
    return this;
  }

  /**
   * Listens to a channel from now on, or from `since` on.
   * @param {string} channel @param {Handlers} [handlers] @returns {Subscription}
   */
  subscribe(channel, handlers = {}) {
    this.#refuseWhenStopped();
    checkChannel(channel);
    const since = handlers.since ?? null;
    if (since !== null && !(Number.isSafeInteger(since) && since >= 0)) {
      throw new RealtimeError("bad_frame", "since has to be the id of an event");
    }
    if (this.#subscriptions.has(channel)) throw new RealtimeError("ended", `${channel} is subscribed to already`);
    const subscription = new Subscription(this, channel, handlers, (it) => this.#unsubscribe(it));
    this.#subscriptions.set(channel, subscription);
    if (this.#state === "open") this.#ask(subscription);
    this.connect();
    return subscription;
  }

  /**
   * Publishes once, however often the connection breaks until then. To keep an order among several
   * publishes, wait for one before the next.
   * @param {string} channel @param {unknown} data any JSON
   * @param {{event?: string, key?: string}} [options] `key` is what makes it this message and no other
   * @returns {Promise<number>} the id of the event
   */
  async publish(channel, data, { event = "message", key = crypto.randomUUID() } = {}) {
    this.#refuseWhenStopped();
    checkChannel(channel);
    if (!EVENT.test(event) || !KEY.test(key)) {
      throw new RealtimeError("bad_frame", "this is no name of an event, or no key");
    }
    if (JSON.stringify(data) === undefined) throw new TypeError("data must be JSON; undefined and functions are not");
    const ref = this.#newRef();
    const text = JSON.stringify({ type: "publish", channel, event, data, key, ref });
    if (HALF_A_SURROGATE.test(text)) {
      throw new RealtimeError("invalid_data", "text has to be Unicode, without halves of surrogates");
    }
    if (new TextEncoder().encode(text).length > MAX_FRAME_BYTES) {
      throw new RealtimeError("too_large", `a frame has at most ${MAX_FRAME_BYTES} bytes`);
    }
    return new Promise((resolve, reject) => {
      const publish = { text, resolve, reject };
      this.#publishes.set(ref, publish);
      if (this.#state === "open") this.#send(text, ref, publish);
      this.connect();
    });
  }

  /** Milliseconds there and back. Rejects when the connection breaks or is not open. @returns {Promise<number>} */
  async ping() {
    const begin = performance.now();
    await this.#request((ref) => ({ type: "ping", ref }));
    return performance.now() - begin;
  }

  /** Shows the server a new access token on the open connection. @returns {Promise<{expiresAt: string | null}>} */
  async refresh() {
    if (!this.#options.getToken) throw new TypeError("refresh needs getToken");
    const token = await this.#options.getToken({ renew: true });
    const answer = await this.#request((ref) => ({ type: "refresh", token, ref }));
    return { expiresAt: answer.expires_at ?? null };
  }

  /** Ends everything: subscriptions end, and what was not acknowledged is rejected. */
  close() {
    this.#stop(new RealtimeError("ended", "the client was closed"), 1000);
  }

  // --- the connection -------------------------------------------------------------------------------------------

  async #run() {
    while (!this.#stopped) {
      this.#tell("connecting");
      const end = await this.#attempt();
      if (this.#stopped) return;
      this.#forgetConnection(end);
      const wait = this.#waitAfter(end);
      if (this.#stopped) return;
      this.#tell("waiting", { code: end.code, reason: end.reason, wait });
      await this.#sleep(wait);
    }
  }

  /** Connects once, and returns how it ended. */
  async #attempt() {
    const end = { code: 1006, reason: "", useful: false, retryAfter: 0 };
    let url;
    try {
      url = await this.#address();
    } catch (error) {
      if (error instanceof RealtimeError && !error.retryable) this.#stop(error);
      return { ...end, reason: String(error), retryAfter: error instanceof RealtimeError ? error.retryAfter : 0 };
    }
    if (this.#stopped) return end;
    const socket = new this.#options.WebSocket(url);
    this.#socket = socket;
    this.#heardAt = performance.now();
    return new Promise((resolve) => {
      let watch;
      const finish = ({ code, reason }) => {
        clearInterval(watch);
        socket.onopen = socket.onmessage = socket.onclose = null; // an error that nothing hears ends Node.js with ws
        if (socket.readyState <= OPEN) socket.close();
        this.#socket = this.#endAttempt = null;
        resolve({ ...end, code, reason });
      };
      this.#endAttempt = finish;
      watch = setInterval(() => {
        const limit = socket.readyState === CONNECTING ? OPEN_WITHIN : this.#options.silence;
        if (performance.now() - this.#heardAt > limit) finish({ code: 1006, reason: "silence" });
      }, Math.min(5_000, this.#options.silence / 4));
      socket.onopen = () => this.#opened();
      socket.onmessage = (message) => {
        end.useful = this.#read(message.data) || end.useful;
      };
      socket.onerror = () => {};
      socket.onclose = finish;
    });
  }

  async #address() {
    const ticket = this.#options.getTicket
      ? await this.#options.getTicket({ renew: this.#renew })
      : await this.#fetchTicket(this.#renew);
    const url = new URL(`${this.#options.baseUrl}/api/v1/realtime`);
    url.protocol = url.protocol.replace("http", "ws");
    url.searchParams.set("ticket", ticket);
    return url.href;
  }

  async #fetchTicket(renew) {
    const token = await this.#options.getToken({ renew });
    const response = await fetch(`${this.#options.baseUrl}/api/v1/realtime/tickets`, {
      method: "POST",
      headers: { Authorization: `Bearer ${token}`, Accept: "application/json" },
      signal: AbortSignal.timeout(OPEN_WITHIN),
    });
    if (response.ok) return (await response.json()).ticket;
    if (response.status === 401 && !renew) return this.#fetchTicket(true);
    const problem = await response.json().catch(() => ({}));
    throw new RealtimeError(problem.code ?? "unavailable", problem.detail ?? `status ${response.status}`, {
      retryable: [408, 425, 429].includes(response.status) || response.status >= 500,
      retryAfter: 1_000 * (Number(response.headers.get("Retry-After")) || 0),
    });
  }

  #opened() {
    this.#heardAt = performance.now();
    this.#pacing.tokens = PACE.burst;
    this.#pacing.at = performance.now();
    this.#tell("open");
    for (const subscription of this.#subscriptions.values()) this.#ask(subscription);
    for (const [ref, publish] of this.#publishes) this.#send(publish.text, ref, publish);
  }

  #forgetConnection(end) {
    clearTimeout(this.#pacing.timer);
    this.#pacing.timer = null;
    this.#outgoing = [];
    const unanswered = [...this.#unanswered];
    this.#unanswered.clear();
    for (const { reject } of this.#requests.values()) reject?.(new RealtimeError("disconnected"));
    this.#requests.clear();
    for (const subscription of this.#subscriptions.values()) subscription.state = "waiting";
    if (end.code === CLOSE.badFrame || end.code === CLOSE.tooLarge) this.#giveUp(unanswered, end);
  }

  /**
   * One of them was what the server could not read; sent again, it would end the next connection as well. When they
   * are several, they are sent one by one the next time.
   */
  #giveUp(unanswered, end) {
    this.#oneByOne = unanswered.length > 1;
    if (unanswered.length !== 1) return;
    const [[ref, { publish }]] = unanswered;
    const error = new RealtimeError("bad_frame", end.reason || `closed with ${end.code}`);
    this.#publishes.delete(ref);
    publish?.reject(error);
    for (const subscription of [...this.#subscriptions.values()]) {
      if (subscription.ref === ref) this.#end(subscription, error);
    }
  }

  /** How long to wait before the next attempt, in milliseconds. */
  #waitAfter({ code, reason, useful, retryAfter }) {
    const pushedBack = code === CLOSE.tooSlow || code === CLOSE.tooFast;
    if (useful && !pushedBack) this.#failures = 0;
    this.#refusedInARow = code === CLOSE.unauthenticated ? this.#refusedInARow + 1 : 0;
    this.#renew = this.#refusedInARow > 0;
    if (this.#refusedInARow > 1 && !useful) this.#stop(new RealtimeError("unauthenticated", reason || "sign in again"));
    if (code === CLOSE.forbidden) this.#stop(new RealtimeError("forbidden", reason || "this origin may not connect"));
    if (code === CLOSE.restarting) return Math.random() * AFTER_RESTART;
    if (pushedBack) this.#failures = Math.max(this.#failures, SLOW_DOWN_STEPS);
    const window = Math.min(BACKOFF.longest, BACKOFF.first * 2 ** this.#failures++);
    const least = Math.max(retryAfter, pushedBack ? window / 2 : 0);
    return least + Math.random() * (pushedBack ? window / 2 : window);
  }

  #stop(error, code) {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#failed = error;
    this.#socket?.close(code);
    this.#endAttempt?.({ code: code ?? 1006, reason: error.message });
    this.#forgetConnection({ code: 1006 });
    for (const { reject } of this.#publishes.values()) reject(error);
    this.#publishes.clear();
    for (const subscription of [...this.#subscriptions.values()]) this.#end(subscription, error);
    this.#wake?.();
    this.#tell("closed", { error });
  }

  #refuseWhenStopped() {
    if (this.#stopped) throw this.#failed;
  }

  #sleep(milliseconds) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#wake = () => {
        clearTimeout(timer);
        resolve(null);
      };
    });
  }

  #tell(state, info = {}) {
    this.#state = state;
    this.#call(this.#options.onState, state, info);
  }

  // --- what goes out --------------------------------------------------------------------------------------------

  #newRef() {
    this.#lastRef += 1;
    return String(this.#lastRef);
  }

  #send(text, ref, publish) {
    this.#outgoing.push({ text, ref, publish });
    this.#pump();
  }

  /** Sends as fast as the pace allows, in order. */
  #pump() {
    const pacing = this.#pacing;
    if (pacing.timer !== null) return;
    const now = performance.now();
    pacing.tokens = Math.min(PACE.burst, pacing.tokens + ((now - pacing.at) / 1_000) * PACE.perSecond);
    pacing.at = now;
    while (this.#mayAsk() && pacing.tokens >= 1) {
      pacing.tokens -= 1;
      const frame = this.#outgoing.shift();
      this.#unanswered.set(frame.ref, frame);
      this.#sendNow(frame.text);
    }
    if (!this.#mayAsk()) return;
    pacing.timer = setTimeout(() => {
      pacing.timer = null;
      this.#pump();
    }, Math.ceil(((1 - pacing.tokens) / PACE.perSecond) * 1_000));
  }

  #mayAsk() {
    return this.#outgoing.length > 0 && this.#unanswered.size < (this.#oneByOne ? 1 : PACE.unanswered);
  }

  #sendNow(text) {
    if (this.#socket?.readyState === OPEN) this.#socket.send(text);
  }

  #request(frame) {
    if (this.#state !== "open") return Promise.reject(new RealtimeError("disconnected", "the connection is not open"));
    const ref = this.#newRef();
    return new Promise((resolve, reject) => {
      this.#requests.set(ref, { resolve, reject });
      this.#send(JSON.stringify(frame(ref)), ref);
    });
  }

  // --- channels -------------------------------------------------------------------------------------------------

  #ask(subscription) {
    const { channel, lastId: since } = subscription;
    const ref = (subscription.ref = this.#newRef());
    subscription.state = "waiting";
    this.#requests.set(ref, { subscription });
    this.#send(JSON.stringify({ type: "subscribe", channel, ref, ...(since === null ? {} : { since }) }), ref);
  }

  #leave({ channel }) {
    const ref = this.#newRef();
    this.#send(JSON.stringify({ type: "unsubscribe", channel, ref }), ref);
  }

  #askAgain(subscription) {
    this.#leave(subscription);
    this.#ask(subscription);
  }

  #unsubscribe(subscription) {
    if (subscription.state === "ended") return;
    this.#forget(subscription, new RealtimeError("ended", "unsubscribed"));
    if (this.#state !== "open") return;
    this.#leave(subscription);
  }

  #forget(subscription, error) {
    subscription.state = "ended";
    this.#subscriptions.delete(subscription.channel);
    subscription._reject(error);
  }

  #end(subscription, error) {
    this.#forget(subscription, error);
    this.#call(subscription.handlers.onEnd, error);
  }

  // --- what comes in --------------------------------------------------------------------------------------------

  /** What cannot be read is skipped: after a reconnect it would only come again. */
  #read(text) {
    this.#heardAt = performance.now();
    try {
      const frame = JSON.parse(text);
      if (frame.ref && this.#unanswered.delete(frame.ref)) {
        this.#oneByOne &&= this.#outgoing.length > 0;
        this.#pump();
      }
      return this.#heard(frame);
    } catch (error) {
      const [, channel, id] = EVENT_HEAD.exec(text) ?? [];
      const subscription = this.#subscriptions.get(channel);
      if (subscription?.state === "live" && Number(id) === subscription.lastId + 1) subscription.lastId = Number(id);
      this.#call(this.#options.onError, error);
      return false;
    }
  }

  /** Handles a frame; returns whether it shows that the connection is good for something. */
  #heard(frame) {
    switch (frame.type) {
      case "ping":
        this.#sendNow('{"type":"pong"}');
        return false;
      case "event":
        return this.#onEvent(frame);
      case "presence":
        return this.#onPresence(frame);
      case "subscribed":
        return this.#onSubscribed(frame);
      case "unsubscribed":
        return this.#onUnsubscribed(frame);
      case "ack":
        return this.#settle(this.#publishes, frame.ref, (publish) => publish.resolve(frame.id));
      case "pong":
      case "refreshed":
        return this.#settle(this.#requests, frame.ref, (request) => request.resolve(frame));
      case "error":
        return this.#onError(frame);
      default:
        return false; // of a newer server
    }
  }

  #settle(waiting, ref, how) {
    const found = waiting.get(ref);
    if (found === undefined) return false;
    waiting.delete(ref);
    how(found);
    return true;
  }

  #onEvent({ type: _type, ...event }) {
    const subscription = this.#subscriptions.get(event.channel);
    if (subscription?.state !== "live" || event.id <= subscription.lastId) return true;
    if (event.id > subscription.lastId + 1) {
      this.#askAgain(subscription);
      return true;
    }
    subscription.lastId = event.id;
    this.#call(subscription.handlers.onEvent, event);
    return true;
  }

  #onPresence({ channel, join, leave }) {
    const subscription = this.#subscriptions.get(channel);
    if (subscription?.state !== "live") return true;
    for (const member of join) subscription.members.set(member.id, member);
    for (const member of leave) subscription.members.delete(member.id);
    this.#tellPresence(subscription, join, leave);
    return true;
  }

  #onSubscribed(frame) {
    const subscription = this.#subscriptions.get(frame.channel);
    this.#requests.delete(frame.ref);
    if (subscription === undefined || subscription.ref !== frame.ref) return true;
    const resumed = subscription.lastId !== null;
    subscription.state = "live";
    if (!resumed || !frame.recovered) subscription.lastId = frame.last_id;
    this.#replaceMembers(subscription, frame.presence);
    if (resumed && !frame.recovered) {
      this.#call(subscription.handlers.onLost, { missed: frame.missed, lastId: frame.last_id });
    } else if (resumed && (subscription.wasLive || frame.missed > 0)) {
      this.#call(subscription.handlers.onRecovered, { missed: frame.missed });
    }
    subscription.wasLive = true;
    subscription._resolve(subscription);
    return true;
  }

  #replaceMembers(subscription, presence) {
    if (!Array.isArray(presence)) return;
    const before = subscription.members;
    subscription.members = new Map(presence.map((member) => [member.id, member]));
    const join = presence.filter(({ id }) => !before.has(id));
    const leave = [...before.values()].filter(({ id }) => !subscription.members.has(id));
    if (join.length + leave.length > 0) this.#tellPresence(subscription, join, leave);
  }

  #tellPresence(subscription, join, leave) {
    this.#call(subscription.handlers.onPresence, { members: [...subscription.members.values()], join, leave });
  }

  /** Without a reference it is the server's own doing: rights have changed, or it wants to be asked again. */
  #onUnsubscribed({ channel, ref, reason }) {
    const subscription = this.#subscriptions.get(channel);
    if (ref || subscription?.state !== "live") return true;
    if (reason === "reset") this.#ask(subscription);
    else this.#end(subscription, new RealtimeError(reason ?? "ended"));
    return true;
  }

  #onError({ code, detail, retryable, ref }) {
    const error = new RealtimeError(code, detail, { retryable });
    const request = this.#requests.get(ref);
    const publish = this.#publishes.get(ref);
    if (request) {
      this.#requests.delete(ref);
      if (request.subscription) this.#refused(request.subscription, ref, error);
      else request.reject(error);
    } else if (publish && retryable) {
      this.#later(() => this.#publishes.has(ref) && this.#send(publish.text, ref, publish));
    } else if (publish) {
      this.#publishes.delete(ref);
      publish.reject(error);
    } else {
      this.#call(this.#options.onError, error);
    }
    return true;
  }

  #refused(subscription, ref, error) {
    if (subscription.state === "ended" || subscription.ref !== ref) return;
    if (!error.retryable) this.#end(subscription, error);
    else this.#later(() => subscription.state === "waiting" && subscription.ref === ref && this.#ask(subscription));
  }

  /** Once more in a moment, if it is still this connection. */
  #later(action) {
    const socket = this.#socket;
    setTimeout(() => socket !== null && this.#socket === socket && action(), BACKOFF.first * (1 + Math.random()));
  }

  #call(handler, ...values) {
    try {
      handler?.(...values);
    } catch (error) {
      if (this.#options.onError && handler !== this.#options.onError) this.#call(this.#options.onError, error);
      else console.error(error);
    }
  }
}

function checkChannel(name) {
  if (!CHANNEL.test(name)) throw new RealtimeError("invalid_channel", "this is no name of a channel");
}
