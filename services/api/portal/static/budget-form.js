// The form that sets a budget.

import { call, session } from "./api.js";
import { el } from "./dom.js";
import { DIMENSIONS, dimensionLabel } from "./links.js";
import { pressOnce } from "./pieces.js";

export const PERIODS = {
  month: "a month",
  week: "a week",
  day: "a day",
  quarter: "a quarter",
  year: "a year",
};

// `done(budget)`: once it is set.
export function budgetForm(done) {
  const name = el("input", { name: "name", maxLength: 200, required: true });
  const amount = el("input", { name: "amount", inputMode: "decimal", required: true, placeholder: "5000" });
  const period = select("period", PERIODS);
  const scoped = ["", ...DIMENSIONS].map((each) => [each, each ? dimensionLabel(each) : "everything"]);
  const dimension = select("dimension", Object.fromEntries(scoped));
  const value = el("input", { name: "value", placeholder: "search" });
  const tell = el("input", { name: "tell", value: "80, 100" });
  const hard = el("input", { type: "checkbox" });
  const button = el("button", { className: "primary" }, "Set it");
  const refusal = el("p", { className: "bad", role: "alert" });
  const told = el("p", { className: "fine", role: "status" });

  function submit(event) {
    event.preventDefault();
    refusal.replaceChildren();
    pressOnce([button], set, (error) => refusal.replaceChildren(`${error.message}.`));
  }

  async function set() {
    const budget = await call("POST", "/v1/budgets", {
      name: name.value.trim(),
      amount: amount.value.trim(),
      period: period.value,
      filter: dimension.value ? { [dimension.value]: value.value.trim() } : {},
      thresholds_percent: tell.value
        .split(",")
        .map((each) => each.trim())
        .filter(Boolean),
      hard: hard.checked ? {} : null,
    });
    clear();
    told.replaceChildren(`Set: ${budget.name}.`);
    await done(budget);
  }

  function clear() {
    for (const each of [name, amount, value]) each.value = "";
    hard.checked = false;
    button.disabled = false;
  }

  return el(
    "form",
    { className: "fields", "aria-label": "Set a budget", on: { submit } },
    field("Name", name),
    field(`Amount in ${session.currency}`, amount),
    field("For", period),
    field("Of what", dimension),
    field("which is", value),
    field("Told at, in %", tell),
    el("label", hard, " It stops: what agents reserve beyond it is refused"),
    button,
    refusal,
    told,
  );
}

const field = (label, input) => el("label", el("span", label), input);

const select = (name, options) =>
  el(
    "select",
    { name },
    Object.entries(options).map(([value, label]) => el("option", { value }, label)),
  );
