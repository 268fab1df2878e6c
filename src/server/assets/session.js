// Who is using the page, and what they may do.

import { call, useCsrfToken } from './api.js';

const ROLES = ['read', 'submit', 'admin'];
/** A server without the endpoint has no tokens that this page could sign in with. */
const UNGUARDED = { role: 'admin', by: 'local', csrf: null };

let session = null;

/** The session, or null when nobody is signed in. */
export function current() {
  return session;
}

/** Whether the role allows what takes `needed`. */
export function may(needed) {
  return session !== null && ROLES.indexOf(session.role) >= ROLES.indexOf(needed);
}

function take(found) {
  session = found;
  useCsrfToken(found?.csrf ?? null);
}

/** Asks the server who this is. Throws a Problem, but for 401: then it is nobody. */
export async function load() {
  try {
    take(await call('GET', 'session', { isSignIn: true }));
  } catch (problem) {
    if (problem.status === 401) take(null);
    else if (problem.isMissing) take(UNGUARDED);
    else throw problem;
  }
}

/** Asks anew who this is; whether changes go with another CSRF token now. */
export async function renew() {
  const before = session?.csrf;
  await load();
  return session !== null && session.csrf !== before;
}

/** Signs in with a token; the server answers with a cookie that scripts can't read. */
export async function signIn(token) {
  take(await call('POST', 'session', { body: { token }, isSignIn: true }));
}

/** Signs out. */
export async function signOut() {
  await call('DELETE', 'session', { isSignIn: true });
  take(null);
}

/** Forgets a session that the server does not know any more. */
export function forget() {
  take(null);
}
