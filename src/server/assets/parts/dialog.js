// Dialogs: the browser's own, which keeps the focus inside and gives it back.

import { h, patch } from '../dom.js';
import { t } from '../i18n.js';
import { actions } from '../live.js';
import { button } from './controls.js';
import { problemBox } from './problem.js';

let count = 0;

/**
 * Opens a dialog with a form. `content(dialog)` describes its fields, `submit(dialog)` does what the form
 * is for: the dialog closes when that succeeds and shows the problem when it does not. Further options:
 * `title`, `submitLabel`, `testid` of the button, `isDanger`, `isWide`, and `buttons(dialog)` for more.
 *
 * @returns the dialog: `draw` draws it anew, `form` is its form.
 */
export function openDialog(options) {
  const element = document.createElement('dialog');
  const titleId = `dialog-title-${(count += 1)}`;
  element.className = options.isWide ? 'dialog is-wide' : 'dialog';
  element.setAttribute('aria-labelledby', titleId);
  document.body.append(element);
  const opener = document.activeElement;
  const work = actions(draw);
  const dialog = {
    draw,
    get form() {
      return element.querySelector('form');
    },
  };

  async function onsubmit(event) {
    event.preventDefault();
    if (!options.submit) return;
    if (await work.run('submit', () => options.submit(dialog))) element.close();
  }

  function draw() {
    if (!element.isConnected) return;
    const body = [
      h('h2', { id: titleId }, options.title),
      h('div', { class: 'dialog-body' }, options.content(dialog)),
      problemBox(work.problem),
      h(
        'div',
        { class: 'dialog-actions' },
        cancelButton(options, element),
        options.buttons?.(dialog),
        options.submit && submitButton(options, work),
      ),
    ];
    patch(element, h('form', { method: 'dialog', onsubmit }, body));
  }

  element.addEventListener('close', () => {
    element.remove();
    // The opener may have been redrawn away; then the page's heading takes the focus.
    if (!opener?.isConnected) document.querySelector('h1')?.focus();
  });
  draw();
  element.showModal();
  return dialog;
}

function cancelButton({ submit }, element) {
  const label = t(submit ? 'action.cancel' : 'action.close');
  return button(label, () => element.close(), { 'data-testid': 'dialog-cancel' });
}

function submitButton({ isDanger, testid, submitLabel }, work) {
  const isBusy = work.isBusy('submit');
  const props = {
    class: isDanger ? 'danger' : 'primary',
    'aria-disabled': isBusy,
    'data-testid': testid ?? 'dialog-submit',
  };
  return h('button', props, isBusy ? t('action.working') : submitLabel);
}

/** Asks before something that can't be taken back. */
export function confirm({ title, text, submitLabel, submit, testid }) {
  return openDialog({
    title,
    submit,
    submitLabel,
    testid,
    isDanger: true,
    content: () => [text].flat().map((line) => h('p', {}, line)),
  });
}
