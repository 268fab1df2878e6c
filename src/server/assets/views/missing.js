// An address that leads nowhere, or a page that can't be shown yet.

import { h } from '../dom.js';
import { t } from '../i18n.js';
import { remedyLine } from '../parts/problem.js';
import { link } from '../router.js';

/** The view. */
export const missingView = {
  open({ params }) {
    const title = params.title ?? t('missing.title');
    return {
      title: () => title,
      render: () =>
        h(
          'section',
          { class: 'narrow' },
          h('h1', { tabindex: '-1' }, title),
          h('p', {}, params.detail ?? t('missing.text')),
          params.remedy && remedyLine(params.remedy),
          !params.detail && h('p', {}, h('a', { href: link('') }, t('nav.overview'))),
        ),
    };
  },
};
