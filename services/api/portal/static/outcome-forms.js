// The forms by which people say which outcomes of a workflow count, and what its versions are.

import { call, session } from "./api.js";
import { el } from "./dom.js";
import { actForm, amountInput, field, reasonInput, statedAmount, textInput } from "./forms.js";
import { versionForm } from "./outcome-version.js";

// `done()`: once something was said. `offer(answer)`: of the comparison, what the forms begin with.
export function outcomeForms(workflow, done) {
  const settings = el("div");
  const versions = el("div");
  const element = el("div", settings, versions);
  let shown = "";

  // Drawn anew only where something else holds: whoever is writing is left in peace.
  function offer(answer) {
    const revisions = [answer.settings, ...answer.declared].map(({ revision }) => revision).join();
    if (revisions === shown) return;
    shown = revisions;
    settings.replaceChildren(settingsForm(workflow, answer, done));
    versions.replaceChildren(versionForm(workflow, answer, done));
  }
  return { element, offer };
}

function settingsForm(workflow, { settings, outcome_names: names }, done) {
  const worth = settings.value_per_accepted;
  const outcome = textInput({
    value: settings.outcome,
    list: "outcome-names",
    placeholder: "the only one there is",
  });
  const days = textInput({ value: settings.survival_days, inputMode: "numeric", required: true });
  const value = amountInput({ value: worth?.amount ?? "" });
  const currency = textInput({ value: worth?.currency ?? session.currency, maxLength: 3, size: 4 });
  const silence = el("input", { type: "checkbox", checked: settings.silence_accepts });
  const hash = el("input", { type: "checkbox", checked: settings.assigned_by_hash });
  const reason = reasonInput();

  async function work() {
    await call("PUT", "/v1/workflows/settings", {
      workflow,
      outcome: outcome.value.trim(),
      survival_days: Number(days.value),
      silence_accepts: silence.checked,
      assigned_by_hash: hash.checked,
      value_per_accepted: statedAmount(value, currency),
      reason: reason.value.trim(),
      revision: settings.revision,
    });
    await done();
    return "It holds.";
  }

  return actForm({
    name: "Which outcomes count",
    fields: [
      el("h2", "Which outcomes count"),
      field("Outcomes of this name", outcome),
      el(
        "datalist",
        { id: "outcome-names" },
        names.map((name) => el("option", { value: name })),
      ),
      field("They must last for so many days", days),
      field("An accepted one is worth", value),
      field("in this currency", currency),
      el("label", silence, " What nobody refused or reversed by then counts as accepted"),
      el("label", hash, " Cases go to a version by a hash"),
      field("Why", reason),
    ],
    label: "Say so",
    work,
  });
}
