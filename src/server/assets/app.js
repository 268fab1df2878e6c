// The page: which view is shown, and for whom.

import { listen } from './api.js';
import { patch } from './dom.js';
import { t } from './i18n.js';
import { startKeys } from './keys.js';
import { prepareNotices } from './parts/notice.js';
import { problemText } from './parts/problem.js';
import { here, match } from './router.js';
import * as session from './session.js';
import { onSystemTheme } from './settings.js';
import { shell } from './shell.js';
import { deadView } from './views/dead.js';
import { missingView } from './views/missing.js';
import { overviewView } from './views/overview.js';
import { runView } from './views/run.js';
import { runsView } from './views/runs.js';
import { schedulesView } from './views/schedules.js';
import { signInView } from './views/sign_in.js';
import { taskView } from './views/task.js';
import { taskEditView, taskNewView } from './views/task_form.js';
import { tasksView } from './views/tasks.js';
import { workersView } from './views/workers.js';

const ROUTES = [
  ['', overviewView],
  ['tasks', tasksView],
  ['tasks/new', taskNewView],
  ['tasks/:id', taskView],
  ['tasks/:id/edit', taskEditView],
  ['runs', runsView],
  ['runs/:id', runView],
  ['dead', deadView],
  ['workers', workersView],
  ['schedules', schedulesView],
];
/** How long until the server is asked again who this is, when it did not answer. */
const AGAIN_MS = 3_000;

const root = document.getElementById('shell');
let shown = null;
let isReachable = true;
let isDrawPlanned = false;

function draw() {
  if (isDrawPlanned) return;
  isDrawPlanned = true;
  queueMicrotask(() => {
    isDrawPlanned = false;
    patch(root, shell({ shown, isReachable, draw, signedOut: reopen }));
    const title = shown?.instance.title?.() ?? '';
    document.title = title ? `${title} · goshift` : 'goshift';
  });
}

function open(route) {
  shown?.instance.stop?.();
  // A view may draw while it opens: until it is there, nothing is shown of it.
  shown = null;
  const instance = route.view.open({
    draw,
    params: route.params,
    query: here().query,
    done: reopen,
  });
  shown = { ...route, instance, key: `${route.pattern} ${JSON.stringify(route.params)}` };
  draw();
  // On a phone the tabs scroll.
  queueMicrotask(() =>
    document
      .querySelector('.tabs [aria-current]')
      ?.scrollIntoView({ inline: 'nearest', block: 'nearest' }),
  );
}

/** Shows what the address says, or the sign-in form. */
function reopen() {
  const isSignedIn = session.current() !== null;
  open(isSignedIn ? wanted() : { pattern: 'sign-in', view: signInView, params: {} });
}

function wanted() {
  const { parts } = here();
  return match(ROUTES, parts) ?? { pattern: 'missing', view: missingView, params: {} };
}

function onAddress() {
  if (session.current() === null || !shown) return;
  const route = wanted();
  const isSame =
    shown.view === route.view && JSON.stringify(shown.params) === JSON.stringify(route.params);
  if (isSame && shown.instance.requery) {
    shown.instance.requery(here().query);
    draw();
    return;
  }
  open(route);
  queueMicrotask(() => {
    scrollTo(0, 0);
    document.querySelector('h1')?.focus({ preventScroll: true });
  });
}

function onUnauthorized() {
  if (session.current() === null) return;
  session.forget();
  reopen();
}

function onReachable(reachable) {
  if (reachable === isReachable) return;
  isReachable = reachable;
  draw();
}

async function start() {
  try {
    await session.load();
    reopen();
  } catch (problem) {
    const { detail, remedy } = problemText(problem);
    open({
      pattern: 'missing',
      view: missingView,
      params: { title: t('problem.title'), detail, remedy },
    });
    setTimeout(start, AGAIN_MS);
  }
}

listen({ unauthorized: onUnauthorized, reachable: onReachable, renewed: session.renew });
addEventListener('hashchange', onAddress);
onSystemTheme(draw);
startKeys();
prepareNotices();
draw();
start();
