// A state, by colour, shape and word.

import { h } from '../dom.js';
import { known, t } from '../i18n.js';
import { icon } from './icons.js';

/** The badge of a state of a run, a worker or a participant. */
export function badge(state, props = {}) {
  if (!state) return h('span', { class: 'muted' }, '–');
  return h(
    'span',
    { ...props, class: `badge state-${state}` },
    icon(state),
    known(`state.${state}`, state),
  );
}

/** Whether a task may run. */
export function onlineBadge(online) {
  return h(
    'span',
    { class: online ? 'online is-online' : 'online' },
    t(online ? 'task.online' : 'task.offline'),
  );
}
