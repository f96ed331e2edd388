/** The Lodestar API with types, a sign-in that renews itself, and retries that do nothing twice. */

import createClient, { type Client, type Middleware } from "openapi-fetch";

import { IDEMPOTENT } from "./generated/idempotent.ts";
import type { components, paths } from "./generated/schema.ts";
import { Realtime, RealtimeError } from "./lodestar-realtime.js";

export * from "./lodestar-realtime.js";
export type { paths } from "./generated/schema.ts";
export type Schemas = components["schemas"];

const LOGIN = "/api/v1/auth/login";
const REFRESH = "/api/v1/auth/refresh";
const WITHOUT_TOKEN = /\/api\/v1\/auth\/(?:login|refresh)/;
const BACKOFF = { first: 500, longest: 20_000 };
const FORM = { "Content-Type": "application/x-www-form-urlencoded" };

/** What the service refused. `errors` says what is wrong with which member (`pointer`), parameter or header. */
export class ProblemError extends Error {
  readonly status: number;
  readonly code: Schemas["ErrorCode"] | "unknown";
  readonly errors: readonly Schemas["FieldError"][];
  /** The whole answer; undefined where it came from a proxy and not from the service. */
  readonly problem: Schemas["Problem"] | undefined;

  constructor(status: number, body: unknown) {
    const problem = typeof body === "object" && body !== null && "code" in body ? (body as Schemas["Problem"]) : undefined;
    super(problem?.detail ?? `status ${status}`);
    this.name = "ProblemError";
    this.status = status;
    this.code = problem?.code ?? "unknown";
    this.errors = problem?.errors ?? [];
    this.problem = problem;
  }
}

/** The body of a success; throws a `ProblemError` for anything else: `await unwrap(client.api.GET(…))`. */
export async function unwrap<T>(answer: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  const { data, error, response } = await answer;
  if (!response.ok) throw new ProblemError(response.status, error);
  return data as T;
}

export interface LodestarOptions {
  baseUrl: string;
  /** Of an earlier sign-in, or `{ access_token: "ldk_…" }` for an API key. */
  tokens?: Tokens;
  /** Called with each new pair, to keep it, and with null when the session has ended. */
  onTokens?: (tokens: Tokens | null) => void;
  fetch?: (request: Request) => Promise<Response>;
  /** How often a request that may be repeated is sent at most; 5. */
  attempts?: number;
}

export type Tokens = { access_token: string; refresh_token?: string };

export class LodestarClient {
  /** All operations, by path: `client.api.GET("/api/v1/rooms", { params: { query: { q: "tea" } } })`. */
  readonly api: Client<paths>;
  readonly #options: Required<Pick<LodestarOptions, "baseUrl" | "fetch" | "attempts">> & LodestarOptions;
  #tokens: Tokens | null;
  #renewal: Promise<void> | null = null;

  constructor(options: LodestarOptions) {
    this.#options = { fetch: (request) => fetch(request), attempts: 5, ...options };
    this.#tokens = options.tokens ?? null;
    this.api = createClient<paths>({ baseUrl: options.baseUrl, fetch: (request) => this.#send(request) });
    this.api.use(withIdempotencyKey);
  }

  get tokens(): Tokens | null {
    return this.#tokens;
  }

  /** What a sign-in of another kind (second factor, passkey) gave, or null to forget it. */
  set tokens(tokens: Tokens | null) {
    this.#tokens = tokens;
    this.#options.onTokens?.(tokens);
  }

  async signIn(username: string, password: string): Promise<void> {
    this.tokens = await unwrap(this.api.POST(LOGIN, { body: { username, password }, headers: FORM }));
  }

  async signOut(): Promise<void> {
    await unwrap(this.api.POST("/api/v1/auth/logout"));
    this.tokens = null;
  }

  /** A socket that takes the tokens of this client. */
  realtime(options: Partial<ConstructorParameters<typeof Realtime>[0]> = {}): Realtime {
    const getToken = async ({ renew }: { renew: boolean }): Promise<string> => {
      if (renew && this.#tokens !== null) await this.#renew(this.#tokens.access_token);
      if (this.#tokens === null) throw new RealtimeError("unauthenticated", "sign in first");
      return this.#tokens.access_token;
    };
    return new Realtime({ baseUrl: this.#options.baseUrl, getToken, ...options });
  }

  /** Sends a request with the token of the moment, again with a new one when that is refused, and again when it is safe. */
  async #send(request: Request, isSafe = ["GET", "HEAD"].includes(request.method)): Promise<Response> {
    isSafe ||= request.headers.has("Idempotency-Key");
    const { origin } = new URL(request.url);
    const isOwn = new URL(this.#options.baseUrl, origin).origin === origin; // no other host gets the token
    const takesToken = isOwn && !WITHOUT_TOKEN.test(request.url);
    let renewed = false;
    for (let attempt = 1; ; attempt++) {
      const token = takesToken ? this.#tokens?.access_token : undefined;
      const copy = request.clone();
      if (token !== undefined) copy.headers.set("Authorization", `Bearer ${token}`);
      const answer = await this.#options.fetch(copy).catch((error: unknown) => ({ error }));
      if (!renewed && token !== undefined && "status" in answer && isRefused(answer)) {
        renewed = true;
        if (await this.#renew(token)) continue;
      }
      const wait = isSafe && attempt < this.#options.attempts && !request.signal.aborted ? waitAfter(answer, attempt) : null;
      if (wait !== null) await new Promise((resolve) => setTimeout(resolve, wait));
      else if ("status" in answer) return answer;
      else throw answer.error;
    }
  }

  /** Replaces the tokens once, however many requests were refused; returns whether there are others than the stale one. */
  async #renew(stale: string): Promise<boolean> {
    if (this.#tokens?.access_token === stale && this.#tokens.refresh_token !== undefined) {
      this.#renewal ??= this.#refresh(this.#tokens.refresh_token).finally(() => (this.#renewal = null));
      await this.#renewal;
    }
    return this.#tokens !== null && this.#tokens.access_token !== stale;
  }

  async #refresh(refresh_token: string): Promise<void> {
    // The service gives the same pair again to a repeated refresh, so this is safe.
    const fetch = (request: Request): Promise<Response> => this.#send(request, true);
    const answer = this.api.POST(REFRESH, { body: { refresh_token }, headers: FORM, fetch });
    this.tokens = await unwrap(answer).catch((error: unknown) => {
      if (error instanceof ProblemError && [400, 401].includes(error.status)) return null;
      throw error;
    });
  }
}

const withIdempotencyKey: Middleware = {
  onRequest({ request, schemaPath }) {
    if (request.method === "POST" && IDEMPOTENT.has(schemaPath) && !request.headers.has("Idempotency-Key")) {
      request.headers.set("Idempotency-Key", crypto.randomUUID());
    }
  },
};

function isRefused(answer: Response): boolean {
  return answer.status === 401 && (answer.headers.get("WWW-Authenticate") ?? "").includes('error="invalid_token"');
}

/** Milliseconds until a request may be sent again, with full jitter; null when it is answered. */
function waitAfter(answer: Response | { error: unknown }, attempt: number): number | null {
  if ("status" in answer && answer.status !== 429 && answer.status !== 503) return null;
  const asked = "status" in answer ? 1_000 * (Number(answer.headers.get("Retry-After")) || 0) : 0;
  if (asked > 60_000) return null;
  return asked + Math.random() * Math.min(BACKOFF.longest, BACKOFF.first * 2 ** attempt);
}
