/** Against a running service: `just clients` starts one and gives its address. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { LodestarClient, ProblemError, type Tokens, unwrap } from "../src/index.ts";

const baseUrl = process.argv[2] ?? "";
const ADA = { email: "ada@example.com", password: "correct horse battery staple" };
const kept: (Tokens | null)[] = [];
const sent: Request[] = [];
/** How the next requests end instead of with their answers. */
const endings: ((answer: Response) => Response)[] = [];
const client = new LodestarClient({
  baseUrl,
  onTokens: (tokens) => kept.push(tokens),
  fetch: async (request) => {
    sent.push(request);
    const answer = await fetch(request);
    return endings.shift()?.(answer) ?? answer;
  },
});

test("signs in, and says what is wrong with a password", async () => {
  await unwrap(client.api.POST("/api/v1/auth/register", { body: { ...ADA, name: "Ada" } }));
  await assert.rejects(client.signIn(ADA.email, "wrong"), { name: "ProblemError", code: "invalid_credentials" });
  await client.signIn(ADA.email, ADA.password);
  assert.equal(kept.length, 1);
});

test("many requests with a token that is refused renew it once", async () => {
  client.tokens = { ...client.tokens!, access_token: `${client.tokens!.access_token.slice(0, -4)}AAAA` };
  const before = kept.length;
  const answers = await Promise.all(Array.from({ length: 8 }, () => unwrap(client.api.GET("/api/v1/users/me"))));
  assert.deepEqual(new Set(answers.map(({ email }) => email)), new Set([ADA.email]));
  assert.equal(kept.length, before + 1);
});

test("lists with filters", async () => {
  for (const [name, visibility] of [["tea", "public"], ["secret-tea", "private"]] as const) {
    await unwrap(client.api.POST("/api/v1/rooms", { body: { name, visibility } }));
  }
  const query = { mine: true, visibility: ["private" as const], sort: "name", page_size: 5 };
  const page = await unwrap(client.api.GET("/api/v1/rooms", { params: { query } }));
  assert.deepEqual([page.total, page.items.map(({ name }) => name)], [1, ["secret-tea"]]);
});

test("creates once what it sends twice", async () => {
  endings.push(
    () => { throw new TypeError("the connection broke"); },
    () => new Response(null, { status: 503, headers: { "Retry-After": "1" } }),
  );
  const from = sent.length;
  const room = await unwrap(client.api.POST("/api/v1/rooms", { body: { name: "once", visibility: "private" } }));
  const keys = sent.slice(from).map((request) => request.headers.get("Idempotency-Key"));
  assert.deepEqual([keys.length, new Set(keys).size], [3, 1]);
  const page = await unwrap(client.api.GET("/api/v1/rooms", { params: { query: { name: "once", mine: true } } }));
  assert.deepEqual(page.items.map(({ id }) => id), [room.id]);
});

test("does not repeat what is not safe", async () => {
  endings.push(() => { throw new TypeError("the connection broke"); });
  const from = sent.length;
  await assert.rejects(client.api.PATCH("/api/v1/users/me", { body: { name: "Ada L." } }), TypeError);
  assert.equal(sent.length, from + 1);
});

test("gives the token to no other host", async () => {
  await client.api.GET("/health/live", { baseUrl: baseUrl.replace("127.0.0.1", "localhost") }).catch(() => null);
  assert.equal(sent.at(-1)!.headers.get("Authorization"), null);
});

test("a refusal names the members", async () => {
  const error = await unwrap(client.api.POST("/api/v1/rooms", { body: { name: "No Room" } })).catch((it: unknown) => it);
  assert(error instanceof ProblemError);
  assert.deepEqual([error.status, error.code], [422, "validation_failed"]);
  assert.deepEqual(error.errors.map(({ pointer, code }) => [pointer, code]), [["/name", "invalid_format"]]);
});

test("keeps values and members that only a newer service has", async () => {
  const [room] = (await unwrap(client.api.GET("/api/v1/rooms", { params: { query: { name: "tea" } } }))).items;
  endings.push(
    () => Response.json({ ...room, visibility: "by_invitation", color: "red" }),
    () => Response.json({ code: "no_tea", detail: "None is left." }, { status: 409 }),
  );
  const newer = await unwrap(client.api.GET("/api/v1/rooms/{room_id}", { params: { path: { room_id: room!.id } } }));
  assert.equal(newer.visibility as string, "by_invitation");
  await assert.rejects(unwrap(client.api.POST("/api/v1/rooms", { body: { name: "tea-for-two" } })), { code: "no_tea" });
});

test("a socket hears a message", async () => {
  const [room] = (await unwrap(client.api.GET("/api/v1/rooms", { params: { query: { name: "tea" } } }))).items;
  const realtime = client.realtime();
  const heard = new Promise<unknown>((resolve) => {
    realtime.subscribe(`room:${room!.id}`, { onEvent: ({ data }) => resolve(data) }).ready.then(() =>
      unwrap(client.api.POST("/api/v1/rooms/{room_id}/messages", {
        params: { path: { room_id: room!.id } }, body: { data: { text: "Ahoy" } },
      })),
    );
  });
  assert.deepEqual(await heard, { text: "Ahoy" });
  realtime.close();
});

test("a session that has ended is forgotten", async () => {
  const stale = client.tokens!;
  await client.signOut();
  client.tokens = stale;
  await assert.rejects(unwrap(client.api.GET("/api/v1/users/me")), { code: "invalid_token" });
  assert.equal(client.tokens, null);
});
