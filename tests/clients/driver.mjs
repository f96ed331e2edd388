// Does what lines of JSON on standard input say, with the reference client, and tells on standard output what happens.

import { createInterface } from "node:readline";

import { Realtime } from "../../clients/typescript/src/lodestar-realtime.js";

const { url, tokens, silence } = JSON.parse(process.argv[2]);
const say = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);
const names = (members) => members.map(({ name }) => name).sort();
const subscriptions = new Map();

const realtime = new Realtime({
  baseUrl: url,
  silence,
  getToken: async ({ renew }) => {
    if (renew && tokens.length > 1) tokens.shift();
    return tokens[0];
  },
});
realtime.connect();

const actions = {
  async subscribe({ channel, since }) {
    const tell = (kind, info) => say({ channel, kind, ...info });
    const subscription = realtime.subscribe(channel, {
      since: since ?? undefined,
      onEvent: ({ id, data }) => tell("event", { id, data }),
      onPresence: ({ members, join, leave }) =>
        tell("presence", { members: names(members), join: names(join), leave: names(leave) }),
      onRecovered: ({ missed }) => tell("recovered", { missed }),
      onLost: ({ missed, lastId }) => tell("lost", { missed, last_id: lastId }),
      onEnd: ({ code }) => subscription.wasLive && code !== "ended" && tell("end", { code }),
    });
    subscriptions.set(channel, subscription);
    await subscription.ready;
  },
  async unsubscribe({ channel }) {
    subscriptions.get(channel).unsubscribe();
  },
  publish: ({ channel, data, key }) => realtime.publish(channel, data, { key: key ?? undefined }),
  async ping() {
    await realtime.ping();
  },
  live: async ({ channel }) => subscriptions.get(channel)?.state === "live",
  refresh: async () => (await realtime.refresh()).expiresAt,
  async close() {
    realtime.close();
  },
};

const lines = createInterface({ input: process.stdin });
lines.on("line", async (line) => {
  const { number, what, ...details } = JSON.parse(line);
  try {
    say({ number, answer: (await actions[what](details)) ?? null });
  } catch (error) {
    say({ number, refused: error.code ?? String(error) });
  }
  if (what === "close") lines.close();
});
