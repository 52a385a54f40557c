// What if we used another? Own traffic at the prices of other models, with how calls went on each: a choice
// between cost, time and success.

import { get, session } from "./api.js";
import { scatter } from "./chart-scatter.js";
import { el, setText } from "./dom.js";
import { explorerChoices } from "./explorer-choices.js";
import { count, money, moneyColumn, parseDecimal, percent } from "./format.js";
import { filterParameters, filtersOf, link } from "./links.js";
import { badge, scrolls, table } from "./pieces.js";
import { rangeOf, spanOf, spanParameters } from "./ranges.js";
import { RARE_BEATS, cardRefresher, everyNth } from "./refresh.js";
import { tableTools } from "./tools.js";

const PATH = "/v1/models/compare";
const AS_IT_IS = "as it is";
const WHERE = { front: "", dominated: "warn", unknown: "" };
const SAYS = { front: "nothing beats it", dominated: "beaten", unknown: "not used here yet" };
const PRICES = { price_per_error: "An error costs", price_per_second: "A second costs" };

export function modelsPage(first) {
  let query = first;
  const words = el("p", { className: "soft" });
  const choices = explorerChoices(() => query, "models");
  const chart = scatter("Models by what a call costs and how long it takes; the table says the same");
  const rows = el("div");
  const fine = el("ul", { className: "fine" });
  const tools = tableTools(() => ({ path: PATH, parameters: parameters() }), { name: "models" });
  const prices = priceForm(() => query);
  const card = el(
    "section",
    { className: "card models", "aria-label": "Models" },
    el("h1", "What if we used another model?"),
    words,
    choices.element,
    prices.element,
    chart.element,
    rows,
    tools,
    fine,
  );
  let due = everyNth(RARE_BEATS);

  function parameters() {
    const stated = Object.keys(PRICES).map((name) => [name, query.get(name) || undefined]);
    const span = spanParameters(spanOf(query, session.tz));
    return { ...span, ...filterParameters(filtersOf(query)), ...Object.fromEntries(stated) };
  }

  const isWeighed = () => Object.keys(PRICES).some((name) => Number(query.get(name)) > 0);

  function show(answer) {
    const traffic = answer.traffic.find(({ currency }) => currency === session.currency) ?? answer.traffic[0];
    const own = answer.models.filter(({ currency }) => currency === traffic?.currency);
    setText(words, traffic ? describe(traffic, answer) : NOTHING);
    const points = own.flatMap(pointOf);
    chart.element.hidden = points.length < 2;
    if (points.length >= 2) chart.show({ points, currency: traffic.currency });
    rows.replaceChildren(...(own.length ? [modelsTable(own, isWeighed()), deciding(query)] : []));
    const notes = [...answer.not_in_it, ...new Set(own.flatMap((model) => model.notes))];
    fine.replaceChildren(...notes.map((note) => el("li", note)));
  }

  function accept(changed) {
    query = changed;
    due = everyNth(RARE_BEATS);
    choices.show();
    prices.show();
    return true;
  }

  async function refresh() {
    choices.refresh();
    if (!due()) return null;
    const { answer, error } = await answered();
    if (error) throw error;
    return answer ?? null;
  }

  const clear = () => [rows, fine].forEach((each) => each.replaceChildren());
  const ask = () => get(PATH, parameters());
  const answered = cardRefresher([card], { ask, show, clear, question: () => query.toString() });
  choices.show();
  return { element: card, refresh, accept };
}

const deciding = (query) =>
  el(
    "p",
    el("a", { href: link("decisions", { filters: filtersOf(query) }) }, "Write down a move to one of them"),
  );

const NOTHING = "No call of these days has a price to hold against.";

function describe({ calls, models, booked, currency }, { first_day: from, last_day: to }) {
  const on = models.length > 3 ? `${models.length} models` : models.join(", ");
  const whole = `${count(calls)} calls on ${on} from ${from} to ${to}`;
  return `${whole}, booked at ${money(booked, currency)}: on each model at today's prices`;
}

// What an error and a second are worth: in the address, so that a choice can be shown to others.
function priceForm(query) {
  const inputs = Object.keys(PRICES).map((name) =>
    el("input", { name, size: 7, inputMode: "decimal", placeholder: "0" }),
  );
  const submit = (event) => {
    event.preventDefault();
    const stated = Object.fromEntries(inputs.map(({ name, value }) => [name, value.trim()]));
    location.hash = link("models", { ...rangeOf(query()), ...stated, filters: filtersOf(query()) });
  };
  const labels = inputs.map((input) => el("label", `${PRICES[input.name]} `, input));
  const element = el("form", { className: "controls", on: { submit } }, labels, el("button", "Weigh"));
  const show = () => inputs.forEach((input) => (input.value = query().get(input.name) ?? ""));
  show();
  return { element, show };
}

// Only what is known of all three: a model that nobody used here yet has no place among times.
function pointOf({ name, where, per_call_low: low, per_call_high: high, quality }) {
  if (low === null || !quality?.p95_ms) return [];
  const kind = name ? (where === "dominated" ? "dominated" : "front") : "now";
  const cost = (Number(low) + Number(high)) / 2;
  return [{ name: name || AS_IT_IS, cost, seconds: Number(quality.p95_ms) / 1000, kind }];
}

function modelsTable(models, scored) {
  const { currency } = models[0];
  const amounts = (prefix) =>
    models.flatMap((model) => [model[`${prefix}low`], model[`${prefix}high`]]).filter(Boolean);
  const say = Object.fromEntries(PREFIXES.map((prefix) => [prefix, moneyColumn(amounts(prefix), currency)]));
  const heads = [
    ["Model"],
    ["Whole", "figure"],
    ["Saving", "figure"],
    ["A call", "figure"],
    ["A success", "figure"],
  ];
  heads.push(["p95", "figure"], ["Success", "figure"], ...(scored ? [["Weighed", "figure"]] : []), ["Where"]);
  const scores = moneyColumn(
    models.flatMap(({ score }) => [score.low, score.high]).filter(Boolean),
    currency,
  );
  const body = models.map((model) =>
    el(
      "tr",
      el("th", { scope: "row" }, model.name ? modelLink(model.name) : AS_IT_IS),
      PREFIXES.map((prefix) => el("td", { className: "figure" }, between(model, prefix, say[prefix]))),
      el("td", { className: "figure" }, seconds(model.quality)),
      el(
        "td",
        { className: "figure" },
        model.quality?.success ? percent(Number(model.quality.success)) : "—",
      ),
      scored && el("td", { className: "figure" }, between(model.score, "", scores)),
      el("td", whereOf(model)),
    ),
  );
  return scrolls("Models", table(heads, el("tbody", body)));
}

const PREFIXES = ["", "saving_", "per_call_", "per_success_"]; // of what is stated at least and at most

const modelLink = (name) => {
  const [provider, ...sku] = name.split("/");
  return el("a", { href: link("model", { provider, sku: sku.join("/") }) }, name);
};

// At least and at most; one figure where they are equal.
function between(row, prefix, say) {
  const [low, high] = [row[`${prefix}low`], row[`${prefix}high`]];
  if (low === null || low === undefined) return "—";
  return parseDecimal(low) === parseDecimal(high) ? say(low) : `${say(low)} to ${say(high)}`;
}

const seconds = (quality) => (quality?.p95_ms ? `${(Number(quality.p95_ms) / 1000).toFixed(1)} s` : "—");

function whereOf({ name, where, missing, dominated_by: by }) {
  if (!name) return "";
  if (missing.length) return el("small", missing.join("; "));
  const beaten = by.length ? el("small", ` by ${by.join(", ")}`) : null;
  return [badge(SAYS[where] ?? where, WHERE[where] ?? ""), beaten];
}
