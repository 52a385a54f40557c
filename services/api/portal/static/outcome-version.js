// The form by which people say what a version is: before AI, with minutes and rates; AI added; thought anew.

import { call, session, withParameters } from "./api.js";
import { el } from "./dom.js";
import {
  Mistyped,
  actForm,
  amountInput,
  choice,
  field,
  linesInput,
  pairsOf,
  reasonInput,
  statedAmount,
  textInput,
} from "./forms.js";
import { pressOnce } from "./pieces.js";

const PATH = "/v1/workflows/versions";
const KINDS = {
  baseline: "baseline: as it was done before AI",
  augmented: "augmented: AI is added to that",
  reimagined: "reimagined: the work is thought anew",
};

// `answer`: of the comparison. `done()`: once something was said, or taken back.
export function versionForm(workflow, { versions, declared }, done) {
  const names = [...new Set([...declared, ...versions].map(({ version }) => version))];
  const version = textInput({
    list: "version-names",
    required: true,
    maxLength: 256,
    on: { change: fill },
  });
  const kind = choice(KINDS, { chosen: "augmented", on: { change: showFields } });
  const currency = textInput({ value: session.currency, maxLength: 3 });
  const roles = linesInput({ placeholder: "support agent = 18, 42" });
  const baseline = {
    other_cost_per_case: amountInput({ placeholder: "0" }),
    failed_share: amountInput({ placeholder: "0" }),
    cases_per_month: amountInput(),
    cycle_hours: amountInput(),
  };
  const words = {
    other_cost_per_case: "Other cost of a case",
    failed_share: "Share of cases done wrong or anew, 0 to 1",
    cases_per_month: "Cases a month",
    cycle_hours: "Hours from begin to outcome",
  };
  const change = amountInput();
  const changeCurrency = textInput({ value: session.currency, maxLength: 3 });
  const reason = reasonInput();
  const before = [
    field("Currency of these rates", currency),
    field("Roles, a line each: minutes of a case, rate an hour", roles),
    ...Object.entries(baseline).map(([name, input]) => field(words[name], input)),
  ];
  const refusal = el("p", { className: "bad", role: "alert" });
  const back = el("button", { type: "button", on: { click: pressBack } }, "Take back what is said of it");

  const declaredNow = () => declared.find((each) => each.version === version.value.trim());

  function showFields() {
    for (const each of before) each.hidden = kind.value !== "baseline";
    back.disabled = !declaredNow();
  }

  // What holds of a version is what a change of it begins with.
  function fill() {
    const said = declaredNow();
    if (said) {
      kind.value = said.kind;
      change.value = said.change_cost?.amount ?? "";
      currency.value = said.baseline?.currency ?? session.currency;
      changeCurrency.value = said.change_cost?.currency ?? session.currency;
      roles.value = (said.baseline?.roles ?? [])
        .map(({ role, minutes, hourly_rate: rate }) => `${role} = ${minutes}, ${rate}`)
        .join("\n");
      for (const [name, input] of Object.entries(baseline)) input.value = said.baseline?.[name] ?? "";
    }
    showFields();
  }

  function readBaseline() {
    const stated = Object.entries(baseline).map(([name, input]) => [name, input.value.trim()]);
    return {
      currency: currency.value.trim(),
      roles: Object.entries(pairsOf(roles, "Roles", { last: true })).map(readRole),
      ...Object.fromEntries(stated.filter(([, text]) => text)),
    };
  }

  async function work() {
    await call("PUT", PATH, {
      workflow,
      version: version.value.trim(),
      kind: kind.value,
      baseline: kind.value === "baseline" ? readBaseline() : null,
      change_cost: statedAmount(change, changeCurrency),
      reason: reason.value.trim(),
      revision: declaredNow()?.revision ?? null,
    });
    await done();
    return "It holds.";
  }

  function pressBack() {
    refusal.replaceChildren();
    pressOnce([back], takeBack, (error) => refusal.replaceChildren(`${error.message}.`));
  }

  async function takeBack() {
    const about = { workflow, version: version.value.trim(), reason: reason.value.trim() };
    await call("DELETE", withParameters(PATH, about));
    await done();
  }

  const form = actForm({
    name: "What a version is",
    fields: [
      el("h2", "What a version is"),
      field("Version, as events name it", version),
      el(
        "datalist",
        { id: "version-names" },
        names.map((name) => el("option", { value: name })),
      ),
      field("It is", kind),
      before,
      field("What it cost to get there, once", change),
      field("in this currency", changeCurrency),
      field("Why", reason),
    ].flat(),
    label: "Say so",
    work,
  });
  form.append(back, refusal);
  showFields();
  return form;
}

function readRole([role, text]) {
  const [minutes, rate, ...more] = text.split(",").map((each) => each.trim());
  if (!minutes || !rate || more.length)
    throw new Mistyped(`Roles: "${text}" must be minutes and a rate, as "18, 42"`);
  return { role, minutes, hourly_rate: rate };
}
