// A small line of past values.

import { h } from '../dom.js';

const HEIGHT = 40;

/** A line of values, the latest at the right; `capacity` is how many fill the width. */
export function sparkline(values, { label, capacity }) {
  const most = Math.max(...values, 1);
  const start = capacity - values.length;
  const points = values.map(
    (value, at) => `${start + at},${(HEIGHT - 1 - (value / most) * (HEIGHT - 4)).toFixed(1)}`,
  );
  const area =
    values.length > 1
      ? `M${start},${HEIGHT} L${points.join(' L')} L${capacity - 1},${HEIGHT} Z`
      : '';
  return h(
    'svg',
    {
      class: 'sparkline',
      viewBox: `0 0 ${capacity - 1} ${HEIGHT}`,
      preserveAspectRatio: 'none',
      role: 'img',
      'aria-label': label,
    },
    h('path', { class: 'sparkline-area', d: area, key: 'area' }),
    h('polyline', { points: points.join(' '), key: 'line' }),
  );
}
