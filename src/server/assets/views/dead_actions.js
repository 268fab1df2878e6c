// Settling what is dead: running it again, or giving it up.

import { post } from '../api.js';
import { number } from '../format.js';
import { t } from '../i18n.js';
import { confirm } from '../parts/dialog.js';
import { notify } from '../parts/notice.js';
import { link } from '../router.js';

/** What can be done with the chosen, or with all. `refused` is what stays dead. */
export function deadActions({ chosen, filter, refresh, work }) {
  const state = { refused: [], rerun, askRerunAll, askPurge };

  function size() {
    return chosen.runs.size + chosen.messages.size;
  }

  /** What the server is told to deal with: those chosen, else all that the filter lets through. */
  function which() {
    if (size() > 0) return { runs: [...chosen.runs], messages: [...chosen.messages] };
    return filter.values.task_id === '' ? {} : { task_id: Number(filter.values.task_id) };
  }

  function settled(text, place) {
    notify(text, place);
    refresh();
  }

  async function submitAgain(wanted) {
    const outcome = await post('dead/rerun', wanted);
    state.refused = outcome.refused;
    const count = outcome.runs.length;
    const place = count > 0 ? { href: link('runs'), text: t('nav.runs') } : null;
    settled(t('dead.rerun-done', { n: number(count), count }), place);
  }

  function rerun() {
    return work.run('rerun', () => submitAgain(which()));
  }

  function scope() {
    const id = filter.values.task_id;
    return id === '' ? t('dead.all-scope') : t('dead.task-scope', { id });
  }

  // What is meant is settled when the question is put: what was chosen may be dead no more when it is
  // answered, and nothing chosen means all.
  function askRerunAll() {
    const wanted = which();
    confirm({
      title: t('dead.rerun-all-ask'),
      text: scope(),
      submitLabel: t('dead.rerun-all'),
      testid: 'rerun-all-submit',
      submit: () => submitAgain(wanted),
    });
  }

  function askPurge() {
    const wanted = which();
    const count = size();
    const isSome = count > 0;
    confirm({
      title: isSome ? t('dead.purge-ask', { n: number(count), count }) : t('dead.purge-all-ask'),
      text: isSome ? t('dead.purge-text') : [scope(), t('dead.purge-text')],
      submitLabel: t('action.purge'),
      testid: 'purge-submit',
      submit: async () => {
        const { runs, messages, refused } = await post('dead/purge', wanted);
        state.refused = refused;
        const count = runs + messages;
        settled(t('dead.purged', { n: number(count), count }));
      },
    });
  }

  return state;
}
