// Tables: a caption, columns with scopes, rows that keep their identity.
//
// On a phone each row becomes a small block (see parts.css). The roles are spelled out, because such a
// layout takes the elements' own roles away.

import { h } from '../dom.js';
import { t } from '../i18n.js';

const SKELETON_ROWS = 6;

/**
 * A table. Columns are `{ label, cell(row), class, isHeader, isSilent }`; the label of a silent column
 * is for screen readers only. `rows` are undefined until they have come.
 */
export function table({
  caption,
  columns,
  rows,
  key,
  rowProps = () => ({}),
  empty,
  isCaptionShown = false,
}) {
  return h(
    'div',
    {
      class: 'table-wrap',
      key: `table ${caption}`,
      tabindex: rows ? '0' : null,
      role: 'region',
      'aria-label': caption,
    },
    h(
      'table',
      { role: 'table', 'aria-busy': rows === undefined ? 'true' : null },
      h('caption', { class: isCaptionShown ? '' : 'visually-hidden' }, caption),
      h('thead', { role: 'rowgroup' }, h('tr', { role: 'row' }, columns.map(heading))),
      h('tbody', { role: 'rowgroup' }, body({ columns, rows, key, rowProps, empty })),
    ),
  );
}

function heading(column) {
  return h(
    'th',
    { scope: 'col', role: 'columnheader', class: column.class, key: column.label },
    h('span', { class: column.isSilent ? 'visually-hidden' : null }, column.label),
  );
}

function body({ columns, rows, key, rowProps, empty }) {
  if (rows === undefined)
    return Array.from({ length: SKELETON_ROWS }, (_, at) => skeleton(columns, at));
  if (rows.length === 0) {
    return h(
      'tr',
      { key: 'empty', role: 'row' },
      h('td', { class: 'empty', role: 'cell', colspan: columns.length }, empty ?? t('table.empty')),
    );
  }
  return rows.map((row) =>
    h(
      'tr',
      { role: 'row', key: key(row), ...rowProps(row) },
      columns.map((column) =>
        column.isHeader
          ? h('th', { scope: 'row', role: 'rowheader', class: column.class }, column.cell(row))
          : h(
              'td',
              { role: 'cell', class: column.class, 'data-label': column.label },
              column.cell(row),
            ),
      ),
    ),
  );
}

function skeleton(columns, at) {
  return h(
    'tr',
    { key: `skeleton ${at}`, class: 'skeleton', 'aria-hidden': 'true' },
    columns.map((column) => h('td', { class: column.class }, h('span', { class: 'ghost' }))),
  );
}

/** Names and values, as `[name, value, props]`; those without a value are left out. */
export function facts(entries) {
  const shown = entries.filter(
    ([, value]) => value !== null && value !== undefined && value !== '',
  );
  return h(
    'dl',
    { class: 'facts' },
    shown.map(([name, value, props = {}]) =>
      h('div', { key: name }, h('dt', {}, name), h('dd', props, value)),
    ),
  );
}
