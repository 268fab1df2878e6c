// Submitting a run of a task with a choice of its own, and seeing before what it would do.

import { post } from '../api.js';
import { h } from '../dom.js';
import { t } from '../i18n.js';
import { openDialog } from '../parts/dialog.js';
import { jsonField, readObject } from '../parts/json_field.js';
import { problemBox } from '../parts/problem.js';
import { may } from '../session.js';
import { MODES } from '../states.js';
import { submitter } from '../submit.js';
import { planView } from './plan.js';

const PRIORITIES = ['low', 'normal', 'high'];

/** Opens the dialog; with `isPlanned` the plan is asked for at once. `submitted` is called with the run. */
export function openRunDialog(task, { isPlanned = false, submitted = () => {} } = {}) {
  const submit = submitter();
  const plan = { data: null, problem: null, isBusy: false };

  async function showPlan(dialog) {
    if (plan.isBusy || !dialog.form.reportValidity()) return;
    Object.assign(plan, { problem: null, isBusy: true });
    dialog.draw();
    try {
      const { mode, params } = read(dialog.form);
      plan.data = await post(`tasks/${task.id}/plan`, { mode, params });
    } catch (problem) {
      if (problem.status === undefined) console.error(problem);
      Object.assign(plan, { data: null, problem });
    }
    plan.isBusy = false;
    dialog.draw();
  }

  const dialog = openDialog({
    title: t(isPlanned ? 'plan.of' : 'run-now.title', { id: task.id }),
    isWide: true,
    content: () => [fields(task), planSection(plan)],
    submitLabel: t('action.run'),
    testid: 'run-now-submit',
    submit:
      may('submit') && task.online
        ? async ({ form }) => {
            const values = read(form);
            submitted(await submit({ task_id: task.id, ...values }));
          }
        : null,
    buttons: (opened) =>
      h(
        'button',
        {
          type: 'button',
          'aria-disabled': plan.isBusy,
          onclick: () => showPlan(opened),
          'data-testid': 'plan-show',
        },
        t(plan.isBusy ? 'action.working' : 'action.plan'),
      ),
  });
  if (isPlanned) showPlan(dialog);
}

/** What the form says. Its JSON is valid: the browser has checked it. */
function read(form) {
  const { mode, params, priority, delay } = form.elements;
  const wanted = { mode: mode.value || null, params: readObject(params.value) };
  if (priority) wanted.priority = priority.value;
  if (delay && delay.value.trim() !== '') wanted.delay = delay.value.trim();
  return wanted;
}

function fields(task) {
  const own = task.params?.mode ?? 'init';
  return [
    h(
      'div',
      { class: 'field-row', key: 'row' },
      h(
        'label',
        { class: 'field' },
        h('span', {}, t('run.mode')),
        h(
          'select',
          { name: 'mode', 'data-testid': 'run-now-mode' },
          h('option', { value: '' }, t('run-now.own-mode', { mode: own })),
          MODES.map((mode) =>
            h('option', { value: mode, key: mode }, `${mode}: ${t(`mode.${mode}`)}`),
          ),
        ),
      ),
      h(
        'label',
        { class: 'field' },
        h('span', {}, t('run.priority')),
        h(
          'select',
          { name: 'priority', 'data-testid': 'run-now-priority' },
          PRIORITIES.map((priority) =>
            h(
              'option',
              { value: priority, key: priority, selected: priority === 'normal' },
              t(`scope.${priority}`),
            ),
          ),
        ),
      ),
      h(
        'label',
        { class: 'field' },
        h('span', {}, t('run-now.delay')),
        h('input', {
          name: 'delay',
          placeholder: '10m',
          autocomplete: 'off',
          'data-testid': 'run-now-delay',
        }),
      ),
    ),
    jsonField({
      name: 'params',
      label: t('run-now.params'),
      hint: t('run-now.params-hint'),
      rows: 4,
      testid: 'run-now-params',
    }),
  ];
}

function planSection(plan) {
  return h(
    'div',
    { key: 'plan', 'aria-live': 'polite', 'aria-busy': plan.isBusy ? 'true' : null },
    plan.isBusy && h('p', { class: 'muted' }, t('plan.asking')),
    problemBox(plan.problem),
    plan.data && planView(plan.data),
  );
}
