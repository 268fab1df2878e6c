// A run's shards, read page by page and only as far as they can still change.

import { get } from './api.js';

const PAGE = 500;
/** More are not read: the counts by state still tell of all. */
export const MOST = 20_000;

/** The shards of a run: `list` in order of their numbers; `load` brings it up to date. */
export function shardReader(runId) {
  const state = { list: [], load, isCut: false };

  async function load(doneInAll, signal) {
    const done = state.list.filter((shard) => shard.state === 'done').length;
    // Fewer are done than were: the run has started its shards again.
    if (doneInAll < done) state.list = [];
    const firstOpen = state.list.findIndex((shard) => shard.state !== 'done');
    const kept = firstOpen < 0 ? state.list : state.list.slice(0, firstOpen);
    const read = [];
    let after = kept.at(-1)?.shard_no;
    do {
      const page = await get(`runs/${runId}/shards`, { after, limit: PAGE }, signal);
      read.push(...page.items);
      after = page.next;
    } while (after && kept.length + read.length < MOST);
    state.isCut = Boolean(after);
    state.list = [...kept, ...read];
  }

  return state;
}

/** Cells for a strip: one a shard, or one for several neighbours where there would be too many. */
export function cells(list, most) {
  const size = Math.max(1, Math.ceil(list.length / most));
  const result = [];
  for (let at = 0; at < list.length; at += size) result.push(cell(list.slice(at, at + size)));
  return result;
}

function cell(shards) {
  const count = { open: 0, held: 0, done: 0 };
  for (const shard of shards) count[shard.state] = (count[shard.state] ?? 0) + 1;
  const isSame = Object.values(count).some((n) => n === shards.length);
  const state = isSame ? shards[0].state : count.held > 0 ? 'held' : 'part';
  return {
    first: shards[0].shard_no,
    last: shards.at(-1).shard_no,
    rows: shards.reduce((sum, shard) => sum + (shard.rows_done ?? 0), 0),
    done: count.done / shards.length,
    state,
    count,
  };
}
