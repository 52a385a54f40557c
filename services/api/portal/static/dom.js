// Elements without a template language. Text goes in as text, never as markup: labels are written by senders.

// What cannot be seen is shown as its number: labels booked before they were refused, ids and sources hold
// it.
const UNSEEN = /(?![\n\t])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;
const codePoint = (character) => character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
const visible = (text) => text.replace(UNSEEN, (found) => `⟨U+${codePoint(found)}⟩`);

const isProperties = (value) => value?.constructor === Object;

// el("a", { href }, "text", child): properties may be left out; children that are null or false are.
export function el(tag, ...rest) {
  const [properties, children] = isProperties(rest[0]) ? [rest[0], rest.slice(1)] : [{}, rest];
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "on") {
      for (const [event, handler] of Object.entries(value)) element.addEventListener(event, handler);
    } else if (name === "style") {
      for (const [key, text] of Object.entries(value)) element.style.setProperty(key, text);
    } else if (name in element && name !== "list") {
      element[name] = value;
    } else {
      element.setAttribute(name, value === true ? "" : value);
    }
  }
  const kept = children.flat().filter((child) => child !== null && child !== undefined && child !== false);
  element.append(...kept.map((child) => (child instanceof Node ? child : visible(String(child)))));
  return element;
}

// Text is only written where it changed, so that selections, focus and screen readers are left in peace.
export function setText(element, text) {
  const shown = visible(String(text));
  if (element.textContent !== shown) element.textContent = shown;
  return element;
}

// Children of `parent` by key: made once, updated in place, moved only when the order changed.
export function updateChildren(parent, items, keyOf, make, update) {
  const before = parent.childrenByKey ?? new Map();
  const after = new Map();
  let place = parent.firstChild;
  for (const item of items) {
    const key = keyOf(item);
    const child = before.get(key) ?? make(item);
    update?.(child, item);
    after.set(key, child);
    if (child === place) place = place.nextSibling;
    else parent.insertBefore(child, place);
  }
  for (const [key, child] of before) if (after.get(key) !== child) child.remove();
  parent.childrenByKey = after;
}

// Named parts of a made element: part(card, "amount") is the descendant with data-part="amount".
export const part = (element, name) => element.querySelector(`[data-part="${name}"]`);
