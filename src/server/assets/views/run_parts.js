// The parts of a run's page.

import { h } from '../dom.js';
import { ago, atAndAgo, between, bytes, duration, number, percent, relative } from '../format.js';
import { t } from '../i18n.js';
import { badge } from '../parts/badge.js';
import { bar } from '../parts/bar.js';
import { icon } from '../parts/icons.js';
import { loadProblem, remedyLine } from '../parts/problem.js';
import { runLink } from '../parts/run_cells.js';
import { facts, table } from '../parts/table.js';
import { isOver, share } from '../states.js';

/** Why a run failed or waits, and what to do about it. */
export function errorCard(run) {
  const isWaiting = run.state === 'retrying' || run.state === 'submitted';
  if (!run.reason && !(isWaiting && run.waits_for)) return null;
  return h(
    'section',
    {
      class: `card error-card state-${run.state}`,
      role: run.state === 'failed' ? 'alert' : null,
      key: 'error',
    },
    icon(run.state),
    h(
      'div',
      {},
      run.reason && h('p', { class: 'error-reason', 'data-testid': 'run-error' }, run.reason),
      run.remedy && remedyLine(run.remedy, { 'data-testid': 'run-remedy' }),
      isWaiting && run.waits_for && h('p', {}, t('run.waits-for', { what: run.waits_for })),
      run.state === 'retrying' &&
        h('p', { class: 'muted' }, t('run.tried-again', { when: relative(run.due_at) })),
      run.dead && h('p', { class: 'muted' }, t('run.is-dead')),
      run.rerun_by && h('p', {}, t('run.rerun-by'), ' ', runLink(run.rerun_by)),
    ),
  );
}

/** The bar and its figures. */
export function progressCard(run, rate) {
  const done = share(run);
  const speed = run.state === 'running' ? rate : average(run);
  const left =
    run.state === 'running' && done > 0 && speed > 0
      ? (run.rows_done / done - run.rows_done) / speed
      : null;
  const figure = (name, value, props = {}) =>
    h(
      'div',
      { class: 'figure-box', key: name },
      h('span', { class: 'figure num', ...props }, value),
      h('span', { class: 'muted' }, name),
    );
  const isEstimated = run.rows_estimated !== null && !isOver(run.state);
  const rowsName = isEstimated
    ? t('run.rows-of', { n: number(run.rows_estimated) })
    : t('run.rows');
  return h(
    'section',
    { class: 'card', key: 'progress' },
    h('h2', { class: 'visually-hidden' }, t('run.progress')),
    bar(done, { state: run.state, 'data-testid': 'run-bar' }),
    h(
      'div',
      { class: 'figures' },
      figure(t('run.done'), done === null ? '…' : percent(done), { 'data-testid': 'run-percent' }),
      figure(rowsName, number(run.rows_done), { 'data-testid': 'run-rows' }),
      figure(
        t(run.state === 'running' ? 'run.rate' : 'run.rate-average'),
        speed === null ? '–' : t('unit.rows-per-second', { n: number(Math.round(speed)) }),
        { 'data-testid': 'run-rate' },
      ),
      figure(
        isOver(run.state) ? t('run.took') : t('run.eta'),
        isOver(run.state) ? took(run) : left === null ? '–' : duration(left * 1000),
        { 'data-testid': 'run-eta' },
      ),
      figure(t('run.shards'), shardsText(run), { 'data-testid': 'run-shards' }),
    ),
  );
}

/** Rows a second of a run that is over, waiting times included. */
function average(run) {
  const ms = isOver(run.state) ? between(run.started_at, run.finished_at) : null;
  return ms > 0 && run.rows_done > 0 ? (run.rows_done * 1000) / ms : null;
}

function took(run) {
  const ms = between(run.started_at, run.finished_at);
  return ms === null ? '–' : duration(ms);
}

function shardsText(run) {
  const total =
    run.split_done || isOver(run.state) ? number(run.shards_total) : `${number(run.shards_total)}+`;
  return run.shards_total === 0 ? '–' : `${number(run.shards_done)} / ${total}`;
}

/** All that the ledger says of it. */
export function factsCard(run) {
  return h(
    'section',
    { class: 'card' },
    h('h2', {}, t('run.facts')),
    facts([
      [t('run.one'), h('span', { class: 'mono break' }, run.run_id)],
      [t('run.mode'), run.mode || t('run.own-mode')],
      [t('run.priority'), t(`scope.${run.priority}`)],
      [t('run.attempt'), number(run.attempt)],
      [t('worker.one'), run.worker && h('span', { class: 'mono break' }, run.worker)],
      [t('run.helpers'), run.helpers > 0 ? number(run.helpers) : null],
      [t('run.submitted-by'), run.submitted_by],
      [t('run.submitted'), atAndAgo(run.submitted_at)],
      [t('run.due'), isOver(run.state) || run.state === 'running' ? null : atAndAgo(run.due_at)],
      [t('run.started'), run.started_at && atAndAgo(run.started_at)],
      [t('run.finished'), run.finished_at && atAndAgo(run.finished_at)],
      [t('run.written'), number(run.rows_written)],
      [t('run.deleted'), run.rows_deleted > 0 ? number(run.rows_deleted) : null],
      [t('run.bytes'), bytes(run.bytes_done)],
      [t('run.consistency'), run.consistency],
      [t('run.rerun-of'), run.rerun_of && runLink(run.rerun_of)],
      [t('run.rerun-by'), run.rerun_by && runLink(run.rerun_by)],
      [
        t('run.params'),
        run.params && run.params !== '{}' ? h('pre', { class: 'json' }, pretty(run.params)) : null,
      ],
    ]),
  );
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    // Kept as it was written.
    return text;
  }
}

/** The workers that share a run. */
export function participantsSection(participants) {
  if (participants.length === 0) return null;
  return h(
    'section',
    { key: 'participants' },
    h('h2', {}, t('participant.title')),
    table({
      caption: t('participant.title'),
      rows: participants,
      key: (one) => one.epoch,
      columns: [
        {
          label: t('worker.one'),
          isHeader: true,
          class: 'clip',
          cell: (one) => h('span', { class: 'mono', title: one.worker }, one.worker),
        },
        { label: t('run.state'), class: 'nowrap', cell: (one) => badge(one.state) },
        { label: t('run.shards'), class: 'num tagged', cell: (one) => number(one.shards_done) },
        { label: t('run.rows'), class: 'num tagged', cell: (one) => number(one.rows_done) },
        {
          label: t('participant.joined'),
          class: 'nowrap tagged',
          cell: (one) => ago(one.joined_at),
        },
        { label: t('participant.left'), class: 'nowrap wide', cell: (one) => ago(one.left_at) },
        { label: t('run.reason'), class: 'wide', cell: (one) => one.reason ?? '–' },
      ],
    }),
  );
}

/** Rows that the target has refused. */
export function rejectedSection(rejected, most) {
  const rows = rejected.data?.items ?? [];
  if (rows.length === 0) return loadProblem(rejected);
  return h(
    'section',
    { key: 'rejected', 'data-testid': 'rejected' },
    h('h2', {}, t('rejected.title')),
    rows.length === most && h('p', { class: 'muted' }, t('rejected.first', { n: number(most) })),
    table({
      caption: t('rejected.title'),
      rows,
      key: (row) => `${row.shard_no} ${row.key}`,
      columns: [
        {
          label: t('rejected.key'),
          isHeader: true,
          cell: (row) => [
            h('span', { class: 'muted' }, row.key_columns),
            ' ',
            h('span', { class: 'mono break' }, row.key),
          ],
        },
        { label: t('rejected.message'), class: 'grow', cell: (row) => row.message },
        { label: t('shard.one'), class: 'num wide', cell: (row) => number(row.shard_no) },
        { label: t('rejected.at'), class: 'nowrap tagged', cell: (row) => ago(row.rejected_at) },
        {
          label: t('rejected.replayed'),
          class: 'wide',
          cell: (row) => (row.replayed_by ? runLink(row.replayed_by) : '–'),
        },
      ],
    }),
  );
}
