// Calls of the REST API.

/** What the server refused, or that it can't be reached: `detail` says what, `remedy` what to do. */
export class Problem extends Error {
  constructor(status, detail, remedy) {
    super(detail);
    this.status = status;
    this.detail = detail;
    this.remedy = remedy;
  }

  /** Whether the server did not answer at all. */
  get isUnreachable() {
    return this.status === 0;
  }

  /** Whether this server has no such endpoint, or no such thing. */
  get isMissing() {
    return this.status === 404 || this.status === 405;
  }
}

/** How long a call may take. A plan asks two databases, and so may take a while. */
const PATIENCE_MS = 60_000;
/** A clock that is off by less is not corrected: the header has whole seconds. */
const CLOCK_TOLERANCE_MS = 2_000;

const listeners = { unauthorized: () => {}, reachable: () => {}, renewed: async () => false };
let csrfToken = null;
let clockOffsetMs = 0;

/**
 * Sets what is called when a token is needed (`unauthorized`), when the server is lost or found again
 * (`reachable`), and when the CSRF token may be an old one (`renewed`: whether there is another now).
 */
export function listen(callbacks) {
  Object.assign(listeners, callbacks);
}

/** Sets the token that goes with every change, or null. */
export function useCsrfToken(token) {
  csrfToken = token;
}

/** The server's time. Browsers' clocks may be wrong by hours. */
export function now() {
  return Date.now() + clockOffsetMs;
}

/** The address of a path of the API, also where a proxy serves the page under a prefix. */
export function address(path, query = {}) {
  const url = new URL(`api/v1/${path}`, document.baseURI);
  url.hash = '';
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== '') url.searchParams.set(name, value);
  }
  return url.href;
}

/** A name for one submission, so that repeating it does not submit twice. */
export function idempotencyKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `page-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

/** Calls the API; the answer's JSON, or null if it has none. Throws a Problem. */
export async function call(method, path, options = {}) {
  const { query, body, headers = {}, signal, isSignIn = false, isRepeated = false } = options;
  const init = { method, headers: { accept: 'application/json', ...headers } };
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers['content-type'] = 'application/json';
  }
  if (method !== 'GET' && csrfToken) init.headers['x-csrf-token'] = csrfToken;
  const timeout = AbortSignal.timeout(PATIENCE_MS);
  init.signal = signal ? AbortSignal.any([signal, timeout]) : timeout;
  const response = await send(address(path, query), init, signal);
  if (response.ok) return readJson(response);
  // Whoever signs in anew in another tab has another session here, too.
  if (
    response.status === 403 &&
    init.headers['x-csrf-token'] &&
    !isRepeated &&
    (await listeners.renewed())
  ) {
    return call(method, path, { ...options, isRepeated: true });
  }
  const problem = await readProblem(response);
  if (response.status === 401 && !isSignIn) listeners.unauthorized();
  throw problem;
}

async function send(url, init, signal) {
  let response;
  try {
    response = await fetch(url, init);
  } catch (error) {
    // The caller does not want it any more.
    if (signal?.aborted) throw error;
    listeners.reachable(false);
    throw new Problem(0, 'unreachable');
  }
  listeners.reachable(true);
  const date = Date.parse(response.headers.get('date') ?? '');
  if (!Number.isNaN(date)) {
    const offset = date - Date.now();
    clockOffsetMs = Math.abs(offset) > CLOCK_TOLERANCE_MS ? offset : 0;
  }
  return response;
}

async function readJson(response) {
  const text = await readText(response);
  if (text === '') return null;
  try {
    return JSON.parse(text);
  } catch {
    throw new Problem(response.status, `${response.url} did not answer with JSON`);
  }
}

async function readProblem(response) {
  const text = await readText(response);
  try {
    const { detail, title, remedy } = JSON.parse(text);
    return new Problem(response.status, detail ?? title ?? response.statusText, remedy);
  } catch {
    // A proxy's own page, say: its status is all that is of use.
    return new Problem(response.status, `HTTP ${response.status} ${response.statusText}`.trim());
  }
}

async function readText(response) {
  try {
    return await response.text();
  } catch {
    listeners.reachable(false);
    throw new Problem(0, 'unreachable');
  }
}

export const get = (path, query, signal) => call('GET', path, { query, signal });
export const post = (path, body, headers) => call('POST', path, { body, headers });
export const put = (path, body) => call('PUT', path, { body });
export const del = (path) => call('DELETE', path);
