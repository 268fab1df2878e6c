// A task's schedule: shown, edited, deleted.

import { del, get, put } from '../api.js';
import { h } from '../dom.js';
import { ago, atAndAgo } from '../format.js';
import { known, t } from '../i18n.js';
import { live } from '../live.js';
import { button, checkbox, field, select } from '../parts/controls.js';
import { confirm, openDialog } from '../parts/dialog.js';
import { notify } from '../parts/notice.js';
import { loadProblem } from '../parts/problem.js';
import { runLink } from '../parts/run_cells.js';
import { facts } from '../parts/table.js';
import { may } from '../session.js';
import { MODES } from '../states.js';

const MISSED = ['skip', 'one', 'all'];

/** The panel; its data is null for a task without a schedule. */
export function schedulePanel(id, draw) {
  const path = `tasks/${encodeURIComponent(id)}/schedule`;
  const schedule = live(load, draw, 10_000);

  async function load(signal) {
    try {
      return await get(path, {}, signal);
    } catch (problem) {
      if (problem.isMissing) return null;
      throw problem;
    }
  }

  function edit() {
    openDialog({
      title: t(schedule.data ? 'schedule.edit' : 'schedule.new'),
      content: () => fields(schedule.data),
      submitLabel: t('action.save'),
      testid: 'schedule-save',
      submit: async ({ form }) => {
        await put(path, read(form));
        notify(t('schedule.saved'));
        schedule.refresh();
      },
    });
  }

  function remove() {
    confirm({
      title: t('schedule.delete-ask', { id }),
      text: t('schedule.delete-text'),
      submitLabel: t('action.delete'),
      testid: 'schedule-delete-submit',
      submit: async () => {
        await del(path);
        notify(t('schedule.deleted'));
        schedule.refresh();
      },
    });
  }

  return { card: () => card(schedule, { edit, remove }), stop: schedule.stop };
}

function card(schedule, { edit, remove }) {
  const { data } = schedule;
  const editLabel = t(data ? 'action.edit' : 'schedule.new');
  return h(
    'section',
    { class: 'card', key: 'schedule', 'data-testid': 'schedule' },
    h(
      'div',
      { class: 'card-head' },
      h('h2', {}, t('schedule.title')),
      may('admin') &&
        data !== undefined &&
        h(
          'div',
          { class: 'buttons' },
          button(editLabel, edit, { 'data-testid': 'schedule-edit' }),
          data && button(t('action.delete'), remove, { 'data-testid': 'schedule-delete' }),
        ),
    ),
    loadProblem(schedule),
    data === null && h('p', { class: 'muted' }, t('schedule.none')),
    data?.last_error &&
      h('p', { class: 'problem-detail' }, t('schedule.last-error', { what: data.last_error })),
    data && shown(data),
  );
}

function shown(schedule) {
  return facts([
    [
      t('schedule.cron'),
      [
        h('span', { class: 'mono' }, schedule.cron),
        ' ',
        h('span', { class: 'muted' }, schedule.time_zone),
      ],
    ],
    [t('schedule.state'), t(schedule.enabled ? 'schedule.on' : 'schedule.off')],
    [t('run.mode'), schedule.mode ?? t('run.own-mode')],
    [t('schedule.missed'), known(`schedule.missed.${schedule.missed}`, schedule.missed)],
    [t('schedule.next'), schedule.next_at && atAndAgo(schedule.next_at)],
    [
      t('schedule.last'),
      schedule.last_at && [
        ago(schedule.last_at),
        ' ',
        schedule.last_run_id && runLink(schedule.last_run_id),
      ],
    ],
  ]);
}

function fields(schedule) {
  const zone = schedule?.time_zone ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
  const modes = [
    ['', t('run.own-mode')],
    ...MODES.map((mode) => [mode, `${mode}: ${t(`mode.${mode}`)}`]),
  ];
  const missed = MISSED.map((name) => [name, t(`schedule.missed.${name}`)]);
  const text = (name, value, testid) =>
    h('input', {
      name,
      required: true,
      class: 'mono',
      defaultValue: value,
      autocomplete: 'off',
      spellcheck: 'false',
      'data-testid': testid,
    });
  return [
    field(
      t('schedule.cron'),
      text('cron', schedule?.cron ?? '0 3 * * *', 'schedule-cron'),
      t('schedule.cron-hint'),
    ),
    field(t('schedule.zone'), text('time_zone', zone, 'schedule-zone')),
    field(t('run.mode'), select('mode', modes, schedule?.mode ?? '')),
    field(t('schedule.missed'), select('missed', missed, schedule?.missed ?? 'one')),
    checkbox('enabled', t('schedule.on'), schedule?.enabled ?? true),
  ];
}

function read(form) {
  const { cron, time_zone: zone, mode, missed, enabled } = form.elements;
  return {
    cron: cron.value.trim(),
    time_zone: zone.value.trim(),
    mode: mode.value || null,
    missed: missed.value,
    enabled: enabled.checked,
  };
}
