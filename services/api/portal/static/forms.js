// What forms are put together from.

import { el, setText } from "./dom.js";
import { pressOnce } from "./pieces.js";

export const field = (label, input, properties = {}) =>
  el("label", properties, el("span", { "data-part": "label" }, label), input);

// `options`: {value: words}.
export const choice = (options, { chosen, ...properties } = {}) =>
  el(
    "select",
    properties,
    Object.entries(options).map(([value, words]) =>
      el("option", { value, selected: value === chosen }, words),
    ),
  );

export const textInput = (properties = {}) => el("input", { autocomplete: "off", ...properties });
export const amountInput = (properties = {}) => textInput({ inputMode: "decimal", ...properties });
export const reasonInput = () => textInput({ required: true, maxLength: 500 });

// One thing a line.
export const linesInput = (properties = {}) => el("textarea", { rows: 2, spellcheck: false, ...properties });
export const linesOf = (input) =>
  input.value
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean);

// What is typed and cannot be sent: it never reaches the API.
export class Mistyped extends Error {}

// {name: value} of lines as "name = value"; split at the last "=" where names may hold one.
export function pairsOf(input, label, { last = false } = {}) {
  const pairs = linesOf(input).map((line) => {
    const at = last ? line.lastIndexOf("=") : line.indexOf("=");
    if (at < 1) throw new Mistyped(`${label}: "${line}" must be as "name = value"`);
    return [line.slice(0, at).trim(), line.slice(at + 1).trim()];
  });
  const names = pairs.map(([name]) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new Mistyped(`${label}: "${twice}" stands there twice`);
  return Object.fromEntries(pairs);
}

export const linesFrom = (pairs) =>
  Object.entries(pairs)
    .map(([name, value]) => `${name} = ${value}`)
    .join("\n");

// `work()` does what the form is for, and resolves to what is said of it. A form that is done may be sent
// again.
export function actForm({ name, fields, label, work, words = null }) {
  const button = el("button", { className: "primary" }, label);
  const refusal = el("p", { className: "bad", role: "alert" });
  const told = el("p", { className: "fine", role: "status" });

  async function act() {
    const said = await work();
    button.disabled = false;
    setText(told, said ?? "");
  }

  function submit(event) {
    event.preventDefault();
    refusal.replaceChildren();
    told.replaceChildren();
    pressOnce([button], act, (error) => refusal.replaceChildren(`${error.message}.`));
  }
  return el(
    "form",
    { className: "fields", "aria-label": name, on: { submit } },
    words && el("p", { className: "fine" }, words),
    fields,
    button,
    refusal,
    told,
  );
}

// What is not stated is null, which is not 0.
export const statedAmount = (amount, currency) =>
  amount.value.trim() ? { amount: amount.value.trim(), currency: currency.value.trim() } : null;
