// One run: its progress as it happens, its shards, what became of it and why.

import { get, post } from '../api.js';
import { h } from '../dom.js';
import { percent, shortId } from '../format.js';
import { t } from '../i18n.js';
import { actions, live } from '../live.js';
import { badge } from '../parts/badge.js';
import { confirm } from '../parts/dialog.js';
import { notify } from '../parts/notice.js';
import { loadProblem, problemBox } from '../parts/problem.js';
import { taskLink } from '../parts/run_cells.js';
import { strip } from '../parts/strip.js';
import { timeline } from '../parts/timeline.js';
import { go, link } from '../router.js';
import { runFeed } from '../run_feed.js';
import { may } from '../session.js';
import { isOver, share } from '../states.js';
import { tellOf } from '../submit.js';
import {
  errorCard,
  factsCard,
  participantsSection,
  progressCard,
  rejectedSection,
} from './run_parts.js';

const MOST_REJECTED = 50;

/** The view. */
export const runView = {
  open({ draw, params: { id } }) {
    const work = actions(draw);
    const feed = runFeed(id, draw);
    const rejected = live(
      (signal) => get('rejected', { run_id: id, all: true, limit: MOST_REJECTED }, signal),
      draw,
      10_000,
    );
    const buttons = runActions(id, feed, work);

    return {
      title: () => heading(feed.now(), id),
      stop: () => {
        feed.stop();
        rejected.stop();
      },
      render: () => {
        const run = feed.now();
        return [
          head(run, id, buttons, work),
          problemBox(work.problem, { dismiss: work.clear }),
          loadProblem(feed.answer),
          feed.isBroken() &&
            h(
              'p',
              { class: 'stale', role: 'status', key: 'broken', 'data-testid': 'stream-lost' },
              t('run.stream-lost'),
            ),
          run ? body(run, feed, rejected) : !feed.answer.problem && skeleton(),
        ];
      },
    };
  },
};

function runActions(id, feed, work) {
  const path = `runs/${encodeURIComponent(id)}`;

  function cancel() {
    confirm({
      title: t('run.cancel-ask'),
      text: t('run.cancel-text'),
      submitLabel: t('run.cancel'),
      testid: 'cancel-submit',
      submit: async () => {
        const { state } = await post(`${path}/cancel`);
        notify(t(state === 'cancelled' ? 'run.cancelled' : 'run.cancelling'));
        feed.answer.refresh();
      },
    });
  }

  function rerun() {
    return work.run('rerun', async () => {
      const accepted = await post(`${path}/rerun`);
      tellOf(accepted);
      go(link(`runs/${accepted.run_id}`));
    });
  }

  return { cancel, rerun };
}

function heading(run, id) {
  const name = `${t('run.one')} ${shortId(id)}`;
  if (!run) return name;
  const done = share(run);
  return run.state === 'running' && done !== null
    ? `${percent(done)} ${name}`
    : `${t(`state.${run.state}`)} ${name}`;
}

function head(run, id, { cancel, rerun }, work) {
  return h(
    'div',
    { class: 'head', key: 'head' },
    h(
      'h1',
      { tabindex: '-1' },
      t('run.one'),
      ' ',
      h('span', { class: 'mono run-id', title: id }, shortId(id)),
    ),
    h(
      'span',
      { role: 'status', key: 'state' },
      run && badge(run.state, { 'data-testid': 'run-state', 'data-state': run.state }),
    ),
    run && h('div', { class: 'task-cell' }, taskLink(run.task_id)),
    run &&
      may('submit') &&
      h(
        'div',
        { class: 'buttons' },
        !isOver(run.state) &&
          h(
            'button',
            {
              type: 'button',
              class: 'danger',
              onclick: cancel,
              key: 'cancel',
              'data-testid': 'cancel-run',
            },
            t('run.cancel'),
          ),
        isOver(run.state) &&
          h(
            'button',
            {
              type: 'button',
              class: 'primary',
              onclick: rerun,
              'aria-disabled': work.isBusy('rerun'),
              key: 'rerun',
              'data-testid': 'rerun-run',
            },
            t(work.isBusy('rerun') ? 'action.working' : 'run.rerun'),
          ),
      ),
  );
}

function body(run, feed, rejected) {
  return [
    errorCard(run),
    progressCard(run, feed.rate()),
    h(
      'section',
      { class: 'card', key: 'shards' },
      h('h2', {}, t('shard.title-all')),
      feed.shards.list.length > 0
        ? strip(feed.shards.list, run.shards, feed.shards)
        : h('p', { class: 'muted' }, t('shard.none')),
    ),
    h(
      'div',
      { class: 'pair', key: 'pair' },
      factsCard(run),
      h('section', { class: 'card' }, h('h2', {}, t('timeline.title')), timeline(run.transitions)),
    ),
    participantsSection(run.participants),
    rejectedSection(rejected, MOST_REJECTED),
  ];
}

function skeleton() {
  return h(
    'section',
    { class: 'card skeleton', key: 'skeleton', 'aria-busy': 'true' },
    [1, 2, 3].map((line) => h('p', { key: line }, h('span', { class: 'ghost' }))),
  );
}
