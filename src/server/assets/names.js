// Which tables a task moves, for lists that only have its number.

import { get } from './api.js';

/** How long a name is believed. */
const KEPT_MS = 60_000;
/** Tasks whose numbers are this close are asked for together. */
const REACH = 100;

const names = new Map();
const asked = new Set();

/** The task, or undefined while it is asked for or if there is none. */
export function task(id) {
  return names.get(id)?.task;
}

/** Remembers tasks that came with another answer. */
export function keep(tasks) {
  for (const task of tasks) names.set(task.id, { task, until: Date.now() + KEPT_MS });
}

/** Asks for the tasks that are not known yet; `changed` is called when some have come. */
export async function want(ids, changed) {
  const isStale = (id) => !asked.has(id) && !(names.get(id)?.until > Date.now());
  const missing = [...new Set(ids)].filter(isStale).sort((a, b) => a - b);
  const groups = [];
  for (const id of missing) {
    const group = groups.at(-1);
    if (group && id - group[0] < REACH) group.push(id);
    else groups.push([id]);
  }
  for (const group of groups) {
    try {
      await ask(group);
    } catch {
      // They are an extra: numbers are shown without them, and the list itself says what is wrong.
      return;
    }
    changed();
  }
}

async function ask(group) {
  group.forEach((id) => asked.add(id));
  try {
    const span = group.at(-1) - group[0] + 1;
    const page = await get('tasks', { after: group[0] - 1, limit: span });
    keep(page.items);
    // A task that is gone is not asked for at every refresh.
    for (const id of group) if (!names.has(id)) names.set(id, { until: Date.now() + KEPT_MS });
  } finally {
    group.forEach((id) => asked.delete(id));
  }
}
