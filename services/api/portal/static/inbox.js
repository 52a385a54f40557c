// What is used and has no price, and the way from there to one: a proposal, its review, its approval.

import { Refused, asked as address, call, get, mayChange } from "./api.js";
import { el, home, keyed, part, say, trail } from "./dom.js";
import { ago, count, money } from "./format.js";
import { link } from "./links.js";
import { actingOf, changesTable, modelLink, moment, whoseChoice, whoseOf } from "./prices.js";

const SLOW_BEATS = 4;
const LEFT_OUT_SHOWN = 3;
const ITEMS_MAX = 200; // as many as the API gives

const stakes = ({ at_stake: stake, unpriced_events: unpriced }) =>
  [
    ...stake
      .filter(({ provisional }) => provisional !== "0")
      .map((each) => `${money(each.provisional, each.currency)} ${each.currency} provisional`),
    ...(unpriced ? [`${count(unpriced)} events unpriced`] : []),
  ].join(" + ") || "nothing yet";

export function inboxPage(query) {
  const list = el("ul", { className: "rows" });
  const note = el("p", { className: "soft" }, "Looking…");
  const units = el("ul", { className: "rows" });
  const booked = el("ul", { className: "rows" });
  const open = el("ul", { className: "rows" });
  const opened = el("p", { className: "fine" });
  const dropped = el("ul", { className: "rows dropped" });
  const droppedNote = el("p", { className: "fine" });
  const heading = (text) => el("h2", { hidden: true }, text);
  const [unknown, keeping] = [
    heading("Units that nobody knows"),
    heading("Has a price by now, and keeps what it was booked at"),
  ];
  const drafts = new Map(); // what was written of an item outlives its place in the list
  const element = el(
    "section",
    { className: "card receipt catalog inbox" },
    trail(home(), el("a", { href: link("catalog", whoseOf(query)) }, "Catalog"), "Inbox"),
    el(
      "div",
      { className: "controls" },
      el("h1", {}, "Used, and without a price"),
      whoseChoice("inbox", query),
    ),
    note,
    list,
    unknown,
    units,
    keeping,
    booked,
    el("h2", {}, "Fields that nobody knows"),
    dropped,
    droppedNote,
    el("h2", {}, "Open proposals"),
    open,
    opened,
  );
  let beats = 0;

  async function refresh() {
    const acting = actingOf(query);
    const slow = beats++ % SLOW_BEATS === 0;
    const [inbox, proposals, names] = await Promise.all([
      get("/v1/catalog/inbox", { limit: ITEMS_MAX }, acting),
      slow ? get("/v1/catalog/proposals", { state: "open" }, acting) : null,
      slow ? get("/v1/catalog/inbox/dropped", {}, acting) : null,
    ]);
    const waiting = inbox.items.filter(({ state }) => state === "open");
    const kept = inbox.items.filter(({ state }) => state === "booked");
    say(
      note,
      waiting.length
        ? `${waiting.length === ITEMS_MAX ? "At least " : ""}${count(waiting.length)} that publication ${inbox.version} of the catalog does not price, the newest first. Their cost is bounded where a family is known, and counted where it is not.`
        : `Everything that is used has a price in publication ${inbox.version}.`,
    );
    keyed(list, waiting, keyOf, (item) => made(item), update);
    unknown.hidden = !inbox.units.length;
    keyed(
      units,
      inbox.units,
      ({ unit }) => unit,
      () =>
        el(
          "li",
          {},
          el("b", { "data-part": "says" }),
          el("small", { className: "line", "data-part": "of" }),
          el("small", { className: "line", "data-part": "advice" }),
        ),
      updateUnit,
    );
    keeping.hidden = !kept.length;
    keyed(
      booked,
      kept,
      keyOf,
      ({ provider, sku }) =>
        el(
          "li",
          {},
          modelLink(provider, sku, query),
          " ",
          el("b", { "data-part": "stake" }),
          el("small", { className: "line", "data-part": "kept" }),
          el("small", { className: "line", "data-part": "age" }),
        ),
      (item, found) => {
        say(part(item, "stake"), stakes(found));
        say(part(item, "kept"), found.kept);
        say(part(item, "age"), aged(found));
      },
    );
    if (names) {
      keyed(
        dropped,
        names.dropped,
        ({ tenant, key_id: key, name }) => JSON.stringify([tenant, key, name]),
        () => el("li"),
        (item, row) =>
          say(
            item,
            `${row.name}: ${count(row.requests)} requests of key ${row.key_id}${row.key_name && ` (${row.key_name})`} of ${row.tenant || "an operator"}, last ${ago(row.last_at)}`,
          ),
      );
      say(
        droppedNote,
        names.dropped.length
          ? "Senders gave them, and nothing of them was kept. A label that is spelt wrongly is spend without that label."
          : "None was sent in the last 90 days.",
      );
    }
    if (proposals) {
      keyed(
        open,
        proposals.proposals,
        ({ id }) => id,
        (each) =>
          el(
            "li",
            {},
            el(
              "a",
              { href: link("proposal", { id: each.id, ...whoseOf(query) }) },
              `${each.id}: ${each.name}`,
            ),
            el("small", {}, ` ${moment(each.proposed_at)} by ${each.proposed_by} ${each.note}`),
          ),
      );
      say(opened, proposals.proposals.length ? "" : "None waits for a decision.");
    }
    return null;
  }

  function updateUnit(item, { says, advice, of, tenants }) {
    say(part(item, "says"), says);
    say(part(item, "of"), `sent for ${of.join(", ")} by ${tenants.join(", ")}`);
    say(part(item, "advice"), advice);
  }

  function update(item, found) {
    say(part(item, "stake"), stakes(found));
    say(part(item, "age"), aged(found));
    say(
      part(item, "usage"),
      Object.entries(found.usage)
        .map(([unit, quantity]) => `${quantity} ${unit}`)
        .join(" · "),
    );
    say(
      part(item, "lacks"),
      found.lacks.map(({ kind, unit, says }) => (kind === "model" ? `${unit}: ${says}` : says)).join(" · "),
    );
    say(part(item, "advice"), [...new Set(found.lacks.map(({ advice }) => advice))].join(" · "));
    say(part(item, "naming"), found.naming.join(" · "));
  }

  function made(found) {
    const { provider, sku, nearest } = found;
    const rates = new Map(
      found.lacks.filter(({ kind }) => kind === "rate").map((lack) => [`${lack.base}/${lack.quote}`, lack]),
    );
    return el(
      "li",
      { className: "item" },
      el("h3", {}, `${provider}/${sku}`),
      el("b", { "data-part": "stake" }),
      ["age", "usage", "lacks", "advice", "naming"].map((name) =>
        el("small", { className: "line", "data-part": name }),
      ),
      el(
        "div",
        { className: "chips" },
        nearest.map((near) =>
          el("span", {}, modelLink(near.provider, near.sku, query), el("small", {}, ` ${near.reason}`)),
        ),
      ),
      [...rates.values()].map((lack) => rateForm(lack, found)),
      found.lacks.every(({ kind }) => kind === "rate") ? null : fileForm(found),
    );
  }

  // One exchange rate that is missing: what one of the one is in the other, and from when.
  function rateForm({ base, quote, says }, { since }) {
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
    const said = el("p", { className: "bad" });
    const state = async ({ target }) =>
      propose(target, said, () =>
        call(
          "POST",
          "/v1/catalog/inbox/rates",
          {
            base,
            quote,
            rate: rate.value,
            effective_from: `${from.value}T00:00:00Z`,
            source: source.value,
            note: `from the inbox: ${says}`,
          },
          actingOf(query),
        ),
      );
    return el(
      "div",
      { className: "controls" },
      `1 ${base} =`,
      rate,
      `${quote} from`,
      from,
      source,
      el("button", { className: "primary", on: { click: state } }, "Propose this rate"),
      said,
    );
  }

  function fileForm(found) {
    const { provider, sku } = found;
    const ready = found.proposal ?? skeleton(found, actingOf(query));
    const key = keyOf(found);
    const text = el("textarea", {
      value: drafts.get(key) ?? ready.text,
      on: { input: () => drafts.set(key, text.value) },
      rows: 14,
      spellcheck: false,
      "aria-label": `Price file for ${provider}/${sku}`,
    });
    const said = el("p", { className: "bad" });
    const alias = ready.kind === "alias";
    const why = alias
      ? `Approved, ${ready.says}, at its prices.`
      : found.proposal
        ? `A price to begin with: ${ready.says}. Write what is true, and where it is written.`
        : "Nothing near it has a price to begin with. Write what it costs, and where that is written.";
    const send = async ({ target }) =>
      propose(target, said, () =>
        call(
          "POST",
          address("/v1/catalog/proposals", {
            name: ready.name,
            replace: ready.replace || undefined,
            note: `from the inbox: ${provider}/${sku}`.slice(0, 1000),
          }),
          text.value,
          actingOf(query),
        ),
      );
    const act = mayChange()
      ? [
          text,
          el(
            "button",
            { className: "primary", on: { click: send } },
            alias ? "Propose this name" : "Propose this price",
          ),
          said,
        ]
      : [
          el("pre", {}, ready.text),
          el("p", { className: "fine" }, "To propose it, log in with a key that has the scope admin."),
        ];
    return el(
      "details",
      {},
      el("summary", {}, alias ? "Proposed name" : found.proposal ? "Proposed price" : "Write its price"),
      el("p", { className: "fine" }, why),
      act,
    );
  }

  async function propose(button, said, ask) {
    button.disabled = true;
    say(said, "");
    try {
      const { id } = await ask();
      location.hash = link("proposal", { id, ...whoseOf(query) });
    } catch (error) {
      button.disabled = false;
      say(said, error.message);
    }
  }
  return { element, refresh, timeless: true };
}

const keyOf = ({ provider, sku }) => JSON.stringify([provider, sku]);
const aged = (found) =>
  `first seen ${ago(found.first_seen)}, last ${ago(found.last_seen)} · ${count(found.events)} events of ${found.tenants.join(", ")}`;

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
  const element = el(
    "section",
    { className: "card receipt catalog" },
    trail(home(), el("a", { href: link("inbox", whoseOf(query)) }, "Inbox"), "Proposal"),
    el("h1", {}, `Proposal ${id}`),
    content,
  );
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
    const decided = proposal.decided_by
      ? `, ${proposal.state} ${moment(proposal.decided_at)} by ${proposal.decided_by}${proposal.reason ? `: ${proposal.reason}` : ""}`
      : "";
    content.replaceChildren(
      el(
        "p",
        {},
        el(
          "span",
          { className: "badge", "data-state": { open: "warn", rejected: "over" }[state] ?? "" },
          state,
        ),
        ` ${proposal.name} ${proposal.note}`,
        el(
          "small",
          { className: "line" },
          `proposed ${moment(proposal.proposed_at)} by ${proposal.proposed_by}${decided}`,
        ),
      ),
      proposal.version
        ? el(
            "p",
            {},
            el(
              "b",
              {},
              `In force as publication ${proposal.version}${review.effect ? `: ${review.effect.says}` : ""}.`,
            ),
          )
        : "",
      el("h2", {}, `What it changes in publication ${review.base}`),
      ...changesTable(review.changes, review.changes_total, query),
      ...(review.names ?? []).map((name) => el("p", { className: "line" }, name)),
      ...termsOf(review),
      el("h2", {}, "What looks wrong"),
      findings(review),
      ...leftOut(review.not_taken ?? []),
      el("h2", {}, "What approving does"),
      el(
        "p",
        {},
        review.effect
          ? `${review.effect.says}.`
          : "It prices usage from now on; what is booked keeps its price.",
      ),
      el("h2", {}, "Were the last 30 days priced again, which they are not"),
      inMoney(review.impact),
      state === "open" ? decision(review) : "",
    );
  }

  function decision(review) {
    if (!mayChange())
      return el("p", { className: "fine" }, "To decide, log in with a key that has the scope admin.");
    const confirm = el("input", { type: "checkbox" });
    const meant = el(
      "label",
      { hidden: !review.findings.some(({ severity }) => severity === "confirm") },
      confirm,
      " I have looked at what asks to be confirmed, and it is meant.",
    );
    const reason = el("input", {
      placeholder: "Why (needed to reject)",
      size: 40,
      maxLength: 1000,
      "aria-label": "Reason",
    });
    const said = el("div", { className: "bad" });
    const asks = budgetAnswers(review);
    const buttons = [
      el(
        "button",
        {
          className: "primary",
          on: {
            click: () =>
              decide("approve", { confirm: confirm.checked, reason: reason.value, budgets: asks.said() }),
          },
        },
        "Approve",
      ),
      el("button", { on: { click: () => decide("reject", { reason: reason.value }) } }, "Reject"),
    ];

    async function decide(verb, body) {
      for (const button of buttons) button.disabled = true;
      try {
        const proposal = await call("POST", `${path}/${verb}`, body, actingOf(query));
        asked += 1;
        show(proposal);
      } catch (error) {
        if (error.problem?.findings) meant.hidden = false; // also what came up since it was proposed
        asks.add(error.problem?.budgets ?? []);
        for (const button of buttons) button.disabled = false;
        said.replaceChildren(
          error.message,
          ...(error.problem?.findings ?? []).map(({ message }) =>
            el("small", { className: "line" }, message),
          ),
        );
      }
    }
    return el(
      "div",
      { className: "decision" },
      asks.element,
      meant,
      reason,
      el("div", { className: "controls" }, buttons),
      said,
    );
  }
  return { element, refresh, timeless: true };
}

// In what tenants count from an instant on, and what becomes of their budgets.
function termsOf({ terms = [] }) {
  return terms.flatMap(({ tenant, says, budgets }) => [
    el("h2", {}, `Terms of ${tenant}`),
    ...says.map((sentence) => el("p", {}, sentence)),
    el(
      "ul",
      { className: "rows" },
      budgets.map(({ name, says: what, becomes }) =>
        el("li", {}, el("b", {}, name), ` ${what}`, becomes ? el("b", {}, ` → ${becomes}`) : null),
      ),
    ),
  ]);
}

// What each budget is in the currency that begins, or that it is closed; `add`: those that were set since.
function budgetAnswers({ terms = [] }) {
  const element = el("ul", { className: "rows" });
  const answers = new Map();
  const currencyOf = (tenant) => terms.find((change) => change.tenant === tenant)?.currency ?? "";

  function add(budgets) {
    for (const { id, name, tenant } of budgets) {
      if (answers.has(id)) continue;
      const amount = el("input", {
        size: 12,
        inputMode: "decimal",
        "aria-label": `Amount of ${name} in ${currencyOf(tenant)}`,
      });
      const close = el("input", { type: "checkbox" });
      answers.set(id, () =>
        close.checked ? "close" : amount.value.trim() && { amount: amount.value.trim() },
      );
      element.append(
        el(
          "li",
          {},
          `${name} becomes `,
          amount,
          ` ${currencyOf(tenant)}, or `,
          el("label", {}, close, " is closed with the old currency"),
        ),
      );
    }
  }

  for (const { tenant, budgets } of terms)
    add(budgets.filter((budget) => budget.needs_amount).map((budget) => ({ ...budget, tenant })));
  const said = () =>
    Object.fromEntries([...answers].map(([id, answer]) => [id, answer()]).filter(([, answer]) => answer));
  return { element, add, said };
}

function findings({ findings: found, findings_total: total }) {
  if (!total) return el("p", { className: "soft" }, "Nothing.");
  return el(
    "ul",
    { className: "rows" },
    found.map(({ severity, message }) =>
      el(
        "li",
        {},
        el("span", { className: "badge", "data-state": severity === "warning" ? "warn" : "over" }, severity),
        ` ${message}`,
      ),
    ),
    total > found.length ? el("li", { className: "fine" }, `${count(total)} in all`) : null,
  );
}

// What another vendor's file says and the catalog does not take over.
function leftOut(fields) {
  if (!fields.length) return [];
  return [
    el("h2", {}, "Not taken over from the file"),
    el(
      "ul",
      { className: "rows" },
      fields.map(({ field, models, of }) =>
        el(
          "li",
          {},
          el("b", {}, field),
          ` of ${of.slice(0, LEFT_OUT_SHOWN).join(", ")}${models > LEFT_OUT_SHOWN ? ` and ${count(models - LEFT_OUT_SHOWN)} more` : ""}`,
        ),
      ),
    ),
  ];
}

function inMoney(impact) {
  if (!impact) return el("p", { className: "soft" }, "Not worked out.");
  const statuses = (counts) =>
    Object.entries(counts)
      .map(([status, events]) => `${count(events)} ${status}`)
      .join(", ") || "none";
  return el(
    "div",
    {},
    impact.amounts.map(({ currency, before, after, difference }) =>
      el(
        "p",
        {},
        `${before} → ${after} ${currency} `,
        el("b", {}, `(${difference.startsWith("-") ? "" : "+"}${difference})`),
      ),
    ),
    el(
      "p",
      { className: "fine" },
      `${count(impact.repriced)} of ${impact.events === null ? "an unknown number of" : count(impact.events)} events since ${moment(impact.since)}, priced by both books, the newest first` +
        (impact.events === impact.repriced ? "" : `, back to ${moment(impact.reached)}`) +
        `. By status: ${statuses(impact.statuses_before)} → ${statuses(impact.statuses_after)}.`,
    ),
  );
}
