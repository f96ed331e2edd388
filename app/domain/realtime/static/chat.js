// A small chat on the service's own API and its realtime client. Tokens live in this page's memory only.

import { Realtime, RealtimeError } from "./lodestar-realtime.js";

const BASE_URL = new URL("..", import.meta.url).href.slice(0, -1); // this file is below it in /demo
const API = `${BASE_URL}/api/v1`;
const HISTORY = 100;
const at = (id) => document.getElementById(id);

const session = { access: null, refresh: null };
const names = new Map();
const shown = new Map();
let realtime = null;
let room = null;

// --- the API -----------------------------------------------------------------------------------------------------

async function call(method, path, body, { mayRenew = true } = {}) {
  const headers = { Accept: "application/json" };
  if (session.access) headers.Authorization = `Bearer ${session.access}`;
  if (body) headers["Content-Type"] = "application/json";
  const response = await fetch(API + path, { method, headers, body: body && JSON.stringify(body) });
  if (response.status === 401 && session.refresh && mayRenew) {
    await renew();
    return call(method, path, body, { mayRenew: false });
  }
  const answer = response.status === 204 ? null : await response.json();
  if (response.ok) return answer;
  const fields = (answer.errors ?? []).map((error) => `${error.pointer ?? ""} ${error.detail}`);
  const retryable = response.status === 429 || response.status >= 500;
  throw new RealtimeError(answer.code, [answer.detail ?? answer.title, ...fields].join(" "), { retryable });
}

async function renew() {
  const refresh_token = session.refresh;
  session.access = null;
  keep(await call("POST", "/auth/refresh", { refresh_token }, { mayRenew: false }));
}

function keep({ access_token, refresh_token }) {
  session.access = access_token;
  session.refresh = refresh_token;
}

async function getToken({ renew: isStale }) {
  if (isStale) await renew();
  return session.access;
}

// --- signing in --------------------------------------------------------------------------------------------------

async function signIn(form, isNew) {
  const { email, password, name } = Object.fromEntries(new FormData(form));
  if (isNew) await call("POST", "/auth/register", { email, password, ...(name && { name }) });
  keep(await call("POST", "/auth/login", { username: email, password }));
  form.reset();
  form.hidden = true;
  at("rooms").hidden = false;
  realtime = new Realtime({ baseUrl: BASE_URL, getToken, onState: showState, onError: complain }).connect();
  await listRooms();
}

function showState(state, info) {
  const connection = at("connection");
  const texts = { connecting: "connecting…", open: "connected", closed: "signed out" };
  connection.dataset.state = state;
  connection.textContent = texts[state] ?? `connecting again in ${Math.ceil(info.wait / 1000)} s`;
}

// --- rooms -------------------------------------------------------------------------------------------------------

async function listRooms() {
  const { items } = await call("GET", "/rooms?closed=false&page_size=100&sort=name");
  at("room-list").replaceChildren(
    ...items.map(({ id, name }) => {
      const row = document.createElement("li");
      const button = Object.assign(document.createElement("button"), { type: "button", textContent: name });
      button.addEventListener("click", () => attempt(() => enter(id)));
      if (room?.id === id) button.setAttribute("aria-current", "true");
      row.append(button);
      return row;
    }),
  );
}

async function makeRoom(form) {
  const { name, private: isPrivate } = Object.fromEntries(new FormData(form));
  const { id } = await call("POST", "/rooms", { name, visibility: isPrivate ? "private" : "public" });
  form.reset();
  await enter(id);
}

async function enter(id) {
  const { name } = await call("POST", `/rooms/${id}/join`);
  room?.subscription?.unsubscribe();
  room = { id, channel: `room:${id}`, subscription: null };
  at("room").hidden = false;
  at("room-name").textContent = name;
  at("present").textContent = "";
  at("say").elements.text.disabled = false;
  await listRooms();
  await listen(room);
  at("say").elements.text.focus();
}

/** Shows the history and goes on after its last event, so that nothing is missed in between. */
async function listen(entered) {
  const { items } = await call("GET", `/rooms/${entered.id}/messages?page_size=${HISTORY}`);
  if (room !== entered) return;
  const since = showHistory(items);
  entered.subscription = realtime.subscribe(entered.channel, {
    since,
    onEvent: (event) => showEvent(event, names.get(event.sender_id)),
    onPresence: showPresent,
    onRecovered: ({ missed }) => missed > 0 && note(`${missed} missed`),
    onLost: () => attempt(() => listenAgain(entered)),
    onEnd: (error) => note(error.code === "ended" ? "the connection has ended" : `you are out: ${error.message}`),
  });
  await entered.subscription.ready;
}

/** Too much was missed: from the history on once more. */
async function listenAgain(entered) {
  entered.subscription.unsubscribe();
  await listen(entered);
}

/** Newest first, as they come; the id of the newest. */
function showHistory(items) {
  at("messages").replaceChildren();
  shown.clear();
  for (const { sender, ...event } of items.reverse()) {
    if (sender) names.set(sender.id, nameOf(sender));
    showEvent(event, sender?.name);
  }
  return items.at(-1)?.id ?? 0;
}

// --- what is said ------------------------------------------------------------------------------------------------

function showEvent({ id, event, data }, sender) {
  const said = shown.get(data?.message_id);
  if (event === "message" && typeof data?.text === "string") {
    const row = show(`${sender || "someone"}: ${data.text}`, "message");
    row.dataset.sender = sender || "someone";
    shown.set(id, row);
  } else if (event === "room.message_updated" && said) {
    said.textContent = `${said.dataset.sender}: ${data.data?.text ?? ""} (edited)`;
  } else if (event === "room.message_deleted") said?.remove();
  else if (event === "room.closed" || event === "room.reopened") setClosed(event === "room.closed");
}

function setClosed(isClosed) {
  at("say").elements.text.disabled = isClosed;
  note(isClosed ? "the room is closed" : "the room is open again");
}

function nameOf({ name, username }) {
  return name || username || "someone";
}

function showPresent({ members }) {
  for (const person of members) names.set(person.id, nameOf(person));
  at("present").textContent = `Here: ${members.map(nameOf).sort().join(", ")}`;
}

async function say(form) {
  const text = form.elements.text.value;
  form.reset();
  const row = show(`${text} …`, "unsent");
  try {
    await realtime.publish(room.channel, { text });
  } finally {
    row.remove();
  }
}

function note(text) {
  show(text, "note");
}

function show(text, kind) {
  const list = at("messages");
  const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  const row = Object.assign(document.createElement("li"), { textContent: text, className: kind });
  list.append(row);
  if (isAtEnd) row.scrollIntoView({ block: "end" });
  return row;
}

// --- the page ----------------------------------------------------------------------------------------------------

function complain(error) {
  at("problem").textContent = error.message;
  at("problem").hidden = false;
}

async function attempt(action) {
  at("problem").hidden = true;
  try {
    await action();
  } catch (error) {
    complain(error);
  }
}

function onSubmit(id, action) {
  at(id).addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(() => action(event.target, event.submitter));
  });
}

onSubmit("sign-in", (form, button) => signIn(form, button?.name === "register"));
onSubmit("new-room", makeRoom);
onSubmit("say", say);
