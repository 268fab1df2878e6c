// How runs look in lists.

import { h } from '../dom.js';
import { ago, between, duration, endName, number, shortId } from '../format.js';
import { t } from '../i18n.js';
import * as names from '../names.js';
import { link } from '../router.js';
import { isOver } from '../states.js';
import { badge } from './badge.js';
import { runBar } from './bar.js';
import { remedyLine } from './problem.js';

/** A run's id, leading to it. */
export function runLink(id, props = {}) {
  return h('a', { ...props, class: 'mono', href: link(`runs/${id}`), title: id }, shortId(id));
}

/** A task's number with its tables, if they are known by now. */
export function taskLink(id) {
  const task = names.task(id);
  return [
    h('a', { href: link(`tasks/${id}`), class: 'num' }, t('task.number', { n: id })),
    task && h('span', { class: 'route' }, ends(task)),
  ];
}

/** From where to where. */
export function ends(task) {
  return [
    h('span', { class: 'mono' }, endName(task.from)),
    h('span', { class: 'to', 'aria-label': t('task.to') }, ' → '),
    h('span', { class: 'mono' }, endName(task.to)),
  ];
}

/** Why a run failed or waits, and what to do. */
export function reason(run) {
  if (!run.reason && !run.waits_for) return null;
  return h(
    'div',
    { class: 'reason' },
    run.reason && h('p', {}, run.reason),
    run.remedy && remedyLine(run.remedy),
    run.waits_for && h('p', {}, t('run.waits-for', { what: run.waits_for })),
  );
}

/** Columns of a list of runs, by name. */
export const runColumns = {
  run: () => ({
    label: t('run.one'),
    class: 'nowrap',
    isHeader: true,
    cell: (run) => runLink(run.run_id),
  }),
  task: () => ({
    label: t('task.one'),
    class: 'grow',
    cell: (run) => [h('div', { class: 'task-cell' }, taskLink(run.task_id)), reason(run)],
  }),
  state: () => ({ label: t('run.state'), class: 'nowrap', cell: (run) => badge(run.state) }),
  progress: () => ({ label: t('run.progress'), class: 'w-bar', cell: progress }),
  rows: () => ({ label: t('run.rows'), class: 'num wide', cell: (run) => number(run.rows_done) }),
  attempt: () => ({
    label: t('run.attempt'),
    class: 'num wide',
    cell: (run) => number(run.attempt),
  }),
  submitted: () => ({
    label: t('run.submitted'),
    class: 'nowrap tagged',
    cell: (run) => ago(run.submitted_at),
  }),
  finished: () => ({
    label: t('run.finished'),
    class: 'nowrap tagged',
    cell: (run) => ago(run.finished_at),
  }),
  took: () => ({ label: t('run.took'), class: 'nowrap wide', cell: took }),
  worker: () => ({
    label: t('worker.one'),
    class: 'wide clip',
    cell: (run) => h('span', { title: run.worker }, run.worker ?? '–'),
  }),
};

function took(run) {
  const ms = between(run.started_at, run.finished_at);
  return ms === null ? '–' : duration(ms);
}

function progress(run) {
  if (isOver(run.state))
    return h(
      'span',
      { class: 'num' },
      t('run.rows-in', { n: number(run.rows_done), count: run.rows_done }),
    );
  if (run.state === 'submitted') return h('span', { class: 'muted' }, t('run.waits'));
  return runBar(run);
}
