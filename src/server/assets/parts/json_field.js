// A field for a JSON object, checked while it is typed.

import { h } from '../dom.js';
import { t } from '../i18n.js';

/** The object in a text; empty text is an empty object. Throws what JSON.parse throws. */
export function readObject(text) {
  if (text.trim() === '') return {};
  const value = JSON.parse(text);
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    throw new SyntaxError(t('json.no-object'));
  }
  return value;
}

/** Text for a field, with a line for each key. */
export function writeObject(object) {
  return Object.keys(object).length === 0 ? '' : JSON.stringify(object, null, 2);
}

function check(event) {
  try {
    readObject(event.target.value);
    event.target.setCustomValidity('');
  } catch (error) {
    event.target.setCustomValidity(t('json.bad', { what: error.message }));
  }
  const message = event.target.closest('.field').querySelector('.field-error');
  message.textContent = event.target.validationMessage;
}

/** The field. The browser refuses to send a form in which it is not valid. */
export function jsonField({ name, label, value = '', rows = 6, hint, testid }) {
  return h(
    'label',
    { class: 'field', key: name },
    h('span', {}, label),
    h('textarea', {
      name,
      rows,
      defaultValue: value,
      class: 'mono',
      spellcheck: 'false',
      autocomplete: 'off',
      oninput: check,
      'data-testid': testid,
    }),
    h('output', { class: 'field-error', 'aria-live': 'polite', own: true }),
    hint && h('small', { class: 'muted' }, hint),
  );
}
