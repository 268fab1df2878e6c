// The page's own words, in the reader's language. What the server says is shown as it says it.

import { en } from './i18n/en.js';
import { enTasks } from './i18n/en_tasks.js';
import { zh } from './i18n/zh.js';
import { zhTasks } from './i18n/zh_tasks.js';
import { remember, remembered } from './settings.js';

const DICTIONARIES = { en: { ...en, ...enTasks }, zh: { ...zh, ...zhTasks } };
const TAGS = { en: 'en', zh: 'zh-CN' };

let language = chosen();
document.documentElement.lang = TAGS[language];

function chosen() {
  const kept = remembered('language');
  if (kept in DICTIONARIES) return kept;
  const first = (navigator.languages ?? [navigator.language])
    .map((tag) => tag.toLowerCase().split('-')[0])
    .find((tag) => tag in DICTIONARIES);
  return first ?? 'en';
}

/** The tag for formats: the reader's own variant of the language, if the browser names one. */
export function tag() {
  const own = (navigator.languages ?? []).find(
    (name) => name.toLowerCase().split('-')[0] === language,
  );
  return own ?? TAGS[language];
}

/** `en` or `zh`. */
export function currentLanguage() {
  return language;
}

/** Changes to the other language. */
export function toggleLanguage() {
  language = language === 'en' ? 'zh' : 'en';
  document.documentElement.lang = TAGS[language];
  remember('language', language);
}

/**
 * The text of a key, with `{name}` replaced by values. `one|many` is chosen by the value `n`, which may
 * be a number or an already formatted one beside `count`.
 */
export function t(key, values = {}) {
  const text = DICTIONARIES[language][key] ?? DICTIONARIES.en[key] ?? key;
  const forms = text.split('|');
  const form = forms.length > 1 && (values.count ?? values.n) !== 1 ? forms[1] : forms[0];
  return form.replace(/\{(\w+)\}/g, (whole, name) =>
    name in values ? String(values[name]) : whole,
  );
}

/** The text of a key, or `other` if the dictionaries don't have it. */
export function known(key, other) {
  return key in DICTIONARIES[language] ? t(key) : other;
}
