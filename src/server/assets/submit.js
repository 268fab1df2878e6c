// Submitting runs, so that a repeated click is one run.

import { idempotencyKey, post } from './api.js';
import { t } from './i18n.js';
import { shortId } from './format.js';
import { notify } from './parts/notice.js';
import { link } from './router.js';

/** Who asks, for those who look at the run later. */
const SUBMITTED_BY = 'web page';

/**
 * Makes a function that submits. The same submission, tried again after an answer was lost, has the same
 * key; one that was changed, or was accepted, is another.
 */
export function submitter() {
  let last = { text: null, key: null };
  return async (submission) => {
    const body = { ...submission, submitted_by: SUBMITTED_BY };
    const text = JSON.stringify(body);
    if (text !== last.text) last = { text, key: idempotencyKey() };
    const accepted = await post('runs', body, { 'idempotency-key': last.key });
    last = { text: null, key: null };
    tellOf(accepted);
    return accepted;
  };
}

/** Tells of a run that was submitted, or that was joined. */
export function tellOf(accepted) {
  const key = accepted.new ? 'submit.accepted' : 'submit.joined';
  notify(t(key, { id: accepted.task_id }), {
    href: link(`runs/${accepted.run_id}`),
    text: shortId(accepted.run_id),
  });
}
