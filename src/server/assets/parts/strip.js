// A run's shards as a strip of cells.

import { h } from '../dom.js';
import { number } from '../format.js';
import { t } from '../i18n.js';
import { cells } from '../shards.js';

/** More cells than this can't be told apart; then a cell stands for several shards. */
const MOST_CELLS = 2_000;
const AGGREGATED_CELLS = 1_000;
const STATES = ['done', 'held', 'open'];

/** The strip with its legend. `counts` are the run's shards by state. */
export function strip(list, counts, { isCut }) {
  const isMany = list.length > MOST_CELLS;
  const shown = cells(list, isMany ? AGGREGATED_CELLS : MOST_CELLS);
  const perCell = shown.length > 0 ? Math.ceil(list.length / shown.length) : 1;
  const count = (state) => counts.find((one) => one.state === state)?.shards ?? 0;
  const summary = STATES.map((state) => `${number(count(state))} ${t(`shard.${state}`)}`).join(
    ', ',
  );
  return h(
    'div',
    { key: 'strip' },
    h(
      'p',
      { class: 'legend' },
      STATES.map((state) =>
        h(
          'span',
          { key: state },
          h('span', { class: `cell cell-${state}`, 'aria-hidden': 'true' }),
          ` ${t(`shard.${state}`)} `,
          h('b', { class: 'num' }, number(count(state))),
        ),
      ),
      isMany && h('span', { class: 'muted' }, t('shard.per-cell', { n: number(perCell) })),
      isCut && h('span', { class: 'muted' }, t('shard.cut', { n: number(list.length) })),
    ),
    h(
      'div',
      {
        class: 'strip',
        role: 'img',
        'aria-label': t('shard.strip', { summary }),
        'data-testid': 'shard-strip',
      },
      shown.map((cell) =>
        h('span', {
          key: cell.first,
          class: `cell cell-${cell.state}`,
          title: title(cell),
          style:
            cell.first === cell.last ? undefined : { '--done': `${Math.round(cell.done * 100)}%` },
        }),
      ),
    ),
  );
}

function title(cell) {
  if (cell.first === cell.last) {
    return t('shard.title', {
      no: number(cell.first),
      state: t(`shard.${cell.state}`),
      rows: number(cell.rows),
    });
  }
  const states = STATES.filter((state) => cell.count[state] > 0)
    .map((state) => `${cell.count[state]} ${t(`shard.${state}`)}`)
    .join(', ');
  return t('shard.titles', {
    first: number(cell.first),
    last: number(cell.last),
    states,
    rows: number(cell.rows),
  });
}
