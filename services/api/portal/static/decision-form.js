// The form by which somebody writes down that the calls of a slice move to another model.

import { call } from "./api.js";
import { actForm, field, linesFrom, linesInput, pairsOf, reasonInput, textInput } from "./forms.js";
import { filtersOf } from "./links.js";
import { dayIn } from "./months.js";

// `query`: what the page before has chosen already. `done()`: once it is written down.
export function decisionForm(query, done) {
  const slice = Object.fromEntries(Object.entries(filtersOf(query)).map(([name, [value]]) => [name, value]));
  const title = textInput({ required: true, maxLength: 200 });
  const filter = linesInput({ value: linesFrom(slice), placeholder: "team = search" });
  const model = (name, placeholder) =>
    textInput({ required: true, value: query.get(name) ?? "", placeholder });
  const from = model("from_model", "openai/gpt-5");
  const to = model("to_model", "openai/gpt-5-mini");
  const owner = textInput({ required: true, maxLength: 128 });
  const day = textInput({ type: "date", required: true, value: dayIn(Date.now(), "UTC") });
  const growth = textInput({ placeholder: "1.05..1.2", maxLength: 40 });
  const reason = reasonInput();

  async function work() {
    const { title: made } = await call("POST", "/v1/models/decisions", {
      title: title.value.trim(),
      reason: reason.value.trim(),
      filter: pairsOf(filter, "Calls where"),
      from_model: from.value.trim(),
      to_model: to.value.trim(),
      owner: owner.value.trim(),
      effective_day: day.value,
      growth: growth.value.trim(),
    });
    for (const each of [title, reason, to]) each.value = "";
    await done();
    return `Written down: ${made}.`;
  }

  return actForm({
    name: "Write down a decision",
    words: "What it is to save is worked out now, from the 30 days before, and kept as it is.",
    fields: [
      field("Title", title),
      field("Whose saving it is", owner),
      field("From the model", from),
      field("To the model", to),
      field("Calls where, a line each; empty = all", filter),
      field("From this day of UTC on", day),
      field("Times the tokens, by your own count", growth),
      field("Why", reason),
    ],
    label: "Write it down",
    work,
  });
}
