// One task: its ends, params, schedule and latest runs.

import { get, put } from '../api.js';
import { h } from '../dom.js';
import { endName } from '../format.js';
import { t } from '../i18n.js';
import { actions, live } from '../live.js';
import * as names from '../names.js';
import { badge } from '../parts/badge.js';
import { icon } from '../parts/icons.js';
import { notify } from '../parts/notice.js';
import { loadProblem, problemBox } from '../parts/problem.js';
import { facts } from '../parts/table.js';
import { go, link } from '../router.js';
import { may } from '../session.js';
import { openRunDialog } from './run_dialog.js';
import { runTable } from './runs.js';
import { schedulePanel } from './schedule.js';

const RECENT = 10;

/** The view. */
export const taskView = {
  open({ draw, params: { id } }) {
    const path = `tasks/${encodeURIComponent(id)}`;
    const work = actions(draw);
    const task = live(load, draw, 5_000);
    const runs = live((signal) => get('runs', { task_id: id, limit: RECENT }, signal), draw, 3_000);
    const schedule = schedulePanel(id, draw);

    async function load(signal) {
      const found = await get(path, {}, signal);
      names.keep([found]);
      return found;
    }

    function setOnline(online) {
      return work.run('online', async () => {
        task.data = await put(`${path}/online`, { online });
        notify(t(online ? 'task.put-online' : 'task.put-offline', { id }));
      });
    }

    function openRun(isPlanned) {
      openRunDialog(task.data, {
        isPlanned,
        // Whoever asks for a run in so many words wants to watch it.
        submitted: ({ run_id }) => go(link(`runs/${run_id}`)),
      });
    }

    return {
      title: () => t('task.title', { id }),
      stop: () => [task, runs, schedule].forEach((part) => part.stop()),
      render: () => [
        head(id, task.data, { openRun }),
        problemBox(work.problem, { dismiss: work.clear }),
        loadProblem(task),
        task.data && ends(task.data),
        task.data && cards(task.data, aboutCard(task.data, { work, setOnline }), schedule.card()),
        latestRuns(id, runs),
      ],
    };
  },
};

function cards(task, about, schedule) {
  return h(
    'div',
    { class: 'pair', key: 'pair' },
    paramsCard(task),
    h('div', { class: 'stack' }, about, schedule),
  );
}

function latestRuns(id, runs) {
  return h(
    'section',
    { key: 'runs' },
    h(
      'div',
      { class: 'card-head' },
      h('h2', {}, t('task.recent-runs')),
      h('a', { href: link('runs', { task_id: id }) }, t('task.all-runs')),
    ),
    loadProblem(runs),
    runTable(runs.data?.items, t('task.recent-runs'), { isOneTask: true }),
  );
}

function head(id, task, { openRun }) {
  return h(
    'div',
    { class: 'head', key: 'head' },
    h('h1', { tabindex: '-1' }, t('task.title', { id })),
    task?.status && badge(task.status),
    task &&
      h(
        'div',
        { class: 'buttons' },
        may('submit') &&
          h(
            'button',
            { type: 'button', onclick: () => openRun(true), 'data-testid': 'plan-task' },
            t('action.plan'),
          ),
        may('admin') &&
          h(
            'a',
            { class: 'button', href: link(`tasks/${id}/edit`), 'data-testid': 'edit-task' },
            t('action.edit'),
          ),
        may('submit') &&
          h(
            'button',
            {
              type: 'button',
              class: 'primary',
              disabled: !task.online,
              title: task.online ? null : t('task.is-offline'),
              onclick: () => openRun(false),
              'data-testid': 'run-now',
            },
            t('run-now.button'),
          ),
      ),
  );
}

function ends(task) {
  return h(
    'div',
    { class: 'ends', key: 'ends' },
    end(t('task.from'), task.from),
    icon('arrow'),
    end(t('task.into'), task.to),
  );
}

function end(name, side) {
  return h(
    'div',
    { class: 'card end' },
    h('h2', {}, name),
    h('p', { class: 'mono end-table' }, side.table),
    h(
      'p',
      { class: 'muted' },
      h('span', { class: 'engine' }, side.db_type),
      ' ',
      h('span', { class: 'mono', title: endName(side) }, `${side.app}_${side.db}`),
    ),
  );
}

function paramsCard(task) {
  const text = task.params === null ? task.params_text : JSON.stringify(task.params, null, 2);
  const isEmpty = task.params !== null && Object.keys(task.params).length === 0;
  return h(
    'section',
    { class: 'card', key: 'params' },
    h('h2', {}, t('task.params')),
    task.params === null &&
      h('p', { class: 'problem-detail', role: 'alert' }, t('task.params-unreadable')),
    isEmpty
      ? h('p', { class: 'muted' }, t('task.no-params'))
      : h('pre', { class: 'json', tabindex: '0' }, text),
  );
}

function aboutCard(task, { work, setOnline }) {
  return h(
    'section',
    { class: 'card', key: 'about' },
    h('h2', {}, t('task.about')),
    facts([
      [t('task.description'), task.description],
      [t('task.owner'), task.owner],
      [
        t('task.online-name'),
        may('admin')
          ? h(
              'label',
              { class: 'switch' },
              h('input', {
                type: 'checkbox',
                role: 'switch',
                checked: task.online,
                'aria-disabled': work.isBusy('online'),
                'data-testid': 'online-switch',
                'aria-label': t('task.online-name'),
                onchange: (event) => setOnline(event.target.checked),
              }),
              h('span', {}, t(task.online ? 'task.online' : 'task.offline')),
            )
          : t(task.online ? 'task.online' : 'task.offline'),
      ],
    ]),
  );
}
