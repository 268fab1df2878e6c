// Creating and editing a task.

import { get, post, put } from '../api.js';
import { h } from '../dom.js';
import { t } from '../i18n.js';
import { actions, live } from '../live.js';
import { jsonField, readObject, writeObject } from '../parts/json_field.js';
import { notify } from '../parts/notice.js';
import { loadProblem, problemBox } from '../parts/problem.js';
import { go, link } from '../router.js';
import { may } from '../session.js';

const ENGINES = ['mysql', 'postgres', 'sqlite'];
const NEW = {
  from: { app: '', db_type: 'mysql', db: '', table: '' },
  to: { app: '', db_type: 'postgres', db: '', table: '' },
  params: {},
  params_text: '',
  online: true,
  description: '',
  owner: '',
};

/** The view of a new task. */
export const taskNewView = {
  open: ({ draw }) =>
    form(draw, {
      title: () => t('task.new'),
      back: link('tasks'),
      save: async (content) => {
        const task = await post('tasks', content);
        notify(t('task.created', { id: task.id }));
        go(link(`tasks/${task.id}`));
      },
      task: { data: NEW, problem: null, stop: () => {} },
    }),
};

/** The view of a task that is edited. It is read once: what is being typed must not change. */
export const taskEditView = {
  open: ({ draw, params: { id } }) =>
    form(draw, {
      title: () => t('task.edit-title', { id }),
      back: link(`tasks/${id}`),
      save: async (content) => {
        await put(`tasks/${encodeURIComponent(id)}`, content);
        notify(t('task.saved', { id }));
        go(link(`tasks/${id}`));
      },
      task: live((signal) => get(`tasks/${encodeURIComponent(id)}`, {}, signal), draw, Infinity),
    }),
};

function form(draw, { title, back, save, task }) {
  const work = actions(draw);
  // The first answer is what the form begins with.
  let start;

  async function onsubmit(event) {
    event.preventDefault();
    const { elements } = event.target;
    await work.run('save', () => save(read(elements)));
    if (work.problem) document.querySelector('.problem')?.scrollIntoView({ block: 'nearest' });
  }

  return {
    title,
    stop: task.stop,
    render: () => {
      start ??= task.data;
      return h(
        'section',
        { class: 'narrow-form' },
        h('div', { class: 'head' }, h('h1', { tabindex: '-1' }, title())),
        loadProblem(task),
        !may('admin') && h('p', { class: 'problem-detail' }, t('task.edit-forbidden')),
        start &&
          may('admin') &&
          h(
            'form',
            { onsubmit, class: 'task-form' },
            fields(start),
            problemBox(work.problem),
            h(
              'div',
              { class: 'buttons' },
              h('a', { class: 'button', href: back }, t('action.cancel')),
              h(
                'button',
                {
                  class: 'primary',
                  'aria-disabled': work.isBusy('save'),
                  'data-testid': 'save-task',
                },
                t(work.isBusy('save') ? 'action.working' : 'action.save'),
              ),
            ),
          ),
      );
    },
  };
}

function fields(task) {
  return [
    h(
      'div',
      { class: 'pair' },
      side('from', t('task.from'), task.from),
      side('to', t('task.into'), task.to),
    ),
    jsonField({
      name: 'params',
      label: t('task.params'),
      rows: 10,
      testid: 'task-params',
      value: task.params === null ? task.params_text : writeObject(task.params),
      hint: hasComments(task) ? t('task.comments-lost') : t('task.params-hint'),
    }),
    h(
      'label',
      { class: 'field' },
      h('span', {}, t('task.description')),
      h('textarea', {
        name: 'description',
        rows: 2,
        defaultValue: task.description,
        'data-testid': 'task-description',
      }),
    ),
    h(
      'label',
      { class: 'field' },
      h('span', {}, t('task.owner')),
      h('input', {
        name: 'owner',
        defaultValue: task.owner,
        autocomplete: 'off',
        maxlength: '100',
      }),
    ),
    h(
      'label',
      { class: 'tick' },
      h('input', {
        type: 'checkbox',
        name: 'online',
        mounted: (box) => {
          box.checked = task.online;
        },
      }),
      h('span', {}, t('task.online')),
    ),
  ];
}

function side(name, title, end) {
  const input = (part, label, hint) =>
    h(
      'label',
      { class: 'field' },
      h('span', {}, label),
      h('input', {
        name: `${name}.${part}`,
        defaultValue: end[part],
        required: true,
        autocomplete: 'off',
        spellcheck: 'false',
        'data-testid': `${name}-${part}`,
      }),
      hint && h('small', { class: 'muted' }, hint),
    );
  const engines = ENGINES.includes(end.db_type) ? ENGINES : [...ENGINES, end.db_type];
  return h(
    'fieldset',
    { class: 'card' },
    h('legend', {}, title),
    h(
      'label',
      { class: 'field' },
      h('span', {}, t('task.engine')),
      h(
        'select',
        { name: `${name}.db_type` },
        engines.map((engine) =>
          h('option', { value: engine, key: engine, selected: engine === end.db_type }, engine),
        ),
      ),
    ),
    input('app', t('task.app')),
    input('db', t('task.db'), t('task.db-hint')),
    input('table', t('task.table'), t('task.table-hint')),
  );
}

/** Params may be written with comments and trailing commas; what is saved here has none. */
function hasComments(task) {
  if (task.params === null || task.params_text.trim() === '') return false;
  try {
    JSON.parse(task.params_text);
    return false;
  } catch {
    return true;
  }
}

function read(elements) {
  const end = (name) =>
    Object.fromEntries(
      ['app', 'db_type', 'db', 'table'].map((part) => [
        part,
        elements.namedItem(`${name}.${part}`).value.trim(),
      ]),
    );
  return {
    from: end('from'),
    to: end('to'),
    params: readObject(elements.namedItem('params').value),
    online: elements.namedItem('online').checked,
    description: elements.namedItem('description').value.trim(),
    owner: elements.namedItem('owner').value.trim(),
  };
}
