// What would traffic cost that is not there yet? Stated by people, at today's prices, on models they name.

import { get } from "./api.js";
import { el } from "./dom.js";
import { moneyColumn, percent } from "./format.js";
import { amountInput, field, textInput } from "./forms.js";
import { link } from "./links.js";
import { lookup } from "./lookup.js";
import { scrolls, table, zonedMoment } from "./pieces.js";
import { RARE_BEATS } from "./refresh.js";
import { tableTools } from "./tools.js";

const PATH = "/v1/models/estimate";
// What is asked, as the API calls it: words, what is offered, whether it must be said.
const FIELDS = {
  candidates: [
    "Models, as provider/sku with commas between",
    "openai/gpt-5-mini, anthropic/claude-sonnet-4-5",
    true,
  ],
  calls_per_day: ["Calls a day", "10000", true],
  input_tokens: ["Input tokens of one attempt", "2000", true],
  output_tokens: ["Output tokens of one attempt", "300", true],
  cache_share: ["Share of input from a cache, 0 to 1", "0"],
  attempts: ["Attempts a call", "1"],
  service_tier: ["Service tier", "standard"],
  region: ["Region", "any"],
};
const WORDS = ["candidates", "service_tier", "region"];

export function estimatePage(query) {
  const inputs = Object.fromEntries(
    Object.entries(FIELDS).map(([name, [, placeholder, required = false]]) => [
      name,
      (WORDS.includes(name) ? textInput : amountInput)({
        name,
        placeholder,
        required,
        value: query.get(name) ?? "",
      }),
    ]),
  );
  const batch = el("input", { type: "checkbox", checked: query.get("batch") === "true" });
  const parameters = Object.fromEntries([...query].filter(([name]) => name in FIELDS || name === "batch"));
  const asked = Boolean(query.get("candidates"));
  const content = lookup({ ask: () => get(PATH, parameters), draw, keyOf, beats: RARE_BEATS * 4 });

  function submit(event) {
    event.preventDefault();
    const stated = Object.entries(inputs).map(([name, input]) => [name, input.value.trim()]);
    location.hash = link("estimate", {
      ...Object.fromEntries(stated),
      batch: batch.checked ? "true" : "",
    });
  }

  const form = el(
    "form",
    { className: "fields", "aria-label": "Traffic to come", on: { submit } },
    Object.entries(inputs).map(([name, input]) => field(FIELDS[name][0], input)),
    el("label", batch, " As a batch"),
    el("button", { className: "primary" }, "Estimate"),
  );
  const element = el(
    "section",
    { className: "card estimate" },
    el("h1", "What would it cost?"),
    el(
      "p",
      { className: "soft" },
      "Tokens are taken as you state them for every model: count them with its own tokenizer. Nothing here ",
      "is measured but how calls of your own went.",
    ),
    form,
    asked && content.element,
    asked && tableTools(() => ({ path: PATH, parameters }), { name: "estimate" }),
  );
  return { element, refresh: asked ? content.refresh : async () => null, timeless: true };
}

// Asked again, it is priced at another instant: that alone is no news.
const keyOf = ({ models, catalog_version: version }) => JSON.stringify([models, version]);

function draw({ models, priced_at: at, catalog_version: version, usage }) {
  const body = models.map((model) => {
    const { currency, quality } = model;
    const amounts = models.flatMap(({ per_30_days: low, per_30_days_high: high }) => [low, high]);
    const say = { month: moneyColumn(amounts.filter(Boolean), currency) };
    const column = (name) => moneyColumn(models.map((each) => each[name]).filter(Boolean), currency);
    const cell = (name) => (model[name] === null ? "—" : column(name)(model[name]));
    return el(
      "tr",
      el("th", { scope: "row" }, model.name, remarks(model)),
      ["per_call", "per_day"].map((name) => el("td", { className: "figure" }, cell(name))),
      el("td", { className: "figure" }, upTo(model, say.month)),
      el("td", { className: "figure" }, cell("list_per_30_days")),
      el("td", { className: "figure" }, quality?.success ? percent(Number(quality.success)) : "—"),
    );
  });
  const heads = ["A call", "A day", "30 days", "At list prices", "Success here"].map((head) => [
    head,
    "figure",
  ]);
  const attempt = Object.entries(usage).map(([unit, quantity]) => `${quantity} ${unit.replaceAll("_", " ")}`);
  return [
    scrolls("Estimate", table([["Model"], ...heads], el("tbody", body))),
    el(
      "p",
      { className: "fine" },
      `One attempt: ${attempt.join(", ")}. Priced ${zonedMoment(at)}, as contracted, by version ${version} `,
      "of the catalog.",
    ),
  ];
}

// A price by the hour makes two figures of it.
function upTo({ per_30_days: low, per_30_days_high: high }, say) {
  if (low === null) return "—";
  return high === null || high === low ? say(low) : `${say(low)} to ${say(high)}`;
}

function remarks({ missing, notes }) {
  if (!missing.length && !notes.length) return null;
  return el("small", { className: "line" }, [...missing, ...notes].join("; "));
}
