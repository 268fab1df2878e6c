// The list of tasks.

import { get } from '../api.js';
import { h } from '../dom.js';
import { t } from '../i18n.js';
import { actions, live } from '../live.js';
import * as names from '../names.js';
import { badge, onlineBadge } from '../parts/badge.js';
import { choice, filters, searchField } from '../parts/filters.js';
import { pager, paging } from '../parts/pager.js';
import { loadProblem, problemBox } from '../parts/problem.js';
import { ends } from '../parts/run_cells.js';
import { table } from '../parts/table.js';
import { go, link, replaceQuery } from '../router.js';
import { may } from '../session.js';
import { STATES } from '../states.js';
import { submitter } from '../submit.js';

const PAGE = 50;
const FILTERS = ['q', 'online', 'status'];

/** The view. */
export const tasksView = {
  open({ draw, query }) {
    const work = actions(draw);
    const submit = submitter();
    const pages = paging(query.after, moved);
    const filter = filters(query, FILTERS, () => {
      pages.reset();
      tasks.refresh();
    });
    const tasks = live(load, draw);

    async function load(signal) {
      const page = await get(
        'tasks',
        { ...filter.values, after: pages.after, limit: PAGE },
        signal,
      );
      names.keep(page.items);
      return page;
    }

    function moved(after) {
      replaceQuery({ ...filter.values, after });
      tasks.refresh();
    }

    function run(task) {
      return work.run(`run ${task.id}`, async () => {
        await submit({ task_id: task.id });
        tasks.refresh();
      });
    }

    return {
      title: () => t('nav.tasks'),
      stop: () => {
        tasks.stop();
        filter.stop();
      },
      requery: (now) => {
        filter.replace(now);
        pages.reset(now.after);
        tasks.refresh();
      },
      render: () => [
        head(),
        filterBar(filter),
        problemBox(work.problem, { dismiss: work.clear }),
        loadProblem(tasks),
        taskTable(tasks.data?.items, { run, work }),
        pager(pages, tasks.data),
      ],
    };
  },
};

function head() {
  const props = { class: 'button', href: link('tasks/new'), 'data-testid': 'new-task' };
  return h(
    'div',
    { class: 'head', key: 'head' },
    h('h1', { tabindex: '-1' }, t('nav.tasks')),
    may('admin') && h('a', props, t('task.new')),
  );
}

function filterBar(filter) {
  return h(
    'form',
    {
      class: 'filters',
      role: 'search',
      key: 'filters',
      onsubmit: (event) => event.preventDefault(),
    },
    searchField(filter, 'q', {
      label: t('task.search'),
      testid: 'search',
      // A number is the task itself.
      onenter: (text) => {
        if (/^\d+$/.test(text)) go(link(`tasks/${text}`));
      },
    }),
    choice(filter, 'online', {
      label: t('task.online-name'),
      testid: 'filter-online',
      options: [
        ['true', t('task.online')],
        ['false', t('task.offline')],
      ],
    }),
    choice(filter, 'status', {
      label: t('task.last-run'),
      testid: 'filter-status',
      options: STATES.map((state) => [state, t(`state.${state}`)]),
    }),
  );
}

function taskTable(tasks, { run, work }) {
  const columns = [
    {
      label: t('task.id'),
      isHeader: true,
      class: 'nowrap',
      cell: (task) =>
        h('a', { href: link(`tasks/${task.id}`), class: 'num' }, t('task.number', { n: task.id })),
    },
    {
      label: t('task.tables'),
      class: 'grow',
      cell: (task) => [
        h('div', { class: 'route' }, ends(task)),
        task.description && h('div', { class: 'muted description' }, task.description),
      ],
    },
    { label: t('task.owner'), class: 'wide clip', cell: (task) => task.owner || '–' },
    {
      label: t('task.online-name'),
      class: 'nowrap wide',
      cell: (task) => onlineBadge(task.online),
    },
    { label: t('task.last-run'), class: 'nowrap', cell: (task) => badge(task.status) },
  ];
  if (may('submit'))
    columns.push({
      label: t('table.actions'),
      isSilent: true,
      class: 'actions',
      cell: (task) => runButton(task, run, work),
    });
  return table({
    caption: t('nav.tasks'),
    columns,
    rows: tasks,
    key: (task) => task.id,
    rowProps: (task) => ({
      'data-testid': `task-row-${task.id}`,
      class: task.online ? '' : 'is-off',
    }),
    empty: t('task.none'),
  });
}

function runButton(task, run, work) {
  const isBusy = work.isBusy(`run ${task.id}`);
  return h(
    'button',
    {
      type: 'button',
      disabled: !task.online,
      'aria-disabled': isBusy,
      onclick: () => run(task),
      'data-testid': 'submit-task',
      'aria-label': t('task.run-named', { id: task.id }),
      title: task.online ? null : t('task.is-offline'),
    },
    t(isBusy ? 'action.working' : 'action.run'),
  );
}
