// What goes on now, at a glance.

import { get } from '../api.js';
import { h } from '../dom.js';
import { bytes, duration, number, shortNumber } from '../format.js';
import { t } from '../i18n.js';
import { live } from '../live.js';
import * as names from '../names.js';
import { loadProblem } from '../parts/problem.js';
import { runColumns } from '../parts/run_cells.js';
import { sparkline } from '../parts/sparkline.js';
import { table } from '../parts/table.js';
import { meter } from '../rates.js';
import { link } from '../router.js';
import { share } from '../states.js';
import { pausesPanel } from './pauses.js';
import { workersTable } from './workers.js';

const MOST_RUNNING = 20;
const MOST_FAILED = 8;

/** Kept while the page is open, so that coming back here shows the past minutes at once. */
const throughput = [];
const THROUGHPUT_SAMPLES = 90;

/** The view. */
export const overviewView = {
  open({ draw }) {
    const rates = meter();

    async function loadCounts(signal) {
      const counts = await get('overview', {}, signal);
      throughput.push(counts.rows_per_second ?? 0);
      if (throughput.length > THROUGHPUT_SAMPLES) throughput.shift();
      return counts;
    }

    async function loadRuns(state, limit, signal) {
      const page = await get('runs', { state, limit }, signal);
      names.want(
        page.items.map((run) => run.task_id),
        draw,
      );
      return page;
    }

    async function loadRunning(signal) {
      const page = await loadRuns('running,retrying', MOST_RUNNING, signal);
      page.items.forEach((run) => rates.note(run.run_id, run.rows_done));
      rates.only(page.items.map((run) => run.run_id));
      // What runs comes first; among themselves they stay in their order, so that rows don't jump.
      const isFirst = (run) => (run.state === 'running' ? 0 : 1);
      page.items.sort((a, b) => isFirst(a) - isFirst(b));
      return page;
    }

    const counts = live(loadCounts, draw, 3_000);
    const running = live(loadRunning, draw, 3_000);
    const failed = live((signal) => loadRuns('failed', MOST_FAILED, signal), draw, 5_000);
    const workers = live((signal) => get('workers', {}, signal), draw, 5_000);
    const pauses = pausesPanel(draw);

    return {
      title: () => t('nav.overview'),
      stop: () => [counts, running, failed, workers, pauses].forEach((part) => part.stop()),
      render: () => [
        h('h1', { tabindex: '-1', class: 'visually-hidden' }, t('nav.overview')),
        loadProblem(counts),
        pauses.banner(),
        tiles(counts.data),
        columns(
          [runningSection(running, rates), failedSection(failed)],
          [
            throughputCard(counts.data),
            lastDay(counts.data?.last_day),
            pauses.card(),
            workersSection(workers),
          ],
        ),
        counts.data?.version &&
          h('p', { class: 'muted version', key: 'version' }, `goshift ${counts.data.version}`),
      ],
    };
  },
};

function columns(main, side) {
  return h(
    'div',
    { class: 'columns', key: 'columns' },
    h('div', { class: 'column-main' }, main),
    h('div', { class: 'column-side' }, side),
  );
}

function tiles(counts) {
  // A state that no run is in may be left out.
  const runs = (state) => counts && (counts.runs[state] ?? 0);
  const workers = counts?.workers ?? {};
  const all = Object.values(workers).reduce((sum, count) => sum + count, 0);
  const alive = counts && all - (workers.lost ?? 0);
  const tile = (name, value, href, { state, note } = {}) =>
    h(
      'a',
      {
        class: `tile${state && value > 0 ? ` tile-${state}` : ''}`,
        href,
        key: name,
        'data-testid': `tile-${name}`,
      },
      h(
        'span',
        { class: 'tile-value num' },
        value === undefined ? h('span', { class: 'ghost' }) : number(value),
      ),
      h('span', { class: 'tile-name' }, t(`overview.${name}`)),
      note && h('span', { class: 'tile-note' }, note),
    );
  return h(
    'div',
    { class: 'tiles', key: 'tiles' },
    tile('running', runs('running'), link('runs', { state: 'running' }), { state: 'running' }),
    tile('waiting', runs('submitted'), link('runs', { state: 'submitted' }), {
      state: 'submitted',
    }),
    tile('retrying', runs('retrying'), link('runs', { state: 'retrying' }), { state: 'retrying' }),
    tile('overdue', counts?.overdue, link('runs', { state: 'submitted,retrying' }), {
      state: 'retrying',
    }),
    tile('dead', counts?.dead, link('dead'), { state: 'failed' }),
    tile('workers', alive, link('workers'), {
      note:
        counts &&
        t('overview.slots', {
          n: number(counts.slots),
          count: counts.slots,
          lost: number(workers.lost ?? 0),
        }),
    }),
  );
}

function runningSection(running, rates) {
  const columns = [
    runColumns.task(),
    runColumns.state(),
    runColumns.progress(),
    { label: t('run.rate'), class: 'num nowrap', cell: (run) => rateAndRest(run, rates) },
    runColumns.run(),
  ];
  const more = running.data?.next;
  return h(
    'section',
    { key: 'running' },
    h('h2', {}, t('overview.now')),
    loadProblem(running),
    table({
      caption: t('overview.now'),
      columns,
      rows: running.data?.items,
      key: (run) => run.run_id,
      rowProps: (run) => ({ 'data-testid': `run-row-${run.run_id}` }),
      empty: t('overview.nothing-runs'),
    }),
    more &&
      h(
        'p',
        {},
        h('a', { href: link('runs', { state: 'running,retrying' }) }, t('overview.all-running')),
      ),
  );
}

function rateAndRest(run, rates) {
  const rate = run.state === 'running' ? rates.rate(run.run_id) : null;
  if (rate === null) return '–';
  const done = share(run);
  const left = done > 0 && rate > 0 ? (run.rows_done / done - run.rows_done) / rate : null;
  return [
    t('unit.rows-per-second', { n: shortNumber(rate) }),
    left !== null && h('div', { class: 'muted' }, t('run.left', { d: duration(left * 1000, 1) })),
  ];
}

function failedSection(failed) {
  const columns = [runColumns.task(), runColumns.finished(), runColumns.run()];
  return h(
    'section',
    { key: 'failed' },
    h('h2', {}, t('overview.failed-lately')),
    loadProblem(failed),
    table({
      caption: t('overview.failed-lately'),
      columns,
      rows: failed.data?.items,
      key: (run) => run.run_id,
      rowProps: (run) => ({ 'data-testid': `run-row-${run.run_id}` }),
      empty: t('overview.nothing-failed'),
    }),
  );
}

function throughputCard(counts) {
  return h(
    'section',
    { class: 'card', key: 'throughput' },
    h('h2', {}, t('overview.throughput')),
    h(
      'p',
      { class: 'figure num' },
      counts ? t('unit.rows-per-second', { n: number(counts.rows_per_second) }) : '–',
    ),
    h(
      'p',
      { class: 'muted num' },
      counts ? t('unit.per-second', { n: bytes(counts.bytes_per_second) }) : '–',
    ),
    sparkline(throughput, { label: t('overview.throughput-line'), capacity: THROUGHPUT_SAMPLES }),
  );
}

function lastDay(day) {
  const entry = (state) =>
    h(
      'a',
      {
        class: `day state-${state}`,
        href: link('runs', { state, since: '1d' }),
        key: state,
      },
      h('span', { class: 'num' }, number(day && (day[state] ?? 0))),
      ' ',
      t(`state.${state}`),
    );
  return h(
    'section',
    { class: 'card', key: 'day' },
    h('h2', {}, t('overview.last-day')),
    h('div', { class: 'days' }, entry('succeeded'), entry('failed'), entry('cancelled')),
  );
}

function workersSection(workers) {
  return h(
    'section',
    { class: 'card', key: 'workers' },
    h('h2', {}, h('a', { href: link('workers') }, t('nav.workers'))),
    loadProblem(workers),
    workersTable(workers.data?.items, { isSmall: true }),
  );
}
