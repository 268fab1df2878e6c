// The keyboard: keys that work wherever nobody is typing.

import { h } from './dom.js';
import { t } from './i18n.js';
import { openDialog } from './parts/dialog.js';
import { go, link } from './router.js';
import * as session from './session.js';

const PLACES = { o: '', t: 'tasks', r: 'runs', d: 'dead', w: 'workers', s: 'schedules' };
const PLACE_NAMES = {
  o: 'overview',
  t: 'tasks',
  r: 'runs',
  d: 'dead',
  w: 'workers',
  s: 'schedules',
};
/** How long after `g` the second key may come. */
const SECOND_KEY_MS = 1_500;

let goingUntil = 0;

/** Listens to the keyboard. */
export function startKeys() {
  addEventListener('keydown', onKey);
}

function isTyping(target) {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || target.matches('input:not([type=checkbox]), textarea, select'))
  );
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (isTyping(event.target) || document.querySelector('dialog[open]')) return;
  const isGoing = performance.now() < goingUntil;
  goingUntil = 0;
  if (isGoing && event.key in PLACES && session.current()) {
    go(link(PLACES[event.key]));
  } else if (event.key === 'g') {
    goingUntil = performance.now() + SECOND_KEY_MS;
    return;
  } else if (event.key === '/') {
    const search = document.querySelector('[data-search]');
    if (!search) return;
    search.focus();
    search.select();
  } else if (event.key === '?') {
    showKeys();
  } else {
    return;
  }
  event.preventDefault();
}

/** Shows which keys there are. */
export function showKeys() {
  const rows = [
    ['/', t('keys.search')],
    ...Object.entries(PLACE_NAMES).map(([key, name]) => [`g ${key}`, t(`nav.${name}`)]),
    ['?', t('keys.title')],
    ['Esc', t('keys.close')],
  ];
  openDialog({
    title: t('keys.title'),
    content: () =>
      h(
        'dl',
        { class: 'keys' },
        rows.map(([keys, text]) =>
          h(
            'div',
            {},
            h(
              'dt',
              {},
              keys.split(' ').map((key) => h('kbd', {}, key)),
            ),
            h('dd', {}, text),
          ),
        ),
      ),
  });
}
