// Signing in with one of the server's tokens.

import { Problem } from '../api.js';
import { h } from '../dom.js';
import { t } from '../i18n.js';
import { actions } from '../live.js';
import { problemBox } from '../parts/problem.js';
import * as session from '../session.js';

/** The server's own remedy is for programs: they send a header. */
function explained(problem) {
  if (problem?.status !== 401) return problem;
  return new Problem(401, t('sign-in.unknown'), t('sign-in.unknown.remedy'));
}

/** The view. */
export const signInView = {
  open({ draw, done }) {
    const work = actions(draw);

    async function onsubmit(event) {
      event.preventDefault();
      const field = event.target.elements.token;
      const token = field.value.trim();
      if (token === '') {
        field.focus();
        return;
      }
      if (await work.run('sign-in', () => session.signIn(token))) done();
      else field.select();
    }

    return {
      title: () => t('sign-in.title'),
      render: () =>
        h(
          'form',
          { class: 'card sign-in', onsubmit },
          h('h1', { tabindex: '-1' }, t('sign-in.title')),
          h('p', { class: 'muted' }, t('sign-in.text')),
          h(
            'label',
            { class: 'field' },
            h('span', {}, t('sign-in.token')),
            h('input', {
              type: 'password',
              name: 'token',
              autocomplete: 'current-password',
              required: true,
              spellcheck: 'false',
              'data-testid': 'sign-in-token',
              mounted: (input) => input.focus(),
            }),
          ),
          problemBox(explained(work.problem)),
          h(
            'button',
            { class: 'primary', 'aria-disabled': work.isBusy('sign-in'), 'data-testid': 'sign-in' },
            t(work.isBusy('sign-in') ? 'action.working' : 'sign-in.submit'),
          ),
        ),
    };
  },
};
