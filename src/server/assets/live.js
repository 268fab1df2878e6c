// Data that is asked for again and again while somebody looks.

/** How often lists are asked for. */
export const EVERY_MS = 4_000;
/** The longest wait between tries while the server does not answer. */
const LONGEST_WAIT_MS = 30_000;

/**
 * Asks `load(signal)` at once and then every `every` milliseconds while the tab is visible. What was
 * there stays while it is asked for anew, and when that fails. `changed` is called after each answer.
 */
export function live(load, changed, every = EVERY_MS) {
  const state = { data: undefined, problem: null, refresh, stop };
  let timer = null;
  let abort = null;
  let failures = 0;
  let isStopped = false;

  async function refresh() {
    clearTimeout(timer);
    abort?.abort();
    const mine = new AbortController();
    abort = mine;
    try {
      const data = await load(mine.signal);
      if (mine !== abort || isStopped) return;
      state.data = data;
      state.problem = null;
      failures = 0;
    } catch (problem) {
      if (mine !== abort || isStopped) return;
      state.problem = problem;
      failures += 1;
    }
    changed();
    plan();
  }

  function plan() {
    clearTimeout(timer);
    if (isStopped || document.hidden || every === Infinity) return;
    timer = setTimeout(
      refresh,
      Math.min(every * 2 ** Math.min(failures, 4), Math.max(every, LONGEST_WAIT_MS)),
    );
  }

  function onVisibility() {
    if (document.hidden) clearTimeout(timer);
    else refresh();
  }

  function stop() {
    isStopped = true;
    clearTimeout(timer);
    abort?.abort();
    document.removeEventListener('visibilitychange', onVisibility);
  }

  document.addEventListener('visibilitychange', onVisibility);
  refresh();
  return state;
}

/**
 * What a person has started, by name: each runs once at a time, and a problem is kept until the next is
 * started. An error that is no Problem is a fault of this page and goes to the console, too.
 *
 * Buttons of what is busy are `aria-disabled` only: a button that is really disabled loses the focus.
 */
export function actions(changed) {
  const busy = new Set();
  const state = { problem: null, run, clear, isBusy };

  async function run(name, action) {
    if (busy.has(name)) return false;
    busy.add(name);
    state.problem = null;
    changed();
    try {
      await action();
      return true;
    } catch (problem) {
      if (problem.status === undefined) console.error(problem);
      state.problem = problem;
      return false;
    } finally {
      busy.delete(name);
      changed();
    }
  }

  function clear() {
    state.problem = null;
    changed();
  }

  function isBusy(name) {
    return busy.has(name);
  }

  return state;
}
