// Fields of forms, and buttons.

import { h } from '../dom.js';

/** A button that does not submit its form. */
export function button(text, onclick, props = {}) {
  return h('button', { type: 'button', onclick, ...props }, text);
}

/** A labelled field. */
export function field(label, control, hint) {
  return h(
    'label',
    { class: 'field' },
    h('span', {}, label),
    control,
    hint && h('small', { class: 'muted' }, hint),
  );
}

/** A choice in a form; `options` are `[value, text]`. */
export function select(name, options, chosen, props = {}) {
  return h(
    'select',
    { name, ...props },
    options.map(([value, text]) =>
      h('option', { value, key: value, selected: value === chosen }, text),
    ),
  );
}

/** A box in a form that starts ticked or not. */
export function checkbox(name, label, isTicked) {
  const mounted = (box) => {
    box.checked = isTicked;
  };
  return h(
    'label',
    { class: 'tick' },
    h('input', { type: 'checkbox', name, mounted }),
    h('span', {}, label),
  );
}
