// What is used and has no price, and the way from there to one: a proposal, its review, its approval.

import { Refused, asked as address, call, get, mayChange } from "./api.js";
import { el, home, keyed, part, say, trail } from "./dom.js";
import { ago, count, money } from "./format.js";
import { link } from "./links.js";
import { actingOf, changesTable, modelLink, moment, whoseChoice, whoseOf } from "./prices.js";

const SLOW_BEATS = 4;
const LEFT_OUT_SHOWN = 3;
const ITEMS_MAX = 200; // as many as the API gives

const stakes = ({ at_stake: stake, unpriced_events: unpriced }) => [
  ...stake.filter(({ provisional }) => provisional !== "0").map((each) => `${money(each.provisional, each.currency)} ${each.currency} provisional`),
  ...(unpriced ? [`${count(unpriced)} events unpriced`] : []),
].join(" + ") || "nothing yet";

export function inboxPage(query) {
  const list = el("ul", { className: "rows" });
  const note = el("p", { className: "soft" }, "Looking…");
  const open = el("ul", { className: "rows" });
  const opened = el("p", { className: "fine" });
  const dropped = el("ul", { className: "rows dropped" });
  const droppedNote = el("p", { className: "fine" });
  const drafts = new Map(); // what was written of an item outlives its place in the list
  const element = el("section", { className: "card receipt catalog inbox" }, trail(home(), el("a", { href: link("catalog", whoseOf(query)) }, "Catalog"), "Inbox"),
    el("div", { className: "controls" }, el("h1", {}, "Used, and without a price"), whoseChoice("inbox", query)), note, list, el("h2", {}, "Fields that nobody knows"), dropped, droppedNote, el("h2", {}, "Open proposals"), open, opened);
  let beats = 0;

  async function refresh() {
    const acting = actingOf(query);
    const slow = beats++ % SLOW_BEATS === 0;
    const [inbox, proposals, names] = await Promise.all([get("/v1/catalog/inbox", { limit: ITEMS_MAX }, acting), slow ? get("/v1/catalog/proposals", { state: "open" }, acting) : null, slow ? get("/v1/catalog/inbox/dropped", {}, acting) : null]);
    say(note, inbox.items.length ? `${inbox.items.length === ITEMS_MAX ? "At least " : ""}${count(inbox.items.length)} that publication ${inbox.version} of the catalog has no price for, the newest first. Their cost is bounded where a family is known, and counted where it is not.` : `Everything that is used has a price in publication ${inbox.version}.`);
    keyed(list, inbox.items, ({ provider, sku }) => JSON.stringify([provider, sku]), (item) => made(item), update);
    if (names) {
      keyed(dropped, names.dropped, ({ tenant, key_id: key, name }) => JSON.stringify([tenant, key, name]), () => el("li"), (item, row) => say(item, `${row.name}: ${count(row.requests)} requests of key ${row.key_id}${row.key_name && ` (${row.key_name})`} of ${row.tenant || "an operator"}, last ${ago(row.last_at)}`));
      say(droppedNote, names.dropped.length ? "Senders gave them, and nothing of them was kept. A label that is spelt wrongly is spend without that label." : "None was sent in the last 90 days.");
    }
    if (proposals) {
      keyed(open, proposals.proposals, ({ id }) => id, (each) => el("li", {}, el("a", { href: link("proposal", { id: each.id, ...whoseOf(query) }) }, `${each.id}: ${each.name}`), el("small", {}, ` ${moment(each.proposed_at)} by ${each.proposed_by} ${each.note}`)));
      say(opened, proposals.proposals.length ? "" : "None waits for a decision.");
    }
    return null;
  }

  function update(item, found) {
    say(part(item, "stake"), stakes(found));
    say(part(item, "age"), `first seen ${ago(found.first_seen)}, last ${ago(found.last_seen)} · ${count(found.events)} events of ${found.tenants.join(", ")}`);
    say(part(item, "usage"), Object.entries(found.usage).map(([unit, quantity]) => `${quantity} ${unit}`).join(" · "));
    say(part(item, "units"), `without a price: ${found.units.join(", ")}`);
    say(part(item, "reasons"), [...found.naming, ...found.reasons].join(" · "));
  }

  function made(found) {
    const { provider, sku, nearest } = found;
    const ready = found.proposal ?? skeleton(found, actingOf(query));
    const key = JSON.stringify([provider, sku]);
    const text = el("textarea", { value: drafts.get(key) ?? ready.text, on: { input: () => drafts.set(key, text.value) }, rows: 14, spellcheck: false, "aria-label": `Price file for ${provider}/${sku}` });
    const said = el("p", { className: "bad" });
    const why = found.proposal ? `A price to begin with, of ${nearest[0].provider}/${nearest[0].sku}. Write what is true, and where it is written.` : "Nothing near it has a price to begin with. Write what it costs, and where that is written.";
    const act = mayChange() ? [text, el("button", { className: "primary", on: { click: propose } }, "Propose this price"), said] : [el("pre", {}, ready.text), el("p", { className: "fine" }, "To propose it, log in with a key that has the scope admin.")];

    async function propose({ target }) {
      target.disabled = true;
      say(said, "");
      try {
        const { id } = await call("POST", address("/v1/catalog/proposals", { name: ready.name, note: `from the inbox: ${provider}/${sku}`.slice(0, 1000) }), text.value, actingOf(query));
        location.hash = link("proposal", { id, ...whoseOf(query) });
      } catch (error) {
        target.disabled = false;
        say(said, error.message);
      }
    }
    return el("li", { className: "item" },
      el("h3", {}, `${provider}/${sku}`), el("b", { "data-part": "stake" }),
      el("small", { className: "line", "data-part": "age" }), el("small", { className: "line", "data-part": "usage" }), el("small", { className: "line", "data-part": "units" }), el("small", { className: "line", "data-part": "reasons" }),
      el("div", { className: "chips" }, nearest.map((near) => el("span", {}, modelLink(near.provider, near.sku, query), el("small", {}, ` ${near.reason}`)))),
      el("details", {}, el("summary", {}, found.proposal ? "Proposed price" : "Write its price"), el("p", { className: "fine" }, why), act));
  }
  return { element, refresh, timeless: true };
}

// A TOML string, also as a key: senders choose these names.
const quoted = (text) => JSON.stringify(text).replace(/\u007f/g, "\\u007f");

// A price file with the names filled in and the price left out, which is refused as long as it is.
function skeleton({ provider, sku, units }, acting) {
  const owner = acting ? `tenant = ${quoted(acting)}\nlayer = "organisation"\n` : 'layer = "organisation"\n';
  const prices = units.map((unit) => `${quoted(unit)} = ""`).join(", ");
  return {
    name: `${`${provider}-${sku}`.replace(/\//g, "-").slice(0, 190)}.toml`,
    text: `# A unit that the catalog does not know yet needs a table of its own: [[unit]] unit = "…" about = "…"\n# The source is where the price is written: an address, a contract.\nsource = ""\n${owner}\n[[price]]\nprovider = ${quoted(provider)}\nsku = ${quoted(sku)}\nper = 1\nprices = { ${prices} }\n`,
  };
}

// One proposal: what it changes, what looks wrong, what it means in money, and the decision.
export function proposalPage(query) {
  const id = query.get("id") ?? "";
  const path = `/v1/catalog/proposals/${encodeURIComponent(id)}`;
  const content = el("div", {}, el("p", { className: "soft" }, "Looking it up…"));
  const element = el("section", { className: "card receipt catalog" }, trail(home(), el("a", { href: link("inbox", whoseOf(query)) }, "Inbox"), "Proposal"), el("h1", {}, `Proposal ${id}`), content);
  let state = "";
  let beats = 0;
  let asked = 0;

  async function refresh() {
    if (beats++ % SLOW_BEATS) return null;
    const mine = ++asked;
    try {
      if (!/^\d+$/.test(id)) throw new Refused(404, { detail: "A proposal has a number." });
      const proposal = await get(path, {}, actingOf(query));
      if (mine === asked) show(proposal); // else it was decided while the answer was on its way
    } catch (error) {
      if (error.status !== 404 && error.status !== 422) throw error;
      content.replaceChildren(el("p", { className: "empty" }, error.message));
    }
    return null;
  }

  function show(proposal) {
    if (proposal.state === state) return; // an open form keeps what was typed into it
    state = proposal.state;
    const { review } = proposal;
    const decided = proposal.decided_by ? `, ${proposal.state} ${moment(proposal.decided_at)} by ${proposal.decided_by}${proposal.reason ? `: ${proposal.reason}` : ""}` : "";
    content.replaceChildren(
      el("p", {}, el("span", { className: "badge", "data-state": { open: "warn", rejected: "over" }[state] ?? "" }, state), ` ${proposal.name} ${proposal.note}`,
        el("small", { className: "line" }, `proposed ${moment(proposal.proposed_at)} by ${proposal.proposed_by}${decided}`)),
      proposal.version ? el("p", {}, el("b", {}, `In force as publication ${proposal.version}${review.effect ? `: ${review.effect.says}` : ""}.`)) : "",
      el("h2", {}, `What it changes in publication ${review.base}`), ...changesTable(review.changes, review.changes_total, query),
      el("h2", {}, "What looks wrong"), findings(review),
      ...leftOut(review.not_taken ?? []),
      el("h2", {}, "What approving does"), el("p", {}, review.effect ? `${review.effect.says}.` : "It prices usage from now on; what is booked keeps its price."),
      el("h2", {}, "Were the last 30 days priced again, which they are not"), inMoney(review.impact),
      state === "open" ? decision(review) : "");
  }

  function decision(review) {
    if (!mayChange()) return el("p", { className: "fine" }, "To decide, log in with a key that has the scope admin.");
    const confirm = el("input", { type: "checkbox" });
    const meant = el("label", { hidden: !review.findings.some(({ severity }) => severity === "confirm") }, confirm, " I have looked at what asks to be confirmed, and it is meant.");
    const reason = el("input", { placeholder: "Why (needed to reject)", size: 40, maxLength: 1000, "aria-label": "Reason" });
    const said = el("div", { className: "bad" });
    const buttons = [el("button", { className: "primary", on: { click: () => decide("approve", { confirm: confirm.checked, reason: reason.value }) } }, "Approve"),
      el("button", { on: { click: () => decide("reject", { reason: reason.value }) } }, "Reject")];

    async function decide(verb, body) {
      for (const button of buttons) button.disabled = true;
      try {
        const proposal = await call("POST", `${path}/${verb}`, body, actingOf(query));
        asked += 1;
        show(proposal);
      } catch (error) {
        if (error.problem?.findings) meant.hidden = false; // also what came up since it was proposed
        for (const button of buttons) button.disabled = false;
        said.replaceChildren(error.message, ...(error.problem?.findings ?? []).map(({ message }) => el("small", { className: "line" }, message)));
      }
    }
    return el("div", { className: "decision" }, meant, reason, el("div", { className: "controls" }, buttons), said);
  }
  return { element, refresh, timeless: true };
}

function findings({ findings: found, findings_total: total }) {
  if (!total) return el("p", { className: "soft" }, "Nothing.");
  return el("ul", { className: "rows" }, found.map(({ severity, message }) => el("li", {}, el("span", { className: "badge", "data-state": severity === "warning" ? "warn" : "over" }, severity), ` ${message}`)),
    total > found.length ? el("li", { className: "fine" }, `${count(total)} in all`) : null);
}

// What another vendor's file says and the catalog does not take over.
function leftOut(fields) {
  if (!fields.length) return [];
  return [el("h2", {}, "Not taken over from the file"), el("ul", { className: "rows" }, fields.map(({ field, models, of }) => el("li", {}, el("b", {}, field), ` of ${of.slice(0, LEFT_OUT_SHOWN).join(", ")}${models > LEFT_OUT_SHOWN ? ` and ${count(models - LEFT_OUT_SHOWN)} more` : ""}`)))];
}

function inMoney(impact) {
  if (!impact) return el("p", { className: "soft" }, "Not worked out.");
  const statuses = (counts) => Object.entries(counts).map(([status, events]) => `${count(events)} ${status}`).join(", ") || "none";
  return el("div", {},
    impact.amounts.map(({ currency, before, after, difference }) => el("p", {}, `${before} → ${after} ${currency} `, el("b", {}, `(${difference.startsWith("-") ? "" : "+"}${difference})`))),
    el("p", { className: "fine" }, `${count(impact.repriced)} of ${impact.events === null ? "an unknown number of" : count(impact.events)} events since ${moment(impact.since)}, priced by both books, the newest first` +
      (impact.events === impact.repriced ? "" : `, back to ${moment(impact.reached)}`) + `. By status: ${statuses(impact.statuses_before)} → ${statuses(impact.statuses_after)}.`));
}
