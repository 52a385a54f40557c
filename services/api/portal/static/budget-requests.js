// Requests for more of a budget: who asks for how much and why; given or refused by who may.

import { call, get, mayGovern, session } from "./api.js";
import { card } from "./cards.js";
import { el, part, setText, updateChildren } from "./dom.js";
import { ago, momentToMinute, money } from "./format.js";
import { link } from "./links.js";
import { badge, pressOnce } from "./pieces.js";
import { cardRefresher } from "./refresh.js";

const SHOWN = 12;
const STATES = { open: "warn", refused: "over" };

// `budget`: of one alone.
export function budgetRequests(budget) {
  const rows = el("ul", { className: "rows" });
  const requests = card("Requests for more", "requests", rows);

  function show([{ requests: all }, names]) {
    const of = all.filter((each) => !budget || each.budget_id === budget);
    const list = of.toSorted((a, b) => Number(b.state === "open") - Number(a.state === "open"));
    updateChildren(
      rows,
      list.slice(0, SHOWN),
      ({ id, state }) => `${id} ${state}`,
      (request) => makeRequest(request, names.get(request.budget_id), refresh),
    );
    setText(part(requests, "fine"), list.length ? "" : "Nobody asks for more.");
  }

  async function ask() {
    const [answer, { budgets }] = await Promise.all([get("/v1/budget-requests"), get("/v1/budgets")]);
    return [answer, new Map(budgets.map(({ id, name }) => [id, name]))];
  }

  const refresh = cardRefresher([requests], { ask, show });
  return { card: requests, refresh };
}

function makeRequest(request, name, refresh) {
  const { amount, currency, reason, requested_by: by, requested_at: at, state, budget_id: id } = request;
  return el(
    "li",
    { className: "request" },
    badge(state, STATES[state] ?? ""),
    " ",
    el("b", money(amount, currency)),
    " more of ",
    el("a", { href: link("budget", { id }) }, name ?? "a budget that is gone"),
    el("small", { className: "line" }, `${reason} · ${by}, ${ago(at)}`),
    state === "open" ? mayGovern() && decision(request, refresh) : decided(request),
  );
}

function decided({ granted, currency, lasts, decided_by: by, decided_at: at, decision_reason: why }) {
  const given = granted
    ? `${money(granted, currency)} ${lasts === "period" ? "for this period" : "for good"}, `
    : "";
  return el("small", { className: "line" }, `${given}by ${by}, ${momentToMinute(at, session.tz)}: ${why}`);
}

function decision({ id, amount, currency }, refresh) {
  const reason = el("input", {
    "aria-label": `Why: ${money(amount, currency)}`,
    placeholder: "Why",
    required: true,
  });
  const lasts = el(
    "select",
    { "aria-label": "For how long" },
    el("option", { value: "period" }, "for this period"),
    el("option", { value: "for_good" }, "for good"),
  );
  const refusal = el("span", { className: "bad", role: "alert" });
  const act = (path, body) => async () => {
    await call("POST", `/v1/budget-requests/${id}/${path}`, { reason: reason.value.trim(), ...body() });
    await refresh();
  };
  const press = (work) => () =>
    pressOnce(buttons, work, (error) => refusal.replaceChildren(` ${error.message}`));
  const buttons = [
    el("button", { on: { click: press(act("approve", () => ({ lasts: lasts.value }))) } }, "Approve"),
    el("button", { on: { click: press(act("refuse", () => ({}))) } }, "Refuse"),
  ];
  return el("div", { className: "controls" }, reason, lasts, buttons, refusal);
}
