// What went wrong and what to do: always both, if the server says both.

import { h } from '../dom.js';
import { t } from '../i18n.js';
import { icon } from './icons.js';

/** What a problem says, in the page's words where the server could not be asked. */
export function problemText(problem) {
  if (problem.isUnreachable)
    return { detail: t('problem.unreachable'), remedy: t('problem.unreachable.remedy') };
  if (problem.status === undefined)
    return {
      detail: t('problem.page', { what: problem.message }),
      remedy: t('problem.page.remedy'),
    };
  return { detail: problem.detail, remedy: problem.remedy };
}

/** A problem's box; nothing for none. */
export function problemBox(problem, { dismiss } = {}) {
  if (!problem) return null;
  const { detail, remedy } = problemText(problem);
  return h(
    'div',
    { class: 'problem', role: 'alert', key: 'problem', 'data-testid': 'problem' },
    icon('failed'),
    h(
      'div',
      { class: 'problem-text' },
      h('p', { class: 'problem-detail' }, detail),
      remedy && remedyLine(remedy),
    ),
    dismiss &&
      h('button', { type: 'button', class: 'quiet', onclick: dismiss }, t('action.dismiss')),
  );
}

/** What to do next. */
export function remedyLine(remedy, props = {}) {
  return h('p', { ...props, class: 'remedy' }, icon('arrow'), h('span', {}, remedy));
}

/** That what is shown may be old. */
export function staleNote(resource) {
  // That the server can't be reached is said once, above the view.
  if (!resource.problem || resource.problem.isUnreachable || resource.data === undefined)
    return null;
  const { detail } = problemText(resource.problem);
  return h('p', { class: 'stale', role: 'status', key: 'stale' }, t('problem.stale', { detail }));
}

/** The problem of data that never came. */
export function loadProblem(resource) {
  return resource.data === undefined ? problemBox(resource.problem) : staleNote(resource);
}
