// Small pictures: a state is told by its shape, too.

import { h } from '../dom.js';

const PATHS = {
  submitted: 'M8 2.5a5.5 5.5 0 1 0 0 11a5.5 5.5 0 1 0 0-11M8 5v3l2 1.5',
  running: 'M5 3.2v9.6L12.5 8z',
  retrying: 'M13 8a5 5 0 1 1-1.6-3.7M13 2.2v3h-3',
  succeeded: 'M3 8.5l3.3 3.3L13 4.8',
  failed: 'M4 4l8 8M12 4l-8 8',
  cancelled: 'M8 2.5a5.5 5.5 0 1 0 0 11a5.5 5.5 0 1 0 0-11M4.2 11.8l7.6-7.6',
  working: 'M3 8.5l3.3 3.3L13 4.8',
  draining: 'M8 3v9M4.2 8.6L8 12.4l3.8-3.8',
  lost: 'M8 3.2v5.6M8 12.4v.2',
  paused: 'M5.5 3.5v9M10.5 3.5v9',
  active: 'M5 3.2v9.6L12.5 8z',
  left: 'M3 8.5l3.3 3.3L13 4.8',
  sun:
    'M8 5a3 3 0 1 0 0 6a3 3 0 1 0 0-6M8 1v1.6M8 13.4V15M1 8h1.6M13.4 8H15' +
    'M3 3l1.2 1.2M11.8 11.8L13 13M13 3l-1.2 1.2M4.2 11.8L3 13',
  moon: 'M12.8 9.8A5.6 5.6 0 0 1 6.2 3.2a5.6 5.6 0 1 0 6.6 6.6z',
  arrow: 'M2.5 8h11M9.5 4l4 4-4 4',
  back: 'M10 3.5L5.5 8l4.5 4.5',
  forward: 'M6 3.5L10.5 8L6 12.5',
};

/** An icon; it says nothing that the text beside it does not. */
export function icon(name) {
  return h(
    'svg',
    { class: `icon icon-${name}`, viewBox: '0 0 16 16', 'aria-hidden': 'true' },
    h('path', { d: PATHS[name] ?? PATHS.submitted }),
  );
}
