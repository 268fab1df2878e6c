// Short notices of what was done, for eyes and for screen readers.

import { h, patch } from '../dom.js';
import { t } from '../i18n.js';

/** How long a notice stays. */
const SHOWN_MS = 8_000;

let region = null;
let shown = [];
let count = 0;

function draw() {
  if (!region) {
    region = document.createElement('div');
    region.className = 'notices';
    region.setAttribute('role', 'status');
    region.setAttribute('aria-live', 'polite');
    document.body.append(region);
  }
  patch(
    region,
    shown.map((notice) =>
      h(
        'div',
        { class: 'notice', key: notice.id, 'data-testid': 'notice' },
        h('span', {}, notice.text),
        notice.link &&
          h('a', { href: notice.link.href, onclick: () => remove(notice) }, notice.link.text),
        h(
          'button',
          {
            type: 'button',
            class: 'quiet',
            'aria-label': t('action.dismiss'),
            onclick: () => remove(notice),
          },
          '×',
        ),
      ),
    ),
  );
}

function remove(notice) {
  shown = shown.filter((other) => other !== notice);
  draw();
}

/** Shows a notice, with a link if there is more to see. */
export function notify(text, link) {
  const notice = { id: (count += 1), text, link };
  shown = [...shown.slice(-2), notice];
  draw();
  setTimeout(() => remove(notice), SHOWN_MS);
}
/** Has the region ready: screen readers only tell of changes to what is there. */
export function prepareNotices() {
  draw();
}
