// The first page: today against yesterday, who spends now, budgets, incidents, accounting, and the explorer.

import { call, get, mayChange, session } from "./api.js";
import { asking } from "./asking.js";
import { el, keyed, part, say } from "./dom.js";
import { explorer } from "./explorer.js";
import {
  ago,
  count,
  dayOf,
  daysBefore,
  decimal,
  inFlight,
  iso,
  momentOf,
  money,
  percent,
  perHour,
  ratio,
  sum,
  timeOf,
  wholeMinute,
} from "./format.js";
import { link, nameOf } from "./links.js";

const NOW_MINUTES = 5;
const NOW_ROWS = 6;
const INCIDENT_FIGURES = 4;
const SLOW_BEATS = 4; // what changes slowly is asked for every fourth time

function card(title, name, ...children) {
  return el(
    "section",
    { className: `card ${name}`, "aria-label": title },
    el("h2", {}, title),
    ...children,
    el("p", { className: "fine", "data-part": "fine" }),
  );
}

function tile(title, name) {
  return el(
    "a",
    { className: `card tile ${name}`, href: "#/" },
    el("h2", {}, title),
    el("strong", { "data-part": "figure" }, "…"),
    el("span", { "data-part": "note" }),
    el("span", { className: "fine", "data-part": "fine" }),
  );
}

const basis = (answer) =>
  `${answer.currency} · ${session.tz} · ${answer.complete_through ? `complete through ${timeOf(answer.complete_through, session.tz)}` : "not complete yet"}`;

// The row in the tenant's currency; spend in others is named, never added.
function own(answer) {
  const row = answer.totals.find(({ currency }) => currency === answer.currency);
  const others = answer.totals.filter(({ currency }) => currency !== answer.currency);
  return {
    amount: decimal(row?.effective ?? "0"),
    also: others.map((each) => ` + ${money(each.effective, each.currency)}`).join(""),
  };
}

export function overviewPage(query) {
  const today = tile("Today", "today");
  const rate = tile("Now, per hour", "rate");
  const open = tile("Incidents", "alarm");
  const budgetTile = tile("Tightest budget", "tight");
  const spenders = el("ol", { className: "rows" });
  const who = card(`Who is spending now`, "who", spenders);
  const budgetRows = el("ul", { className: "rows" });
  const budgets = card("Budgets", "budgets", budgetRows);
  const incidentRows = el("ul", { className: "rows" });
  const incidents = card("Incidents", "incidents", incidentRows);
  const account = el("p", { className: "account" });
  const accounts = el("section", { "aria-label": "Accounting" }, account);
  const explore = explorer(query);
  const element = el(
    "div",
    { className: "overview" },
    el("div", { className: "tiles" }, today, rate, budgetTile, open),
    el(
      "div",
      { className: "columns" },
      explore.element,
      el("div", { className: "side" }, incidents, who, budgets),
    ),
    accounts,
  );
  today.addEventListener("click", () => explore.element.scrollIntoView({ behavior: "smooth" }));
  let beats = 0;

  const cards = {
    today: asking([today], { ask: askToday, show: ([spent, before]) => showToday(spent, before) }),
    rates: asking([rate, who], { ask: askRates, show: ({ answer, seconds }) => showRates(answer, seconds) }),
    explored: explore.refresh,
  };
  const slowCards = [
    asking([budgets, budgetTile], { ask: () => get("/v1/budgets"), show: showBudgets }),
    asking([incidents, open], {
      ask: () => get("/v1/incidents", { limit: 20 }),
      show: ({ incidents: list }) => showIncidents(list),
    }),
    asking([accounts], { ask: () => get("/v1/accounting"), show: showAccounting }),
  ];

  // Each card shows its own answer or its own trouble; only when none was answered is it the page's.
  async function refresh() {
    const slow = beats++ % SLOW_BEATS === 0;
    const results = await Promise.all(
      [...Object.values(cards), ...(slow ? slowCards : [])].map((ask) => ask()),
    );
    const errors = results.filter(({ error }) => error);
    if (errors.length === results.length) throw errors[0].error;
    const [
      { answer: [spent] = [] },
      { answer: { answer: rates } = {} },
      { answer: { answer: explored } = {} },
    ] = results;
    return explored ?? spent ?? rates;
  }

  function askToday() {
    const now = Date.now();
    return Promise.all([
      get("/v1/spend", { usage: false }),
      get("/v1/spend", {
        usage: false,
        from: iso(daysBefore(now, 1, session.tz, true)),
        to: iso(wholeMinute(daysBefore(now, 1, session.tz)) + 60_000),
      }),
    ]);
  }

  async function askRates() {
    const now = Date.now();
    const minutesAgo = wholeMinute(now) - (NOW_MINUTES - 1) * 60_000;
    const answer = await get("/v1/spend", {
      usage: false,
      from: iso(minutesAgo),
      group_by: "team,workflow,agent",
      top: NOW_ROWS,
    });
    return { answer, seconds: (now - minutesAgo) / 1000 };
  }

  function showToday(spent, before) {
    Object.assign(session, { tz: spent.tz, currency: spent.currency }); // the tenant's terms may have changed
    const [mine, then] = [own(spent), own(before)];
    today.href = link("", { range: "today", by: "team" });
    say(part(today, "figure"), money(mine.amount, spent.currency) + mine.also);
    const change = ratio(mine.amount - then.amount, then.amount);
    const note =
      then.amount === 0n
        ? "nothing yesterday by this time"
        : `${change >= 0 ? "▲" : "▼"} ${percent(Math.abs(change))} on yesterday by this time (${money(then.amount, spent.currency)})`;
    part(today, "note").className = then.amount === 0n ? "" : change > 0 ? "up" : "down";
    say(part(today, "note"), note);
    const unsure =
      spent.of_which_provisional === "0"
        ? ""
        : ` · ${money(spent.of_which_provisional, spent.currency)} of it provisional`;
    const unpriced = spent.unpriced_events ? ` · ${count(spent.unpriced_events)} events without a price` : "";
    say(part(today, "fine"), basis(spent) + unsure + unpriced);
  }

  function showRates(rates, seconds) {
    const rows = rates.totals.filter(({ currency }) => currency === rates.currency);
    const all = sum(rows.map((row) => row.effective));
    rate.href = link("", { range: "1h", by: "team" });
    say(part(rate, "figure"), money(perHour(all, seconds), rates.currency));
    say(
      part(rate, "note"),
      `${count(rows.reduce((total, row) => total + row.events, 0))} events in ${NOW_MINUTES} minutes`,
    );
    say(part(rate, "fine"), basis(rates));
    const named = rows.filter(({ others }) => !others);
    const rest = rows.find(({ others }) => others);
    keyed(
      spenders,
      named,
      (row) => JSON.stringify([row.team, row.workflow, row.agent]),
      () =>
        el(
          "li",
          {},
          el(
            "a",
            { className: "row" },
            el("span", { className: "name", "data-part": "name" }),
            el("b", { "data-part": "amount" }),
            el("i", { className: "fill", "data-part": "fill" }),
          ),
        ),
      (item, row) => {
        item.firstChild.href = link("", {
          range: "1h",
          by: "sku",
          filters: { team: [row.team], workflow: [row.workflow], agent: [row.agent] },
        });
        say(
          part(item, "name"),
          [row.team, row.workflow, row.agent].filter(Boolean).join(" · ") || nameOf(""),
        );
        say(part(item, "amount"), `${money(perHour(decimal(row.effective), seconds), row.currency)}/h`);
        part(item, "fill").style.width = percentWidth(
          ratio(decimal(row.effective), decimal(rows[0].effective)),
        );
      },
    );
    const beside = rest
      ? `and ${count(rest.others)} others at ${money(perHour(decimal(rest.effective), seconds), rest.currency)}/h · `
      : "";
    say(
      part(who, "fine"),
      rows.length
        ? `${beside}rates of the last ${NOW_MINUTES} minutes · ${basis(rates)}`
        : `Nobody, in the last ${NOW_MINUTES} minutes. ${basis(rates)}`,
    );
  }

  function showBudgets({ budgets: list, tz, complete_through: through }) {
    keyed(
      budgetRows,
      list,
      ({ id }) => id,
      () =>
        el(
          "li",
          {},
          el(
            "a",
            { className: "budget" },
            el("span", { className: "name", "data-part": "name" }),
            el("b", { "data-part": "percent" }),
            el(
              "span",
              { className: "meter" },
              el("i", { "data-part": "fill" }),
              el("i", { className: "clock", "data-part": "clock" }),
            ),
            el("small", { "data-part": "words" }),
          ),
        ),
      (item, budget) => {
        const [start, end] = [new Date(budget.period_start), new Date(budget.period_end)];
        const gone = (Date.now() - start) / (end - start);
        const share = ratio(decimal(budget.spent), decimal(budget.amount));
        item.firstChild.href = link("", {
          from: iso(start),
          to: iso(end),
          by: "team",
          filters: Object.fromEntries(Object.entries(budget.filter).map(([name, value]) => [name, [value]])),
        });
        item.firstChild.dataset.state = stateOf(budget, share, gone);
        say(part(item, "name"), budget.name);
        say(part(item, "percent"), percent(share, share < 0.1 ? 1 : 0));
        part(item, "fill").style.width = percentWidth(share);
        part(item, "clock").style.left = percentWidth(gone);
        part(item, "clock").title = `${percent(gone, 0)} of the ${budget.period} is over`;
        const left = decimal(budget.remaining);
        say(
          part(item, "words"),
          `${money(budget.spent, budget.currency)} of ${money(budget.amount, budget.currency)} · ` +
            (left < 0n ? `${money(-left, budget.currency)} over` : `${money(left, budget.currency)} left`) +
            ` · ${percent(gone, 0)} of the ${budget.period} over, until ${dayOf(end - 1, tz)}`,
        );
      },
    );
    say(
      part(budgets, "fine"),
      list.length
        ? `${[...new Set(list.map(({ currency }) => currency))].join(", ")} · ${tz} · ${through ? `complete through ${timeOf(through, tz)}` : "not complete yet"}`
        : "None yet: POST /v1/budgets sets one.",
    );
    const tight = [...list].sort((a, b) => Number(b.percent) - Number(a.percent))[0];
    say(
      part(budgetTile, "figure"),
      tight ? percent(ratio(decimal(tight.spent), decimal(tight.amount)), 0) : "—",
    );
    say(part(budgetTile, "note"), tight ? tight.name : "no budgets");
    say(
      part(budgetTile, "fine"),
      tight
        ? `${money(tight.spent, tight.currency)} of ${money(tight.amount, tight.currency)} ${tight.currency} · ${tz}`
        : "",
    );
    budgetTile.href =
      (tight &&
        [...budgetRows.keyedChildren.values()][list.indexOf(tight)].firstChild.getAttribute("href")) ||
      "#/";
    budgetTile.dataset.state = tight
      ? stateOf(tight, ratio(decimal(tight.spent), decimal(tight.amount)), 1)
      : "";
  }

  function showIncidents(list) {
    const live = list.filter(({ state }) => state !== "resolved");
    const shown = [...live, ...list.filter(({ state }) => state === "resolved")].slice(0, 6);
    keyed(
      incidentRows,
      shown,
      ({ id }) => id,
      () =>
        el(
          "li",
          {},
          el(
            "div",
            { className: "incident" },
            el("span", { className: "badge", "data-part": "state" }),
            el("a", { className: "name", "data-part": "name" }),
            el("dl", { className: "figures", "data-part": "figures" }),
            el(
              "details",
              {},
              el("summary", {}, "What happened, and what to do"),
              el("p", { "data-part": "summary" }),
              el("p", { "data-part": "action" }),
            ),
            el("small", { "data-part": "words" }),
            el("span", { "data-part": "act" }),
          ),
        ),
      (item, incident) => {
        item.firstChild.dataset.state = incident.state;
        say(part(item, "state"), incident.state);
        say(part(item, "name"), incident.title || incident.rule_name);
        const filters = Object.fromEntries(
          Object.entries(incident.scope).map(([name, value]) => [name, [value]]),
        );
        part(item, "name").href = link("", {
          from: iso(wholeMinute(new Date(incident.began_at))),
          to: iso(wholeMinute(new Date(incident.resolved_at ?? Date.now())) + 60_000),
          by: "sku",
          filters,
        });
        say(part(item, "summary"), incident.summary);
        say(part(item, "action"), incident.suggested_action);
        part(item, "figures").replaceChildren(
          ...incident.figures
            .slice(0, INCIDENT_FIGURES)
            .flatMap(({ label, amount, unit, text }) => [
              el("dt", {}, label),
              el("dd", { title: `${amount} ${unit}` }, text),
            ]),
        );
        const scope = Object.entries(incident.scope)
          .map(
            ([name, value]) =>
              `${name.replace("_", " ")} ${nameOf(incident.key_names[value] ? `${incident.key_names[value]} (${value})` : value)} · `,
          )
          .join("");
        say(
          part(item, "words"),
          `${scope}${incident.rule_name} · ${incident.kind} · opened ${momentOf(incident.opened_at, session.tz)} (${ago(incident.opened_at)})` +
            (incident.acknowledged_by ? ` · acknowledged by ${incident.acknowledged_by}` : ""),
        );
        const button = incident.state === "open" && mayChange();
        if (button !== Boolean(part(item, "act").firstChild)) {
          part(item, "act").replaceChildren(
            button
              ? el("button", { on: { click: (event) => acknowledge(event, incident.id) } }, "Acknowledge")
              : "",
          );
        }
      },
    );
    const needs =
      live.some(({ state }) => state === "open") && !mayChange()
        ? "To acknowledge, log in with a key that has the scope admin. "
        : "";
    say(
      part(incidents, "fine"),
      shown.length
        ? `${needs}${session.tz}`
        : "None. Nothing is over its budget or beyond what it usually spends.",
    );
    const unseen = list.filter(({ state }) => state === "open").length;
    say(part(open, "figure"), count(unseen));
    say(
      part(open, "note"),
      unseen ? "open, nobody has acknowledged" : live.length ? `${live.length} acknowledged` : "all quiet",
    );
    say(part(open, "fine"), live[0] ? live[0].title : "");
    open.dataset.state = unseen ? "over" : "";
    open.href = live[0]
      ? [...incidentRows.keyedChildren.values()][0].querySelector("a").getAttribute("href")
      : "#/";
  }

  async function acknowledge({ target }, id) {
    target.disabled = true;
    try {
      await call("POST", `/v1/incidents/${id}/acknowledge`, {});
      showIncidents((await get("/v1/incidents", { limit: 20 })).incidents);
    } catch (error) {
      target.disabled = false;
      target.after(el("span", { className: "bad" }, ` ${error.message}`));
    }
  }

  function showAccounting({ total, balanced, complete_through: through }) {
    const accepted =
      total.booked + total.duplicate + total.conflict + total.rejected + total.holes + total.in_flight;
    const all = total.in_flight === null ? `${count(accepted)} or more` : count(accepted);
    const figure = (name, href) =>
      el(href ? "a" : "span", { href }, `${name} ${count(total[name.replace(" ", "_")])}`);
    account.replaceChildren(
      el("b", {}, `accepted ${all}`),
      " = ",
      figure("booked", link("events")),
      " + ",
      figure("duplicate", link("unbooked", { outcome: "duplicate" })),
      " + ",
      figure("conflict", link("unbooked", { outcome: "conflict" })),
      " + ",
      figure("rejected", link("unbooked", { outcome: "rejected" })),
      total.holes ? ` + holes ${count(total.holes)}` : "",
      ` + in flight ${inFlight(total)}`,
      el(
        "span",
        { className: balanced ? "badge good" : "badge", "data-state": balanced ? "" : "open" },
        balanced ? "balanced" : "does not balance",
      ),
      el(
        "span",
        { className: "fine" },
        ` events of this tenant · in flight: of all tenants · ${through ? `complete through ${timeOf(through, session.tz)} ${session.tz}` : "not complete yet"}`,
      ),
    );
  }

  return { element, refresh, accept: explore.accept };
}

const percentWidth = (share) => `${Math.min(100, Math.max(0, share * 100)).toFixed(2)}%`;

function stateOf(budget, share, gone) {
  if (share >= 1) return "over";
  const first = Math.min(...budget.thresholds_percent.map(Number)) / 100;
  return share >= first || (share > 0.5 && share > gone * 1.2) ? "warn" : "";
}
