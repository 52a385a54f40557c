// The form that decides a proposal.

import { call, mayChange } from "./api.js";
import { el } from "./dom.js";
import { logInToChange, pressOnce } from "./pieces.js";
import { tenantOf } from "./prices.js";

// `decided(proposal)`: called with what it has become.
export function decisionForm(review, path, query, decided) {
  if (!mayChange()) return el("p", { className: "fine" }, logInToChange("To decide"));
  const confirm = el("input", { type: "checkbox" });
  const confirmation = el(
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
  const refusal = el("div", { className: "bad" });
  const budgets = budgetForm(review);
  const approve = () =>
    decide("approve", { confirm: confirm.checked, reason: reason.value, budgets: budgets.read() });
  const reject = () => decide("reject", { reason: reason.value });
  const buttons = [
    el("button", { className: "primary", on: { click: approve } }, "Approve"),
    el("button", { on: { click: reject } }, "Reject"),
  ];

  const decide = (verb, body) =>
    pressOnce(
      buttons,
      async () => decided(await call("POST", `${path}/${verb}`, body, tenantOf(query))),
      showRefusal,
    );

  function showRefusal({ message, problem }) {
    const findings = problem?.findings;
    if (findings) confirmation.hidden = false; // also what came up since it was proposed
    budgets.add(problem?.budgets ?? []);
    const lines = (findings ?? []).map((each) => el("small", { className: "line" }, each.message));
    refusal.replaceChildren(message, ...lines);
  }

  const controls = el("div", { className: "controls" }, buttons);
  return el("div", { className: "decision" }, budgets.list, confirmation, reason, controls, refusal);
}

// What each budget is in the currency that begins, or that it is closed; `add`: those that were set since.
function budgetForm({ terms = [] }) {
  const list = el("ul", { className: "rows" });
  const answers = new Map();
  const currencyOf = (tenant) => terms.find((change) => change.tenant === tenant)?.currency ?? "";

  function add(budgets) {
    for (const { id, name, tenant } of budgets) {
      if (answers.has(id)) continue;
      const currency = currencyOf(tenant);
      const label = `Amount of ${name} in ${currency}`;
      const amount = el("input", { size: 12, inputMode: "decimal", "aria-label": label });
      const close = el("input", { type: "checkbox" });
      const closing = el("label", close, " is closed with the old currency");
      answers.set(id, () =>
        close.checked ? "close" : amount.value.trim() && { amount: amount.value.trim() },
      );
      list.append(el("li", `${name} becomes `, amount, ` ${currency}, or `, closing));
    }
  }

  for (const { tenant, budgets } of terms) {
    const lacking = budgets.filter((budget) => budget.needs_amount);
    add(lacking.map((budget) => ({ ...budget, tenant })));
  }

  // {id of a budget: {amount} or "close"}, of those that were answered.
  function read() {
    const all = [...answers].map(([id, answer]) => [id, answer()]);
    return Object.fromEntries(all.filter(([, answer]) => answer));
  }
  return { list, add, read };
}
