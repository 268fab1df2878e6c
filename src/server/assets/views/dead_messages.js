// Messages of the dead queue that never became a run: nobody could read them, or their task is gone.

import { get } from '../api.js';
import { h } from '../dom.js';
import { number } from '../format.js';
import { t } from '../i18n.js';
import { loadProblem } from '../parts/problem.js';
import { reason, taskLink } from '../parts/run_cells.js';
import { table } from '../parts/table.js';
import { may } from '../session.js';

const MOST = 100;

/** The messages that the filter lets through, the oldest first; others are not `chosen` any more. */
export async function loadMessages(filter, chosen, signal) {
  const found = await get('dead/messages', { ...filter.values, limit: MOST }, signal);
  const listed = new Set(found.items.map((message) => message.message_id));
  for (const name of chosen) if (!listed.has(name)) chosen.delete(name);
  // Names need not be unique: two messages with the same body and no id have the same.
  return { ...found, items: found.items.map((message, at) => ({ ...message, at })) };
}

/** Their table, or that there are none, as is usual. */
export function messageTable(messages, chosen, draw) {
  const { data, refresh } = messages;
  const isSome = data !== undefined && data.items.length > 0;
  return h(
    'section',
    { key: 'messages', class: 'dead-messages', 'data-testid': 'dead-messages' },
    h(
      'div',
      { class: 'head' },
      h('h2', {}, t('dead.messages')),
      h('button', { type: 'button', onclick: refresh }, t('action.refresh')),
    ),
    data !== undefined &&
      h('p', { class: 'muted' }, t(isSome ? 'dead.messages-text' : 'dead.messages-none')),
    loadProblem(messages),
    isSome &&
      table({
        caption: t('dead.messages'),
        columns: columns(chosen, draw),
        rows: data.items,
        key: (message) => message.at,
        rowProps: (message) => ({ class: chosen.has(message.message_id) ? 'is-chosen' : '' }),
      }),
    isSome &&
      data.more > 0 && h('p', { class: 'muted' }, t('dead.messages-more', { n: number(data.more) })),
  );
}

function columns(chosen, draw) {
  const box = {
    label: t('dead.choose'),
    isSilent: true,
    class: 'tight',
    cell: ({ message_id }) =>
      h('input', {
        type: 'checkbox',
        checked: chosen.has(message_id),
        'data-testid': `dead-select-${message_id}`,
        'aria-label': t('dead.choose-message', { id: message_id }),
        onchange: (event) => {
          if (event.target.checked) chosen.add(message_id);
          else chosen.delete(message_id);
          draw();
        },
      }),
  };
  return [
    ...(may('submit') ? [box] : []),
    {
      label: t('dead.message'),
      isHeader: true,
      class: 'clip',
      cell: ({ message_id }) => h('span', { class: 'mono', title: message_id }, message_id),
    },
    { label: t('dead.why'), class: 'grow', cell: why },
  ];
}

function why(message) {
  const more = message.body_more > 0 ? t('dead.body-more', { n: number(message.body_more) }) : '';
  return [
    message.task_id !== null && h('div', { class: 'task-cell' }, taskLink(message.task_id)),
    reason(message),
    h('code', { class: 'body' }, message.body, more),
  ];
}
