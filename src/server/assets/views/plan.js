// What a run would do.

import { h } from '../dom.js';
import { t } from '../i18n.js';
import { icon } from '../parts/icons.js';
import { facts, table } from '../parts/table.js';

/** A plan. */
export function planView(plan) {
  return h(
    'section',
    { class: 'plan', 'data-testid': 'plan' },
    h('h3', {}, t('plan.title', { mode: plan.mode })),
    plan.lacks?.length > 0 &&
      h(
        'div',
        { class: 'problem', role: 'alert' },
        icon('failed'),
        h(
          'div',
          { class: 'problem-text' },
          h('p', { class: 'problem-detail' }, t('plan.lacks')),
          h(
            'ul',
            { class: 'notes' },
            plan.lacks.map((right) => h('li', { key: right }, right)),
          ),
        ),
      ),
    facts((plan.lines ?? []).map((line) => [line.heading, line.text])),
    plan.notes?.length > 0 &&
      h(
        'ul',
        { class: 'notes' },
        plan.notes.map((note) => h('li', { key: note }, note)),
      ),
    plan.columns?.length > 0 &&
      table({
        caption: t('plan.columns'),
        isCaptionShown: true,
        rows: plan.columns,
        key: (column) => `${column.source} ${column.target}`,
        columns: [
          {
            label: t('plan.source'),
            isHeader: true,
            cell: (column) => pair(column.source, column.source_type),
          },
          {
            label: t('plan.target'),
            class: 'tagged',
            cell: (column) => pair(column.target, column.target_type),
          },
          { label: t('plan.check'), class: 'tagged', cell: (column) => column.check || '–' },
          { label: t('plan.policy'), class: 'tagged', cell: (column) => column.policy || '–' },
        ],
      }),
  );
}

function pair(name, type) {
  return [h('span', { class: 'mono' }, name), ' ', h('span', { class: 'muted mono' }, type)];
}
