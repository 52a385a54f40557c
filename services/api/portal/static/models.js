// What if we used another? Own traffic at the prices of other models, with how calls went on each: a choice
// between cost, time and success.

import { get, session } from "./api.js";
import { scatter } from "./chart-scatter.js";
import { el, setText } from "./dom.js";
import { explorerChoices } from "./explorer-choices.js";
import { count, money, parseDecimal } from "./format.js";
import { filterParameters, filtersOf, link } from "./links.js";
import { freeOffers, isFree, notesOf } from "./models-notes.js";
import { modelsTable, pointOf } from "./models-table.js";
import { rangeOf, spanOf, spanParameters } from "./ranges.js";
import { RARE_BEATS, cardRefresher, everyNth } from "./refresh.js";
import { tableTools } from "./tools.js";

const PATH = "/v1/models/compare";
const ASKED = 25; // of which free offers are left out
const SHOWN = 10;
const NAMED_MAX = 20; // by one question
const PRICES = { price_per_error: "An error costs", price_per_second: "A second costs" };

export function modelsPage(first) {
  let query = first;
  const words = el("p", { className: "soft" });
  const choices = explorerChoices(() => query, "models");
  const chart = scatter("Models by what a call costs and how long it takes; the table says the same");
  const rows = el("div");
  const fine = el("div");
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
    return { ...span, ...filterParameters(filtersOf(query)), top: ASKED, ...Object.fromEntries(stated) };
  }

  const isWeighed = () => Object.keys(PRICES).some((name) => Number(query.get(name)) > 0);

  // Those that might be cheaper, and those that are used already, of which how they do is known.
  async function ask() {
    const asked = parameters();
    const answer = await get(PATH, asked);
    const traffic = answer.traffic.find(({ currency }) => currency === session.currency) ?? answer.traffic[0];
    if (!traffic) return { answer, traffic, used: [], others: [] };
    const named = traffic.models.slice(0, NAMED_MAX);
    const own = ({ models }) => models.filter(({ currency }) => currency === traffic.currency);
    const used = own(await get(PATH, { ...asked, top: undefined, candidates: named.join(",") }));
    used.sort(
      (one, other) => Number(one.name !== "") - Number(other.name !== "") || costOf(one) - costOf(other),
    );
    return { answer, traffic, used, others: own(answer).filter(({ name }) => name && !named.includes(name)) };
  }

  function show({ answer, traffic, used, others }) {
    setText(words, traffic ? describe(traffic, answer) : NOTHING);
    const points = used.flatMap(pointOf);
    chart.element.hidden = points.length < 2;
    if (points.length >= 2) chart.show({ points, currency: traffic.currency });
    const priced = others.filter((model) => !isFree(model)).slice(0, SHOWN);
    const groups = [
      ["", used],
      ["Not used here yet: how calls go on them is not known", priced],
    ].filter(([, models]) => models.length);
    const free = freeOffers(others.filter(isFree));
    rows.replaceChildren(
      ...(used.length ? [modelsTable(groups, isWeighed()), free || "", deciding(query)] : []),
    );
    fine.replaceChildren(...notesOf(answer.not_in_it, [...used, ...priced]).filter(Boolean));
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
    return answer?.answer ?? null;
  }

  const clear = () => [rows, fine].forEach((each) => each.replaceChildren());
  const answered = cardRefresher([card], { ask, show, clear, question: () => query.toString() });
  choices.show();
  return { element: card, refresh, accept };
}

const deciding = (query) =>
  el(
    "p",
    el("a", { href: link("decisions", { filters: filtersOf(query) }) }, "Write down a move to one of them"),
  );

// To sort by; what has no price comes last.
const costOf = ({ low }) => (low === null ? Infinity : Number(low));

const NOTHING = "No call of these days has a price to hold against.";

function describe(traffic, { first_day: from, last_day: to, traffic: everything }) {
  const { calls, models, booked, of_which_provisional: provisional, currency, left_out: left } = traffic;
  const on = models.length > 3 ? `${models.length} models` : models.join(", ");
  const bound = parseDecimal(provisional) ? ` (${money(provisional, currency)} of it provisional)` : "";
  const whole = `${count(calls)} calls on ${on} from ${from} to ${to}, booked at ${money(booked, currency)}`;
  const apart = everything.filter((each) => each !== traffic).map(elsewhere);
  return [`${whole}${bound}: on each model at today's prices`, ...left.map(without), ...apart].join(". ");
}

const elsewhere = ({ calls, currency }) =>
  `${count(calls)} calls are booked in ${currency} and not among these: amounts are never added`;

const without = ({ name, calls, missing }) =>
  `Without ${count(calls)} calls on ${name}, here and on each: ${missing.join("; ")}`;

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
