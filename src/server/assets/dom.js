// Descriptions of elements, and bringing a part of the page in line with them.
//
// Elements that stay are changed in place, so that focus, selection, scroll position and half-typed
// text survive a refresh. Text only ever goes in as text.

const SVG = 'http://www.w3.org/2000/svg';
const SVG_TAGS = new Set(['svg', 'path', 'polyline', 'circle']);
const VNODE = Symbol('vnode');
/** Set as properties; on `select` and `option` only once their children are there. */
const PROPERTIES = new Set(['value', 'checked', 'indeterminate', 'defaultValue', 'defaultChecked']);

/**
 * Describes an element. Props: attributes; `on…` handlers; `style`, an object; `key`, which tells
 * siblings apart; `mounted`, called with the element when it is new; `own`: its children are not touched.
 */
export function h(tag, props, ...children) {
  return { tag, props: props ?? {}, key: props?.key, children: flatten(children) };
}

function flatten(children) {
  return children
    .flat(Infinity)
    .filter((child) => child !== null && child !== undefined && child !== false && child !== '')
    .map((child) => (typeof child === 'object' ? child : { tag: '#text', text: String(child) }));
}

/** Brings the children of `parent` in line with the descriptions. */
export function patch(parent, children) {
  const focused = document.activeElement;
  const mounts = [];
  reconcile(parent, flatten([children]), mounts);
  // An element that had to be moved has lost the focus.
  if (focused && focused !== document.activeElement && focused.isConnected) {
    focused.focus({ preventScroll: true });
  }
  for (const mounted of mounts) mounted();
}

function reconcile(parent, vnodes, mounts) {
  const keyed = new Map();
  const loose = new Map();
  // Of several with the same key only one can be found again.
  const doubled = [];
  for (const node of parent.childNodes) {
    const { tag, key } = node[VNODE] ?? {};
    if (key !== undefined && keyed.has(key)) doubled.push(node);
    else if (key !== undefined) keyed.set(key, node);
    else if (loose.has(tag)) loose.get(tag).push(node);
    else loose.set(tag, [node]);
  }
  for (const queue of loose.values()) queue.reverse();
  const nodes = vnodes.map((vnode) => {
    const found = vnode.key === undefined ? loose.get(vnode.tag)?.pop() : keyed.get(vnode.key);
    if (found && found[VNODE].tag === vnode.tag) {
      keyed.delete(vnode.key);
      update(found, vnode, mounts);
      return found;
    }
    return create(vnode, mounts);
  });
  // What goes away goes first, so that what stays need not be moved.
  for (const node of [...keyed.values(), ...doubled]) node.remove();
  for (const queue of loose.values()) for (const node of queue) node.remove();
  let place = parent.firstChild;
  for (const node of nodes) {
    if (node === place) place = place.nextSibling;
    else parent.insertBefore(node, place);
  }
}

function create(vnode, mounts) {
  if (vnode.tag === '#text') {
    const text = document.createTextNode(vnode.text);
    text[VNODE] = vnode;
    return text;
  }
  const element = SVG_TAGS.has(vnode.tag)
    ? document.createElementNS(SVG, vnode.tag)
    : document.createElement(vnode.tag);
  element[VNODE] = { ...vnode, props: {}, children: [] };
  update(element, vnode, mounts);
  if (vnode.props.mounted) mounts.push(() => vnode.props.mounted(element));
  return element;
}

function update(node, vnode, mounts) {
  const before = node[VNODE];
  node[VNODE] = vnode;
  if (vnode.tag === '#text') {
    if (before.text !== vnode.text) node.nodeValue = vnode.text;
    return;
  }
  const late = [];
  for (const name of new Set([...Object.keys(before.props), ...Object.keys(vnode.props)])) {
    const [was, is] = [before.props[name], vnode.props[name]];
    if (PROPERTIES.has(name)) late.push([name, was, is]);
    else if (was !== is) setProp(node, name, is);
  }
  // A text area's child is its default text.
  if (!vnode.props.own && vnode.tag !== 'textarea') reconcile(node, vnode.children, mounts);
  for (const [name, was, is] of late) setProperty(node, name, was, is);
}

function setProp(element, name, value) {
  if (name === 'key' || name === 'mounted' || name === 'own') return;
  if (name.startsWith('on')) {
    element[name] = value ?? null;
  } else if (name === 'style') {
    for (const [property, text] of Object.entries(value ?? {})) {
      if (element.style.getPropertyValue(property) !== text) {
        element.style.setProperty(property, text);
      }
    }
  } else if (
    value === null ||
    value === undefined ||
    (value === false && !name.startsWith('aria-'))
  ) {
    element.removeAttribute(name);
  } else if (element.getAttribute(name) !== String(value)) {
    element.setAttribute(name, value === true && !name.startsWith('aria-') ? '' : value);
  }
}

function setProperty(element, name, was, is) {
  if (name === 'checked' || name === 'indeterminate') {
    // A refused change is taken back: what the box shows is what the state says.
    if (element[name] !== Boolean(is)) element[name] = Boolean(is);
  } else if (was !== is) {
    // Only a new value is put in: what somebody is typing stays.
    element[name] = is ?? '';
  }
}
