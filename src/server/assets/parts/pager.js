// Going through a list by cursors, one page at a time.

import { h } from '../dom.js';
import { t } from '../i18n.js';
import { icon } from './icons.js';

/**
 * The way through a list. Cursors only lead forward, so that the way back is kept here; it starts at the
 * page that a shared link named. `moved` is called with the new cursor.
 */
export function paging(start, moved) {
  const state = { after: start ?? null, trail: start ? [null] : [], forward, back, reset };

  function forward(next) {
    state.trail.push(state.after);
    state.after = next;
    moved(next);
  }

  function back() {
    state.after = state.trail.pop() ?? null;
    moved(state.after);
  }

  /** Starts over, at the first page or at the one that a link named. */
  function reset(start) {
    state.trail = start ? [null] : [];
    state.after = start ?? null;
  }

  return state;
}

/** The buttons; nothing where one page holds all. */
export function pager(pages, page) {
  const isFirst = pages.trail.length === 0;
  if (isFirst && !page?.next) return null;
  return h(
    'nav',
    { class: 'pager', 'aria-label': t('pager.label'), key: 'pager' },
    h(
      'button',
      { type: 'button', disabled: isFirst, onclick: pages.back, 'data-testid': 'page-back' },
      icon('back'),
      t('pager.back'),
    ),
    h('span', { class: 'muted num' }, t('pager.page', { n: pages.trail.length + 1 })),
    h(
      'button',
      {
        type: 'button',
        disabled: !page?.next,
        onclick: () => pages.forward(page.next),
        'data-testid': 'page-next',
      },
      t('pager.next'),
      icon('forward'),
    ),
  );
}
