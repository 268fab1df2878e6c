// Pauses: seen by everybody, made and ended by admins.

import { del, get, put } from '../api.js';
import { h } from '../dom.js';
import { ago } from '../format.js';
import { t } from '../i18n.js';
import { actions, live } from '../live.js';
import { button, field } from '../parts/controls.js';
import { openDialog } from '../parts/dialog.js';
import { icon } from '../parts/icons.js';
import { notify } from '../parts/notice.js';
import { loadProblem, problemBox } from '../parts/problem.js';
import { may } from '../session.js';

const SCOPES = ['fleet', 'high', 'normal', 'low'];

/** Pauses, kept up to date: `banner` for what is paused, `card` for all that can be. */
export function pausesPanel(draw) {
  const pauses = live((signal) => get('pauses', {}, signal), draw, 5_000);
  const work = actions(draw);
  return {
    banner: () => banner(pauses, work),
    card: () => card(pauses, work),
    stop: pauses.stop,
  };
}

/** The name of a pause's scope in paths: the list says `queue:low`, paths say `low`. */
function pathOf(pause) {
  return pause.scope.replace(/^queue:/, '');
}

function nameOf(scope) {
  return t(`pause.scope.${scope}`);
}

function banner(pauses, work) {
  const items = pauses.data?.items ?? [];
  if (items.length === 0) return null;
  return h(
    'div',
    { class: 'banner', role: 'status', key: 'pauses' },
    items.map((pause) =>
      h(
        'p',
        { key: pause.scope },
        icon('paused'),
        h('span', {}, details(pause)),
        may('admin') && resumeButton(pathOf(pause), pauses, work),
      ),
    ),
  );
}

function details(pause) {
  return [
    t('pause.is', { what: nameOf(pathOf(pause)) }),
    ' ',
    ago(pause.paused_at),
    pause.paused_by && ` · ${pause.paused_by}`,
    pause.reason && ` · ${pause.reason}`,
  ];
}

function card(pauses, work) {
  const paused = new Set((pauses.data?.items ?? []).map(pathOf));
  return h(
    'section',
    { class: 'card', key: 'pauses-card' },
    h('h2', {}, t('pause.title')),
    loadProblem(pauses),
    problemBox(work.problem, { dismiss: work.clear }),
    h(
      'ul',
      { class: 'plain' },
      SCOPES.map((scope) => line(scope, paused.has(scope), pauses, work)),
    ),
  );
}

function line(scope, isPaused, pauses, work) {
  const isKnown = pauses.data !== undefined;
  return h(
    'li',
    { key: scope, class: 'line' },
    h('span', {}, nameOf(scope)),
    h(
      'span',
      { class: isPaused ? 'is-paused' : 'muted' },
      isKnown && t(isPaused ? 'pause.on' : 'pause.off'),
    ),
    may('admin') && isKnown && (isPaused ? resumeButton : pauseButton)(scope, pauses, work),
  );
}

function pauseButton(scope, pauses) {
  return button(t('action.pause'), () => ask(scope, pauses), { 'data-testid': `pause-${scope}` });
}

function resumeButton(scope, pauses, work) {
  const name = `resume ${scope}`;

  async function resume() {
    await del(`pauses/${encodeURIComponent(scope)}`);
    notify(t('pause.resumed', { what: nameOf(scope) }));
    pauses.refresh();
  }

  return button(t('action.resume'), () => work.run(name, resume), {
    'aria-disabled': work.isBusy(name),
    'data-testid': `resume-${scope}`,
  });
}

function ask(scope, pauses) {
  openDialog({
    title: t('pause.ask', { what: nameOf(scope) }),
    content: () => [
      h('p', {}, t('pause.text')),
      field(
        t('pause.reason'),
        h('input', { name: 'reason', maxlength: '500', autocomplete: 'off' }),
      ),
    ],
    submitLabel: t('action.pause'),
    testid: 'pause-submit',
    submit: async ({ form }) => {
      const reason = form.elements.reason.value.trim();
      await put(`pauses/${encodeURIComponent(scope)}`, { reason: reason === '' ? null : reason });
      notify(t('pause.paused', { what: nameOf(scope) }));
      pauses.refresh();
    },
  });
}
