/**
 * Elements as descriptions: what is drawn becomes what is described by its differences alone. A browser has to find the style and the
 * place of what is new; of a text that changes it finds only how wide it is.
 */

import { h, setProperty } from "./dom.js";

/** Describe an element, as `h` makes it; a child is another description, text, or a node, which is taken as it is. */
export function described(tag, props, ...children) {
  const held = children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
  return { tag, props: props || {}, children: held.map((child) => (child.tag || child instanceof Node ? child : String(child))) };
}

/** Return the element that is described; text and nodes are what they are. */
export function made(one) {
  return one.tag ? h(one.tag, one.props, one.children.map(made)) : one;
}

/** Let what was drawn from the description `before` show `wanted`; returns the node that does, which is another one if it must. */
export function redrawn(node, before, wanted) {
  if (isText(before) && isText(wanted)) {
    if (node.data !== wanted) node.data = wanted; // what is there counts: times are kept up to now
    return node;
  }
  if (before === wanted) return node;
  if (!before.tag || before.tag !== wanted.tag || before.children.length !== wanted.children.length || isFixed(before) || isFixed(wanted)) {
    const fresh = isText(wanted) ? document.createTextNode(wanted) : made(wanted);
    node.replaceWith(fresh);
    return fresh;
  }
  for (const name of Object.keys(before.props)) if (!(name in wanted.props)) setProperty(node, name, null);
  for (const [name, value] of Object.entries(wanted.props)) if (value !== before.props[name]) setProperty(node, name, value);
  let child = node.firstChild;
  wanted.children.forEach((one, index) => (child = redrawn(child, before.children[index], one).nextSibling));
  return node;
}

/** Return the words of a description. */
export function wordsOf(one) {
  if (isText(one)) return one;
  return one.tag ? one.children.map(wordsOf).join("") : one.textContent;
}

/** Tell whether a description, or what it holds, has a class. */
export function hasClass(one, name) {
  if (isText(one)) return false;
  if (!one.tag) return Boolean(one.querySelector(`.${name}`));
  return one.props.class === name || one.children.some((child) => hasClass(child, name));
}

function isText(one) {
  return typeof one === "string";
}

// Functions, single styles and data are not compared.
function isFixed({ props }) {
  return Object.values(props).some((value) => typeof value === "function") || "style" in props || "dataset" in props;
}
