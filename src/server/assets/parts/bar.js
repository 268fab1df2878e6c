// Bars: how much of something is done.

import { h } from '../dom.js';
import { percent } from '../format.js';
import { t } from '../i18n.js';
import { share } from '../states.js';

/** A bar filled to a share from 0 to 1; null is "not known". */
export function bar(filled, { state = 'running', label, ...props } = {}) {
  const isKnown = filled !== null;
  return h(
    'div',
    {
      ...props,
      class: `bar state-${state}${isKnown ? '' : ' is-unknown'}`,
      role: 'progressbar',
      'aria-label': label ?? t('run.progress'),
      'aria-valuemin': '0',
      'aria-valuemax': '100',
      'aria-valuenow': isKnown ? Math.floor(filled * 100) : null,
    },
    h('div', { class: 'bar-fill', style: { width: `${isKnown ? filled * 100 : 100}%` } }),
  );
}

/** A run's small bar with its percentage, for lists. */
export function runBar(run) {
  const done = share(run);
  return h(
    'div',
    { class: 'bar-cell' },
    bar(done, { state: run.state }),
    h('span', { class: 'num' }, done === null ? '…' : percent(done)),
  );
}
