// A run's progress as it happens.

import { address } from './api.js';

/** How long until a stream that the browser has given up is opened again. */
const AGAIN_MS = 5_000;

/**
 * Follows a run. `told` gets each progress, `broken` whether the stream is lost just now. It ends itself
 * with the run, and is closed by the function that is returned.
 */
export function follow(runId, { told, broken, isLast }) {
  let source = null;
  let timer = null;

  function open() {
    source = new EventSource(address(`runs/${encodeURIComponent(runId)}/events`));
    source.addEventListener('open', () => broken(false));
    source.addEventListener('progress', (event) => {
      const progress = JSON.parse(event.data);
      if (isLast(progress)) close();
      told(progress);
    });
    source.addEventListener('error', () => {
      broken(true);
      // After an answer that is no stream the browser does not try again by itself.
      if (source.readyState === EventSource.CLOSED) {
        clearTimeout(timer);
        timer = setTimeout(open, AGAIN_MS);
      }
    });
  }

  function close() {
    clearTimeout(timer);
    source.close();
  }

  open();
  return close;
}
