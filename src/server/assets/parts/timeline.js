// A run's changes of state, in order.

import { h } from '../dom.js';
import { at, between, duration } from '../format.js';
import { t } from '../i18n.js';
import { badge } from './badge.js';

/** The timeline. */
export function timeline(transitions) {
  return h(
    'ol',
    { class: 'timeline' },
    transitions.map((change, index) => {
      const next = transitions[index + 1];
      const stayed = next ? between(change.at, next.at) : null;
      return h(
        'li',
        { key: index, class: `state-${change.to_state}` },
        h(
          'div',
          { class: 'timeline-head' },
          badge(change.to_state),
          at(change.at),
          stayed !== null &&
            h('span', { class: 'muted' }, t('timeline.stayed', { d: duration(stayed) })),
        ),
        h('p', { class: 'muted' }, details(change)),
        change.reason && h('p', { class: 'timeline-reason' }, change.reason),
      );
    }),
  );
}

function details(change) {
  const parts = [];
  if (change.attempt > 0) parts.push(t('timeline.attempt', { n: change.attempt }));
  if (change.worker) parts.push(change.worker);
  return parts.join(' · ');
}
