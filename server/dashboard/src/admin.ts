// Asks the admin API, with the token if it wants one.
//
// The token is kept in sessionStorage: it ends with the tab, and survives a reload. It goes to the admin API only;
// tokens for the hub travel in a header of their own.

import type { Problem } from './api';

const TOKEN_KEY = 'corecast.admin.token';

/** An answer that is no success, or no answer. */
export class Failure extends Error {
  constructor(
    message: string,
    /** 0 when nobody answered. */
    readonly status: number,
    readonly problem: Problem = {},
  ) {
    super(message);
  }
}

export class Admin {
  /** The API wants a token, or another one. */
  isLocked = false;
  #token = sessionStorage.getItem(TOKEN_KEY) ?? '';
  #waiting: (() => void)[] = [];

  constructor(private readonly onChange: () => void) {}

  get hasToken(): boolean {
    return this.#token !== '';
  }

  /** Takes a token as right until the API says otherwise; an empty one forgets it. */
  unlock(token: string): void {
    this.#token = token;
    if (token === '') sessionStorage.removeItem(TOKEN_KEY);
    else sessionStorage.setItem(TOKEN_KEY, token);
    this.isLocked = false;
    this.#waiting.splice(0).forEach((goOn) => goOn());
    this.onChange();
  }

  /** At once, or when somebody has entered a token. */
  untilUnlocked(): Promise<void> {
    return this.isLocked ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve();
  }

  /** The answer, if it is a success. Throws `Failure`, or what `signal` was aborted with. */
  async open(path: string, init: RequestInit = {}): Promise<Response> {
    const used = this.#token;
    const headers = new Headers(init.headers);
    if (used !== '') headers.set('Authorization', `Bearer ${used}`);
    const response = await fetch(path, { ...init, headers, cache: 'no-store' }).catch((error: unknown) => {
      init.signal?.throwIfAborted();
      throw new Failure(`the hub does not answer: ${String(error)}`, 0);
    });
    if (response.ok) return response;
    const failure = await failureOf(response);
    // The hub's own 401, passed on to the debugger, is not ours; nor is an answer to a token that was replaced since.
    if (
      response.status === 401 &&
      response.headers.get('WWW-Authenticate')?.includes('corecast admin') &&
      used === this.#token
    ) {
      this.isLocked = true;
      this.onChange();
    }
    throw failure;
  }

  /** Reads JSON. */
  async ask<T>(path: string, signal?: AbortSignal): Promise<T> {
    return (await this.open(path, signal === undefined ? {} : { signal })).json() as Promise<T>;
  }

  /** Changes something. The content type is what keeps other sites' forms from doing the same. */
  async tell<T>(method: 'POST' | 'PUT' | 'DELETE', path: string, body: unknown = {}): Promise<T> {
    const headers = { 'Content-Type': 'application/json' };
    return (await this.open(path, { method, headers, body: JSON.stringify(body) })).json() as Promise<T>;
  }
}

/** What went wrong, in the words of the admin API (`detail`) or of the hub (`message`). */
async function failureOf(response: Response): Promise<Failure> {
  const problem = (await response.json().catch(() => ({}))) as Problem & { message?: string };
  const said = problem.detail ?? problem.message ?? problem.title ?? response.statusText;
  return new Failure(said === '' ? `status ${response.status}` : said, response.status, problem);
}

/** A query string of what is set. */
export function query(values: Record<string, string | number | boolean | null | undefined>): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value !== '' && value !== null && value !== undefined && value !== false) search.set(name, String(value));
  }
  return search.size === 0 ? '' : `?${search}`;
}
