// The list of runs.

import { get } from '../api.js';
import { h } from '../dom.js';
import { t } from '../i18n.js';
import { live } from '../live.js';
import * as names from '../names.js';
import { choice, filters, searchField, tick } from '../parts/filters.js';
import { pager, paging } from '../parts/pager.js';
import { loadProblem } from '../parts/problem.js';
import { runColumns } from '../parts/run_cells.js';
import { table } from '../parts/table.js';
import { replaceQuery } from '../router.js';
import { OPEN, STATES } from '../states.js';

const PAGE = 50;
const FILTERS = ['task_id', 'state', 'since', 'dead'];
const SPANS = ['1h', '6h', '1d', '7d', '30d'];

/** The view. */
export const runsView = {
  open({ draw, query }) {
    const pages = paging(query.after, moved);
    const filter = filters(query, FILTERS, () => {
      pages.reset();
      runs.refresh();
    });
    const runs = live(load, draw, 3_000);

    async function load(signal) {
      const page = await get('runs', { ...filter.values, after: pages.after, limit: PAGE }, signal);
      names.want(
        page.items.map((run) => run.task_id),
        draw,
      );
      return page;
    }

    function moved(after) {
      replaceQuery({ ...filter.values, after });
      runs.refresh();
    }

    return {
      title: () => t('nav.runs'),
      stop: () => {
        runs.stop();
        filter.stop();
      },
      requery: (now) => {
        filter.replace(now);
        pages.reset(now.after);
        runs.refresh();
      },
      render: () => [
        h('div', { class: 'head', key: 'head' }, h('h1', { tabindex: '-1' }, t('nav.runs'))),
        filterBar(filter),
        loadProblem(runs),
        runTable(runs.data?.items, t('nav.runs')),
        pager(pages, runs.data),
      ],
    };
  },
};

function filterBar(filter) {
  const isGroup = filter.values.state.includes(',');
  const states = [
    [OPEN.join(','), t('filter.open')],
    ...STATES.map((state) => [state, t(`state.${state}`)]),
  ];
  // A link may name states that are no choice here.
  if (isGroup && filter.values.state !== OPEN.join(','))
    states.push([
      filter.values.state,
      filter.values.state
        .split(',')
        .map((state) => t(`state.${state}`))
        .join(', '),
    ]);
  return h(
    'form',
    {
      class: 'filters',
      role: 'search',
      key: 'filters',
      onsubmit: (event) => event.preventDefault(),
    },
    searchField(filter, 'task_id', {
      label: t('run.task-number'),
      testid: 'search',
      isNumber: true,
    }),
    choice(filter, 'state', { label: t('run.state'), options: states, testid: 'filter-state' }),
    choice(filter, 'since', {
      label: t('filter.since'),
      testid: 'filter-since',
      options: SPANS.map((span) => [span, t(`filter.since.${span}`)]),
    }),
    tick(filter, 'dead', { label: t('filter.dead'), testid: 'filter-dead' }),
  );
}

/** A table of runs. */
export function runTable(runs, caption, { isOneTask = false } = {}) {
  const columns = [
    runColumns.run(),
    runColumns.state(),
    ...(isOneTask ? [] : [runColumns.task()]),
    runColumns.progress(),
    runColumns.attempt(),
    runColumns.submitted(),
    runColumns.took(),
    runColumns.worker(),
  ];
  return table({
    caption,
    columns,
    rows: runs,
    key: (run) => run.run_id,
    rowProps: (run) => ({ 'data-testid': `run-row-${run.run_id}` }),
    empty: t(isOneTask ? 'run.none-yet' : 'run.none'),
  });
}
