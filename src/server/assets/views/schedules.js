// All schedules.

import { get } from '../api.js';
import { h } from '../dom.js';
import { ago } from '../format.js';
import { known, t } from '../i18n.js';
import { live } from '../live.js';
import * as names from '../names.js';
import { pager, paging } from '../parts/pager.js';
import { loadProblem } from '../parts/problem.js';
import { runLink, taskLink } from '../parts/run_cells.js';
import { table } from '../parts/table.js';
import { replaceQuery } from '../router.js';

const PAGE = 50;

/** The view. */
export const schedulesView = {
  open({ draw, query }) {
    const pages = paging(query.after, (after) => {
      replaceQuery({ after });
      schedules.refresh();
    });
    const schedules = live(load, draw, 5_000);

    async function load(signal) {
      const page = await get('schedules', { after: pages.after, limit: PAGE }, signal);
      names.want(
        page.items.map((schedule) => schedule.task_id),
        draw,
      );
      return page;
    }

    return {
      title: () => t('nav.schedules'),
      stop: schedules.stop,
      render: () => [
        h(
          'div',
          { class: 'head', key: 'head' },
          h('h1', { tabindex: '-1' }, t('nav.schedules')),
          h('p', { class: 'muted' }, t('schedule.hint')),
        ),
        loadProblem(schedules),
        table({
          caption: t('nav.schedules'),
          columns: columns(),
          rows: schedules.data?.items,
          key: (schedule) => schedule.task_id,
          rowProps: (schedule) => ({
            'data-testid': `schedule-row-${schedule.task_id}`,
            class: schedule.enabled ? '' : 'is-off',
          }),
          empty: t('schedule.none-at-all'),
        }),
        pager(pages, schedules.data),
      ],
    };
  },
};

function columns() {
  return [
    {
      label: t('task.one'),
      isHeader: true,
      class: 'grow',
      cell: (schedule) => [
        h('div', { class: 'task-cell' }, taskLink(schedule.task_id)),
        schedule.last_error &&
          h(
            'p',
            { class: 'problem-detail' },
            t('schedule.last-error', { what: schedule.last_error }),
          ),
      ],
    },
    { label: t('schedule.cron'), class: 'nowrap mono', cell: (schedule) => schedule.cron },
    { label: t('schedule.zone'), class: 'nowrap wide', cell: (schedule) => schedule.time_zone },
    { label: t('run.mode'), class: 'wide', cell: (schedule) => schedule.mode ?? t('run.own-mode') },
    {
      label: t('schedule.missed'),
      class: 'wide',
      cell: (schedule) => known(`schedule.missed.${schedule.missed}`, schedule.missed),
    },
    {
      label: t('schedule.next'),
      class: 'nowrap tagged',
      cell: (schedule) => (schedule.enabled ? ago(schedule.next_at) : t('schedule.off')),
    },
    {
      label: t('schedule.last'),
      class: 'nowrap tagged',
      cell: (schedule) => [
        ago(schedule.last_at),
        schedule.last_run_id && h('div', {}, runLink(schedule.last_run_id)),
      ],
    },
  ];
}
