// Addresses within the page: `#/runs/UUID?name=value`.

/** The path's parts and the query of the address bar. */
export function here() {
  const [path, query = ''] = location.hash.replace(/^#\/?/, '').split('?');
  const parts = path
    .split('/')
    .filter((part) => part !== '')
    .map(decode);
  return { parts, query: Object.fromEntries(new URLSearchParams(query)) };
}

function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    // A stray percent sign: taken as it is, it leads to "not found".
    return part;
  }
}

/** The address of a view. Empty values are left out. */
export function link(path, query = {}) {
  const wanted = Object.entries(query).filter(
    ([, value]) => value !== undefined && value !== null && value !== '' && value !== false,
  );
  const text = new URLSearchParams(wanted).toString();
  return `#/${path}${text ? `?${text}` : ''}`;
}

/** Goes to an address of this page. */
export function go(address) {
  location.hash = address;
}

/** Changes the query of the view that is shown, without a step in the history for every letter. */
export function replaceQuery(query) {
  const { parts } = here();
  const path = parts.map(encodeURIComponent).join('/');
  history.replaceState(null, '', link(path, query));
}

/**
 * Finds the route for path parts. Routes are `[pattern, view]`, a pattern being parts with `:name`
 * for a value.
 */
export function match(routes, parts) {
  for (const [pattern, view] of routes) {
    const wanted = pattern === '' ? [] : pattern.split('/');
    if (wanted.length !== parts.length) continue;
    const params = {};
    const fits = wanted.every((part, at) => {
      if (!part.startsWith(':')) return part === parts[at];
      params[part.slice(1)] = parts[at];
      return true;
    });
    if (fits) return { pattern, view, params };
  }
  return null;
}
