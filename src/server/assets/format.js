// Numbers, times and names as people read them.

import { now } from './api.js';
import { h } from './dom.js';
import { t, tag } from './i18n.js';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const UNITS = [
  ['d', DAY],
  ['h', HOUR],
  ['min', MINUTE],
  ['s', SECOND],
];
const BYTE_UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

const formats = new Map();

/** Formats are expensive to make and cheap to use. */
function format(kind, options) {
  const key = `${tag()} ${kind.name} ${JSON.stringify(options)}`;
  if (!formats.has(key)) formats.set(key, new kind(tag(), options));
  return formats.get(key);
}

/** A number with its groups; a dash for none. */
export function number(value, digits = 0) {
  if (value === null || value === undefined) return '–';
  return format(Intl.NumberFormat, { maximumFractionDigits: digits }).format(value);
}

/** A number for little room: 1.2M. */
export function shortNumber(value) {
  if (value === null || value === undefined) return '–';
  if (value < 100_000) return number(Math.round(value));
  return format(Intl.NumberFormat, { notation: 'compact', maximumFractionDigits: 1 }).format(value);
}

/** Bytes in powers of 1000, as the params have them. */
export function bytes(value) {
  if (value === null || value === undefined) return '–';
  let unit = 0;
  let amount = value;
  while (amount >= 1000 && unit < BYTE_UNITS.length - 1) {
    amount /= 1000;
    unit += 1;
  }
  return `${number(amount, amount < 10 && unit > 0 ? 1 : 0)} ${BYTE_UNITS[unit]}`;
}

/** A share as a percentage; rounded down, so that 100 % means all. */
export function percent(share) {
  return t('unit.percent', { n: number(Math.floor(share * 100)) });
}

/** A length of time, with at most `parts` units. */
export function duration(ms, parts = 2) {
  let rest = Math.max(0, Math.round(ms / SECOND)) * SECOND;
  const first = UNITS.findIndex(([, length]) => rest >= length);
  if (first < 0) return t('unit.s', { n: 0 });
  const texts = [];
  for (const [name, length] of UNITS.slice(first, first + parts)) {
    const amount = Math.floor(rest / length);
    rest -= amount * length;
    if (amount > 0) texts.push(t(`unit.${name}`, { n: number(amount) }));
  }
  return texts.join(' ');
}

/** A time as text, for the reader's zone. */
export function local(iso) {
  const options = { dateStyle: 'medium', timeStyle: 'medium', hourCycle: 'h23' };
  return format(Intl.DateTimeFormat, options).format(new Date(iso));
}

/** How long ago, or how soon. */
export function relative(iso) {
  const age = now() - Date.parse(iso);
  if (Math.abs(age) < SECOND) return t('time.now');
  return age > 0 ? t('time.ago', { d: duration(age, 1) }) : t('time.in', { d: duration(-age, 1) });
}

function instant(iso, text) {
  const utc = new Date(iso).toISOString().replace('T', ' ').replace('Z', ' UTC');
  return h('time', { datetime: iso, title: `${local(iso)}\n${utc}` }, text);
}

/** How long ago, with the exact time as title. */
export function ago(iso) {
  return isTime(iso) ? instant(iso, relative(iso)) : '–';
}

/** The local time, with the exact one as title. */
export function at(iso) {
  return isTime(iso) ? instant(iso, local(iso)) : '–';
}

/** The local time and how long ago. */
export function atAndAgo(iso) {
  if (!isTime(iso)) return '–';
  return [instant(iso, local(iso)), h('span', { class: 'muted' }, ` (${relative(iso)})`)];
}

function isTime(iso) {
  return Boolean(iso) && !Number.isNaN(Date.parse(iso));
}

/** From one instant to another, or until now. */
export function between(from, to) {
  return isTime(from) ? (isTime(to) ? Date.parse(to) : now()) - Date.parse(from) : null;
}

/** The end of a run's id: the beginning is the time, and much the same for all of them. */
export function shortId(id) {
  return `…${id.slice(-12)}`;
}

/** One end of a task as `app_db.table`. */
export function endName(end) {
  return `${end.app}_${end.db}.${end.table}`;
}
