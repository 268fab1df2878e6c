// The fleet.

import { get, put } from '../api.js';
import { h } from '../dom.js';
import { ago, number } from '../format.js';
import { t } from '../i18n.js';
import { live } from '../live.js';
import { badge } from '../parts/badge.js';
import { bar } from '../parts/bar.js';
import { confirm } from '../parts/dialog.js';
import { notify } from '../parts/notice.js';
import { loadProblem } from '../parts/problem.js';
import { table } from '../parts/table.js';
import { may } from '../session.js';
import { pausesPanel } from './pauses.js';

/** The view. */
export const workersView = {
  open({ draw }) {
    const workers = live((signal) => get('workers', {}, signal), draw, 3_000);
    const pauses = pausesPanel(draw);

    function drain(worker) {
      confirm({
        title: t('worker.drain-ask', { name: worker.worker }),
        text: t('worker.drain-text', { n: number(worker.running), count: worker.running }),
        submitLabel: t('action.drain'),
        testid: 'drain-submit',
        submit: async () => {
          await put(`workers/${encodeURIComponent(worker.worker)}/drain`);
          notify(t('worker.drained', { name: worker.worker }));
          workers.refresh();
        },
      });
    }

    return {
      title: () => t('nav.workers'),
      stop: () => {
        workers.stop();
        pauses.stop();
      },
      render: () => [
        h(
          'div',
          { class: 'head', key: 'head' },
          h('h1', { tabindex: '-1' }, t('nav.workers')),
          summary(workers.data),
        ),
        pauses.banner(),
        loadProblem(workers),
        workersTable(workers.data?.items, { drain: may('admin') ? drain : null }),
        h('div', { class: 'narrow', key: 'pauses-side' }, pauses.card()),
      ],
    };
  },
};

function summary(page) {
  if (!page) return null;
  const sum = (name) =>
    page.items
      .filter((worker) => worker.state !== 'lost')
      .reduce((all, worker) => all + worker[name], 0);
  return h(
    'p',
    { class: 'muted' },
    t('worker.summary', {
      n: number(page.items.length),
      count: page.items.length,
      running: number(sum('running')),
      slots: number(sum('concurrency')),
    }),
  );
}

/** A table of workers; small ones leave out what is not needed at a glance. */
export function workersTable(workers, { drain = null, isSmall = false } = {}) {
  const columns = [
    {
      label: t('worker.one'),
      isHeader: true,
      class: 'clip',
      cell: (worker) => h('span', { class: 'mono', title: worker.worker }, worker.worker),
    },
    { label: t('run.state'), class: 'nowrap', cell: (worker) => badge(worker.state) },
    {
      label: t('worker.load'),
      class: isSmall ? 'num nowrap' : 'w-bar',
      cell: (worker) => load(worker, isSmall),
    },
  ];
  if (!isSmall) {
    columns.push(
      {
        label: t('worker.heartbeat'),
        class: 'nowrap tagged',
        cell: (worker) => ago(worker.heartbeat_at),
      },
      {
        label: t('worker.started'),
        class: 'nowrap wide',
        cell: (worker) => ago(worker.started_at),
      },
      {
        label: t('worker.host'),
        class: 'wide clip',
        cell: (worker) => t('worker.process', { host: worker.host, pid: worker.pid }),
      },
      { label: t('worker.version'), class: 'wide', cell: (worker) => worker.version },
    );
  }
  if (drain)
    columns.push({
      label: t('table.actions'),
      isSilent: true,
      class: 'actions',
      cell: (worker) => drainButton(worker, drain),
    });
  return table({
    caption: t('nav.workers'),
    columns,
    rows: workers,
    key: (worker) => worker.worker,
    rowProps: (worker) => ({ 'data-testid': `worker-row-${worker.worker}` }),
    empty: t('worker.none'),
  });
}

function load(worker, isSmall) {
  const text = `${number(worker.running)} / ${number(worker.concurrency)}`;
  if (isSmall) return text;
  const share = worker.concurrency > 0 ? Math.min(worker.running / worker.concurrency, 1) : 0;
  return h(
    'div',
    { class: 'bar-cell' },
    bar(share, { label: t('worker.load') }),
    h('span', { class: 'num' }, text),
  );
}

function drainButton(worker, drain) {
  if (worker.state === 'draining' || worker.state === 'lost') return null;
  return h(
    'button',
    { type: 'button', onclick: () => drain(worker), 'data-testid': 'drain-worker' },
    t('action.drain'),
  );
}
