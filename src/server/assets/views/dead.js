// Dead letters: runs that failed, and messages that never became a run. They wait for a person.

import { get } from '../api.js';
import { h } from '../dom.js';
import { ago, number, shortId } from '../format.js';
import { t } from '../i18n.js';
import { actions, live } from '../live.js';
import * as names from '../names.js';
import { filters, searchField } from '../parts/filters.js';
import { pager, paging } from '../parts/pager.js';
import { loadProblem, problemBox, remedyLine } from '../parts/problem.js';
import { reason, runLink, taskLink } from '../parts/run_cells.js';
import { table } from '../parts/table.js';
import { replaceQuery } from '../router.js';
import { may } from '../session.js';
import { deadActions } from './dead_actions.js';
import { loadMessages, messageTable } from './dead_messages.js';

const PAGE = 50;

/** The view. */
export const deadView = {
  open({ draw, query }) {
    const work = actions(draw);
    const chosen = { runs: new Set(), messages: new Set() };
    const pages = paging(query.after, moved);
    const filter = filters(query, ['task_id'], () => again(null));
    const dead = live(load, draw);
    // Asking for them hides them from others for a moment: not on its own.
    const messages = live(
      (signal) => loadMessages(filter, chosen.messages, signal),
      draw,
      Infinity,
    );
    const settle = deadActions({ chosen, filter, refresh, work });

    async function load(signal) {
      const wanted = { ...filter.values, dead: true, after: pages.after, limit: PAGE };
      const page = await get('runs', wanted, signal);
      names.want(
        page.items.map((run) => run.task_id),
        draw,
      );
      // What is dead no more can't be meant any more.
      const listed = new Set(page.items.map((run) => run.run_id));
      for (const id of chosen.runs) if (!listed.has(id)) chosen.runs.delete(id);
      return page;
    }

    function refresh() {
      chosen.runs.clear();
      chosen.messages.clear();
      dead.refresh();
      messages.refresh();
    }

    function moved(after) {
      chosen.runs.clear();
      replaceQuery({ ...filter.values, after });
      dead.refresh();
    }

    function again(after) {
      pages.reset(after);
      refresh();
    }

    return {
      title: () => t('nav.dead'),
      stop: () => {
        dead.stop();
        messages.stop();
        filter.stop();
      },
      requery: (now) => {
        filter.replace(now);
        again(now.after);
      },
      render: () => [
        h('div', { class: 'head', key: 'head' }, h('h1', { tabindex: '-1' }, t('nav.dead'))),
        toolbar(
          filter,
          chooseAll(dead.data?.items, chosen.runs, draw),
          buttons({ chosen, isEmpty: isEmpty(dead) && isEmpty(messages), work, settle }),
        ),
        problemBox(work.problem, { dismiss: work.clear }),
        refusals(settle, draw),
        h('div', { key: 'load-problem' }, loadProblem(dead)),
        deadTable(dead.data?.items, chosen.runs, draw),
        pager(pages, dead.data),
        messageTable(messages, chosen.messages, draw),
      ],
    };
  },
};

function isEmpty(list) {
  return !list.data || list.data.items.length === 0;
}

function toolbar(filter, all, settling) {
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
    may('submit') && all,
    settling,
  );
}

function buttons({ chosen, isEmpty, work, settle }) {
  const size = chosen.runs.size + chosen.messages.size;
  const isSome = size > 0;
  const count = { n: number(size), count: size };
  return h(
    'div',
    { class: 'buttons', key: 'buttons' },
    h('span', { class: 'muted', role: 'status', key: 'count' }, isSome && t('dead.chosen', count)),
    may('submit') &&
      h(
        'button',
        {
          type: 'button',
          class: 'primary',
          key: 'rerun',
          disabled: isEmpty,
          'aria-disabled': work.isBusy('rerun'),
          onclick: isSome ? settle.rerun : settle.askRerunAll,
          'data-testid': 'dead-rerun',
        },
        t(
          work.isBusy('rerun') ? 'action.working' : isSome ? 'dead.rerun-chosen' : 'dead.rerun-all',
        ),
      ),
    may('admin') &&
      h(
        'button',
        {
          type: 'button',
          class: 'danger',
          key: 'purge',
          disabled: isEmpty,
          onclick: settle.askPurge,
          'data-testid': 'dead-purge',
        },
        t(isSome ? 'dead.purge-chosen' : 'dead.purge-all'),
      ),
  );
}

function choose(chosen, ids, isChosen, draw) {
  for (const id of ids)
    if (isChosen) chosen.add(id);
    else chosen.delete(id);
  draw();
}

function chooseAll(runs, chosen, draw) {
  const all = (runs ?? []).map((run) => run.run_id);
  return h(
    'label',
    { class: 'tick', key: 'all' },
    h('input', {
      type: 'checkbox',
      'data-testid': 'dead-select-all',
      disabled: all.length === 0,
      checked: all.length > 0 && chosen.size === all.length,
      indeterminate: chosen.size > 0 && chosen.size < all.length,
      onchange: (event) => choose(chosen, all, event.target.checked, draw),
    }),
    h('span', {}, t('dead.choose-all')),
  );
}

function deadTable(runs, chosen, draw) {
  const box = {
    label: t('dead.choose'),
    isSilent: true,
    class: 'tight',
    cell: (run) =>
      h('input', {
        type: 'checkbox',
        checked: chosen.has(run.run_id),
        'data-testid': 'dead-select',
        'aria-label': t('dead.choose-one', { id: shortId(run.run_id) }),
        onchange: (event) => choose(chosen, [run.run_id], event.target.checked, draw),
      }),
  };
  const columns = [
    ...(may('submit') ? [box] : []),
    { label: t('run.one'), isHeader: true, class: 'nowrap', cell: (run) => runLink(run.run_id) },
    {
      label: t('dead.why'),
      class: 'grow',
      cell: (run) => [h('div', { class: 'task-cell' }, taskLink(run.task_id)), reason(run)],
    },
    { label: t('run.attempts'), class: 'num wide', cell: (run) => number(run.attempt) },
    { label: t('run.finished'), class: 'nowrap tagged', cell: (run) => ago(run.finished_at) },
  ];
  return table({
    caption: t('nav.dead'),
    columns,
    rows: runs,
    key: (run) => run.run_id,
    empty: t('dead.none'),
    rowProps: (run) => ({
      'data-testid': `run-row-${run.run_id}`,
      class: chosen.has(run.run_id) ? 'is-chosen' : '',
    }),
  });
}

function refusals(settle, draw) {
  const { refused } = settle;
  if (refused.length === 0) return null;

  function dismiss() {
    settle.refused = [];
    draw();
  }

  return h(
    'section',
    { class: 'card', role: 'alert', key: 'refused', 'data-testid': 'dead-refused' },
    h('h2', {}, t('dead.refused')),
    h(
      'ul',
      { class: 'plain' },
      refused.map((one, at) =>
        h(
          'li',
          { key: at },
          one.run_id && [runLink(one.run_id), ' '],
          one.message_id && [h('span', { class: 'mono' }, one.message_id), ' '],
          one.detail,
          one.remedy && remedyLine(one.remedy),
        ),
      ),
    ),
    h('button', { type: 'button', onclick: dismiss }, t('action.dismiss')),
  );
}
