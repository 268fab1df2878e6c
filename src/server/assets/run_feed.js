// What is known of a run: the ledger's answers, and between them the figures of its stream.

import { get } from './api.js';
import { live } from './live.js';
import * as names from './names.js';
import { meter } from './rates.js';
import { shardReader } from './shards.js';
import { isOver } from './states.js';
import { follow } from './stream.js';

const EVERY_MS = 3_000;

/**
 * Follows a run until `stop`. `answer` is the ledger's, kept up to date; `now()` is the run with the latest
 * figures in it, `rate()` its rows a second; `isBroken()` tells that the stream is lost just now.
 */
export function runFeed(id, changed) {
  const rates = meter();
  const shards = shardReader(id);
  let figures = null;
  let isBroken = false;
  let unfollow = null;
  const answer = live(load, changed, EVERY_MS);

  async function load(signal) {
    const found = await get(`runs/${encodeURIComponent(id)}`, {}, signal);
    names.want([found.task_id], changed);
    const done = found.shards.find((count) => count.state === 'done')?.shards ?? 0;
    await shards.load(done, signal);
    figures = null;
    if (!unfollow && !isOver(found.state)) startFollowing(found.state);
    return found;
  }

  function startFollowing(state) {
    let last = state;
    unfollow = follow(id, {
      isLast: (progress) => isOver(progress.state),
      broken: (broken) => {
        isBroken = broken;
        changed();
      },
      told: (progress) => {
        rates.note(id, progress.rows_done);
        figures = progress;
        // The rest of what is shown has changed with the state.
        if (progress.state !== last) answer.refresh();
        last = progress.state;
        changed();
      },
    });
  }

  return {
    answer,
    shards,
    now: () => answer.data && { ...answer.data, ...figures },
    rate: () => rates.rate(id),
    isBroken: () => isBroken,
    stop: () => {
      answer.stop();
      unfollow?.();
    },
  };
}
