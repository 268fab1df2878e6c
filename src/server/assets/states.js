// States of runs, and what follows from them.

/** All of them, in the order of a run's life. */
export const STATES = ['submitted', 'running', 'retrying', 'succeeded', 'failed', 'cancelled'];
/** Those of runs that are not over. */
export const OPEN = ['submitted', 'running', 'retrying'];
/** What a run may be told to do. */
export const MODES = ['init', 'diff', 'mirror', 'cursor'];
/** The queues. */
export const PRIORITIES = ['high', 'normal', 'low'];

/** Whether a run in this state is over. */
export function isOver(state) {
  return !OPEN.includes(state);
}

/** How much of a run is in, from 0 to 1; null while nobody can know. All of it only once it succeeded. */
export function share(run) {
  if (run.state === 'succeeded') return 1;
  const byRows = run.rows_estimated > 0 ? run.rows_done / run.rows_estimated : null;
  const byShards =
    run.split_done && run.shards_total > 0 ? run.shards_done / run.shards_total : null;
  // The estimate of rows may be far off; shards that are all cut are counted, not estimated.
  const known = byRows === null || byRows > 1 ? (byShards ?? byRows) : byRows;
  if (known === null) return isOver(run.state) ? 0 : null;
  return Math.min(known, 0.999);
}
