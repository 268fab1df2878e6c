// What is around every view: navigation, language, theme, who is signed in.

import { h } from './dom.js';
import { currentLanguage, t, toggleLanguage } from './i18n.js';
import { showKeys } from './keys.js';
import { button } from './parts/controls.js';
import { icon } from './parts/icons.js';
import { notify } from './parts/notice.js';
import { problemText } from './parts/problem.js';
import { link } from './router.js';
import * as session from './session.js';
import { theme, toggleTheme } from './settings.js';

const NAVIGATION = [
  ['overview', '', ['']],
  ['tasks', 'tasks', ['tasks', 'tasks/:id', 'tasks/new', 'tasks/:id/edit']],
  ['runs', 'runs', ['runs', 'runs/:id']],
  ['dead', 'dead', ['dead']],
  ['workers', 'workers', ['workers']],
  ['schedules', 'schedules', ['schedules']],
];

/** The whole page. */
export function shell({ shown, isReachable, draw, signedOut }) {
  return [
    h('a', { class: 'skip', href: '#main', onclick: skip, key: 'skip' }, t('shell.skip')),
    h(
      'header',
      { class: 'top', key: 'top' },
      h('a', { class: 'brand', href: link('') }, 'goshift'),
      session.current() &&
        h(
          'nav',
          { class: 'tabs', 'aria-label': t('shell.navigation'), key: 'nav' },
          NAVIGATION.map((entry) => tab(entry, shown?.pattern)),
        ),
      h('div', { class: 'tools', key: 'tools' }, tools(draw, signedOut)),
    ),
    h(
      'div',
      { class: 'connection', role: 'status', 'aria-live': 'polite', key: 'connection' },
      !isReachable &&
        h('p', { class: 'connection-lost', 'data-testid': 'connection-lost' }, t('shell.lost')),
    ),
    h(
      'main',
      { id: 'main', tabindex: '-1', key: `main ${shown?.key ?? ''}` },
      shown ? shown.instance.render() : h('p', { class: 'muted' }, t('shell.loading')),
    ),
  ];
}

/** The address bar belongs to the views, so that the skip link can't use it. */
function skip(event) {
  event.preventDefault();
  document.getElementById('main').focus();
}

function tab([name, path, patterns], pattern) {
  const isHere = patterns.includes(pattern);
  return h(
    'a',
    {
      href: link(path),
      'aria-current': isHere ? 'page' : null,
      'data-testid': `nav-${name}`,
      key: name,
    },
    t(`nav.${name}`),
  );
}

function tools(draw, signedOut) {
  const who = session.current();
  const isDark = theme() === 'dark';
  const quiet = (name, text, onclick, props = {}) =>
    button(text, onclick, { class: 'quiet', key: name, 'data-testid': name, ...props });
  const named = (name) => ({ title: name, 'aria-label': name });
  const change = (setting) => () => {
    setting();
    draw();
  };
  return [
    who && h('span', { class: 'role', key: 'role', 'data-testid': 'role' }, t(`role.${who.role}`)),
    who?.by === 'session' && quiet('sign-out', t('shell.sign-out'), () => leave(signedOut)),
    quiet('keys', '?', showKeys, named(t('keys.title'))),
    quiet('language', t('shell.other-language'), change(toggleLanguage), {
      lang: currentLanguage() === 'en' ? 'zh-CN' : 'en',
    }),
    quiet(
      'theme',
      icon(isDark ? 'sun' : 'moon'),
      change(toggleTheme),
      named(t(isDark ? 'shell.to-light' : 'shell.to-dark')),
    ),
  ];
}

async function leave(signedOut) {
  try {
    await session.signOut();
    signedOut();
  } catch (problem) {
    const { detail, remedy } = problemText(problem);
    notify([detail, remedy].filter(Boolean).join(' → '));
  }
}
