// What is used and has no price: what is at stake, what is lacking, and the forms that propose it.

import { call, mayChange, withParameters } from "./api.js";
import { el, part, setText, updateChildren } from "./dom.js";
import { ago, count, money } from "./format.js";
import { link } from "./links.js";
import { logInToChange, pressOnce } from "./pieces.js";
import { emptyPriceFile } from "./price-file.js";
import { modelLink, tenantOf, whoseOf } from "./prices.js";

const NOTE_MAX = 1000; // as long as the API takes it

export const itemKey = ({ provider, sku }) => JSON.stringify([provider, sku]);

export const describeAge = ({ first_seen: first, last_seen: last, events, tenants }) =>
  `first seen ${ago(first)}, last ${ago(last)} · ${count(events)} events of ${tenants.join(", ")}`;

export function describeStakes({ at_stake: stake, unpriced_events: unpriced }) {
  const bounded = stake.filter(({ provisional }) => provisional !== "0");
  const amounts = bounded.map(
    (each) => `${money(each.provisional, each.currency)} ${each.currency} provisional`,
  );
  return (
    [...amounts, ...(unpriced ? [`${count(unpriced)} events unpriced`] : [])].join(" + ") || "nothing yet"
  );
}

export function openItems(query) {
  const list = el("ul", { className: "rows" });
  const drafts = new Map(); // what was written of an item outlives its place in the list
  const make = (found) => makeItem(found, query, drafts);
  return { list, show: (items) => updateChildren(list, items, itemKey, make, updateItem) };
}

const PARTS = ["age", "usage", "lacks", "advice", "naming"];

function makeItem(found, query, drafts) {
  const { provider, sku, nearest, lacks } = found;
  const rates = lacks.filter(({ kind }) => kind === "rate");
  const byPair = new Map(rates.map((lack) => [`${lack.base}/${lack.quote}`, lack]));
  const near = nearest.map((each) =>
    el("span", modelLink(each.provider, each.sku, query), el("small", ` ${each.reason}`)),
  );
  return el(
    "li",
    { className: "item" },
    el("h3", `${provider}/${sku}`),
    el("b", { "data-part": "stake" }),
    PARTS.map((name) => el("small", { className: "line", "data-part": name })),
    el("div", { className: "chips" }, near),
    [...byPair.values()].map((lack) => rateForm(lack, found, query)),
    rates.length === lacks.length ? null : fileForm(found, query, drafts),
  );
}

function updateItem(item, found) {
  const { usage, lacks, naming } = found;
  const words = {
    stake: describeStakes(found),
    age: describeAge(found),
    usage: Object.entries(usage)
      .map(([unit, quantity]) => `${quantity} ${unit}`)
      .join(" · "),
    lacks: lacks.map(({ kind, unit, says }) => (kind === "model" ? `${unit}: ${says}` : says)).join(" · "),
    advice: [...new Set(lacks.map(({ advice }) => advice))].join(" · "),
    naming: naming.join(" · "),
  };
  for (const [name, text] of Object.entries(words)) setText(part(item, name), text);
}

// One exchange rate that is missing: what one of the one is in the other, and from when.
function rateForm({ base, quote, says }, { since }, query) {
  if (!mayChange()) return null;
  const rate = el("input", { inputMode: "decimal", size: 10, "aria-label": `${quote} for one ${base}` });
  const from = el("input", {
    type: "date",
    value: since.slice(0, 10),
    "aria-label": `From when ${base} to ${quote} holds`,
  });
  const source = el("input", {
    size: 24,
    maxLength: 256,
    placeholder: "where it is written",
    "aria-label": `Source of ${base} to ${quote}`,
  });
  const send = () => {
    const body = {
      base,
      quote,
      rate: rate.value,
      effective_from: `${from.value}T00:00:00Z`,
      source: source.value,
      note: `from the inbox: ${says}`,
    };
    return call("POST", "/v1/catalog/inbox/rates", body, tenantOf(query));
  };
  const act = proposeButton("Propose this rate", send, query);
  return el("div", { className: "controls" }, `1 ${base} =`, rate, `${quote} from`, from, source, act);
}

function fileForm(found, query, drafts) {
  const file = found.proposal ?? emptyPriceFile(found, tenantOf(query));
  const renames = file.kind === "alias";
  const filled = found.proposal ? "Proposed price" : "Write its price";
  return el(
    "details",
    el("summary", renames ? "Proposed name" : filled),
    el("p", { className: "fine" }, describeFile(found.proposal)),
    mayChange()
      ? fileEditor(found, file, query, drafts)
      : [el("pre", file.text), el("p", { className: "fine" }, logInToChange("To propose it"))],
  );
}

function describeFile(proposal) {
  if (!proposal)
    return "Nothing near it has a price to begin with. Write what it costs, and where that is written.";
  if (proposal.kind === "alias") return `Approved, ${proposal.says}, at its prices.`;
  return `A price to begin with: ${proposal.says}. Write what is true, and where it is written.`;
}

function fileEditor(found, file, query, drafts) {
  const { provider, sku } = found;
  const key = itemKey(found);
  const text = el("textarea", {
    value: drafts.get(key) ?? file.text,
    on: { input: () => drafts.set(key, text.value) },
    rows: 14,
    spellcheck: false,
    "aria-label": `Price file for ${provider}/${sku}`,
  });
  const parameters = {
    name: file.name,
    replace: file.replace || undefined,
    note: `from the inbox: ${provider}/${sku}`.slice(0, NOTE_MAX),
  };
  const path = withParameters("/v1/catalog/proposals", parameters);
  const send = () => call("POST", path, text.value, tenantOf(query));
  const label = file.kind === "alias" ? "Propose this name" : "Propose this price";
  return [text, ...proposeButton(label, send, query)];
}

// A button that makes a proposal and leads to it, and a line for why it was refused.
function proposeButton(label, send, query) {
  const refusal = el("p", { className: "bad" });
  const propose = async () => {
    setText(refusal, "");
    const { id } = await send();
    location.hash = link("proposal", { id, ...whoseOf(query) });
  };
  const click = () => pressOnce([button], propose, (error) => setText(refusal, error.message));
  const button = el("button", { className: "primary", on: { click } }, label);
  return [button, refusal];
}
