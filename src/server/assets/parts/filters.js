// The filters above a list. They live in the address, so that a filtered list can be shared.

import { h } from '../dom.js';
import { t } from '../i18n.js';
import { replaceQuery } from '../router.js';

/** How long somebody may pause between two letters of a search. */
const TYPING_MS = 250;

/**
 * The values of a list's filters. `changed` is called when one has changed; text only once nobody types.
 */
export function filters(query, names, changed) {
  const state = { values: pick(query), set, type, replace, stop };
  let timer = null;

  function pick(from) {
    return Object.fromEntries(names.map((name) => [name, from[name] ?? '']));
  }

  function set(name, value) {
    clearTimeout(timer);
    state.values = { ...state.values, [name]: value };
    replaceQuery(state.values);
    changed();
  }

  function type(name, value) {
    clearTimeout(timer);
    timer = setTimeout(() => set(name, value), TYPING_MS);
  }

  function replace(from) {
    clearTimeout(timer);
    state.values = pick(from);
  }

  function stop() {
    clearTimeout(timer);
  }

  return state;
}

/** A field for text. The one that is `isMain` gets the focus by `/`. */
export function searchField(
  filter,
  name,
  { label, placeholder, testid, isMain = true, isNumber = false, onenter },
) {
  return h(
    'label',
    { class: 'search', key: name },
    h('span', { class: 'visually-hidden' }, label),
    h('input', {
      type: 'search',
      placeholder: placeholder ?? label,
      value: filter.values[name],
      inputmode: isNumber ? 'numeric' : null,
      'data-search': isMain,
      'data-testid': testid,
      autocomplete: 'off',
      spellcheck: 'false',
      oninput: (event) => {
        if (isNumber) event.target.value = event.target.value.replace(/\D/g, '');
        filter.type(name, event.target.value.trim());
      },
      onkeydown: (event) => {
        if (event.key === 'Enter') onenter?.(event.target.value.trim());
        if (event.key === 'Escape') event.target.blur();
      },
    }),
  );
}

/** A choice; `options` are `[value, text]`, the empty value is "all". */
export function choice(filter, name, { label, options, testid }) {
  return h(
    'label',
    { class: 'choice', key: name },
    h('span', {}, label),
    h(
      'select',
      {
        value: filter.values[name],
        'data-testid': testid,
        onchange: (event) => filter.set(name, event.target.value),
      },
      [['', t('filter.all')], ...options].map(([value, text]) =>
        h('option', { value, key: value }, text),
      ),
    ),
  );
}

/** A box to tick. */
export function tick(filter, name, { label, testid }) {
  return h(
    'label',
    { class: 'tick', key: name },
    h('input', {
      type: 'checkbox',
      checked: filter.values[name] === 'true',
      'data-testid': testid,
      onchange: (event) => filter.set(name, event.target.checked ? 'true' : ''),
    }),
    h('span', {}, label),
  );
}
