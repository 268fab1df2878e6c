// What this browser remembers: theme and language.

const PREFIX = 'goshift.';

/** A remembered value, or null; also null where the browser blocks storage. */
export function remembered(name) {
  try {
    return localStorage.getItem(PREFIX + name);
  } catch {
    return null;
  }
}

/** Remembers a value; null forgets it. Where storage is blocked, it holds until the page is left. */
export function remember(name, value) {
  try {
    if (value === null) localStorage.removeItem(PREFIX + name);
    else localStorage.setItem(PREFIX + name, value);
  } catch {
    // Nothing can be kept here, and nothing depends on it.
  }
}

const systemDark = matchMedia('(prefers-color-scheme: dark)');

/** `light` or `dark`: the choice, else the system's. */
export function theme() {
  return document.documentElement.dataset.theme ?? (systemDark.matches ? 'dark' : 'light');
}

/** Changes to the other theme. Back at the system's own, the page follows the system again. */
export function toggleTheme() {
  const wanted = theme() === 'dark' ? 'light' : 'dark';
  const isSystems = (wanted === 'dark') === systemDark.matches;
  if (isSystems) delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = wanted;
  remember('theme', isSystems ? null : wanted);
}

/** Calls back when the system's theme changes. */
export function onSystemTheme(callback) {
  systemDark.addEventListener('change', callback);
}
