// What is used and has no price, what has one by now, and what else nobody knows.

import { get } from "./api.js";
import { el, part, setText, updateChildren } from "./dom.js";
import { ago, count } from "./format.js";
import { describeAge, describeStakes, itemKey, openItems } from "./inbox-item.js";
import { remarkRows } from "./inbox-remarks.js";
import { link } from "./links.js";
import { zonedMoment } from "./pieces.js";
import { modelLink, tenantOf, whoseChoice, whoseOf } from "./prices.js";
import { SLOW_BEATS, everyNth } from "./refresh.js";
import { rerateButton } from "./rerate-offer.js";

const TENANTS_MAX = 5; // each has a re-rate of its own

const ITEMS_MAX = 200; // as many as the API gives

export function inboxPage(query) {
  const note = el("p", { className: "soft" }, "Looking…");
  const open = openItems(query);
  const units = unknownUnits();
  const remarks = remarkRows(query.get("remarks"));
  const booked = bookedItems(query);
  const fields = droppedFields();
  const proposals = openProposals(query);
  const element = el(
    "section",
    { className: "card receipt catalog inbox" },
    el("div", { className: "controls" }, el("h1", "Used, and without a price"), whoseChoice("inbox", query)),
    note,
    open.list,
    ...[units, remarks, booked, fields, proposals].flatMap(({ nodes }) => nodes),
  );
  const due = everyNth(SLOW_BEATS);

  async function refresh() {
    const tenant = tenantOf(query);
    const slow = due();
    const [inbox, toDecide, unknown] = await Promise.all([
      get("/v1/catalog/inbox", { limit: ITEMS_MAX }, tenant),
      slow ? get("/v1/catalog/proposals", { state: "open" }, tenant) : null,
      slow ? get("/v1/catalog/inbox/dropped", {}, tenant) : null,
    ]);
    const inState = (name) => inbox.items.filter(({ state }) => state === name);
    setText(note, describeOpen(inState("open").length, inbox.version));
    open.show(inState("open"));
    units.show(inbox.units);
    remarks.show(inbox.remarks);
    booked.show(inState("booked"));
    if (unknown) fields.show(unknown.dropped);
    if (toDecide) proposals.show(toDecide.proposals);
    return null;
  }
  return { element, refresh, timeless: true };
}

function describeOpen(items, version) {
  if (!items) return `Everything that is used has a price in publication ${version}.`;
  const number = `${items === ITEMS_MAX ? "At least " : ""}${count(items)}`;
  return (
    `${number} that publication ${version} of the catalog does not price, the newest first. ` +
    "Their cost is bounded where a family is known, and counted where it is not."
  );
}

function unknownUnits() {
  const heading = el("h2", { hidden: true }, "Units that nobody knows");
  const list = el("ul", { className: "rows" });
  const make = () => el("li", el("b", { "data-part": "says" }), partLine("of"), partLine("advice"));
  const keyOf = ({ unit }) => unit;

  function show(units) {
    heading.hidden = !units.length;
    updateChildren(list, units, keyOf, make, (item, { says, advice, of, tenants }) => {
      setText(part(item, "says"), says);
      setText(part(item, "of"), `sent for ${of.join(", ")} by ${tenants.join(", ")}`);
      setText(part(item, "advice"), advice);
    });
  }
  return { nodes: [heading, list], show };
}

function bookedItems(query) {
  const heading = el("h2", { hidden: true }, "Has a price by now, and keeps what it was booked at");
  const list = el("ul", { className: "rows" });
  const make = ({ provider, sku, tenants }) => {
    const stake = el("b", { "data-part": "stake" });
    const again = {
      providers: [provider],
      skus: [sku],
      statuses: ["provisional", "unpriced"],
      reason: `${provider}/${sku} has a price by now`,
    };
    const buttons = tenants.slice(0, TENANTS_MAX).map((tenant) => rerateButton(again, tenant));
    return el("li", modelLink(provider, sku, query), " ", stake, partLine("kept"), partLine("age"), buttons);
  };

  function show(items) {
    heading.hidden = !items.length;
    updateChildren(list, items, itemKey, make, (item, found) => {
      setText(part(item, "stake"), describeStakes(found));
      setText(part(item, "kept"), found.kept);
      setText(part(item, "age"), describeAge(found));
    });
  }
  return { nodes: [heading, list], show };
}

const DROPPED =
  "Senders gave them, and nothing of them was kept. " +
  "A label that is spelt wrongly is spend without that label.";

function droppedFields() {
  const list = el("ul", { className: "rows dropped" });
  const note = el("p", { className: "fine" });
  const keyOf = ({ tenant, key_id: key, name }) => JSON.stringify([tenant, key, name]);
  const make = () => el("li");

  function show(fields) {
    updateChildren(list, fields, keyOf, make, (item, field) => setText(item, describeField(field)));
    setText(note, fields.length ? DROPPED : "None was sent in the last 90 days.");
  }
  return { nodes: [el("h2", "Fields that nobody knows"), list, note], show };
}

function describeField({ name, requests, key_id: key, key_name: keyName, tenant, last_at: last }) {
  const sender = `key ${key}${keyName && ` (${keyName})`} of ${tenant || "an operator"}`;
  return `${name}: ${count(requests)} requests of ${sender}, last ${ago(last)}`;
}

function openProposals(query) {
  const list = el("ul", { className: "rows" });
  const note = el("p", { className: "fine" });
  const keyOf = ({ id }) => id;
  const make = ({ id, name, proposed_at: at, proposed_by: by, note: words }) => {
    const href = link("proposal", { id, ...whoseOf(query) });
    return el(
      "li",
      el("a", { href }, `${id}: ${name}`),
      el("small", ` ${zonedMoment(at)} by ${by} ${words}`),
    );
  };

  function show(proposals) {
    updateChildren(list, proposals, keyOf, make);
    setText(note, proposals.length ? "" : "None waits for a decision.");
  }
  return { nodes: [el("h2", "Open proposals"), list, note], show };
}

const partLine = (name) => el("small", { className: "line", "data-part": name });
