// Does the bill equal the book? What a provider charged against what was booked, by cause and by model.

import { get } from "./api.js";
import { waterfall } from "./chart-waterfall.js";
import { el, setText } from "./dom.js";
import { count, formatDecimal, money, moneyColumn, parseDecimal } from "./format.js";
import { choice } from "./forms.js";
import { invoiceFile, mayImport } from "./invoice-file.js";
import { link } from "./links.js";
import { firstDay, monthChoice, monthName, monthOf, monthsOn } from "./months.js";
import { scrolls, table } from "./pieces.js";
import { RARE_BEATS, cardRefresher, everyNth } from "./refresh.js";
import { tableTools } from "./tools.js";

const PATH = "/v1/invoices/variance";
const UTC = "UTC";
const PROVIDERS = {
  openai: "OpenAI",
  anthropic: "Anthropic",
  bedrock: "AWS Bedrock",
  "azure-openai": "Azure OpenAI",
  vertex: "Google Vertex AI",
  mistral: "Mistral",
  cohere: "Cohere",
  xai: "xAI",
  deepseek: "DeepSeek",
  openrouter: "OpenRouter",
};
const NONE =
  "No bill of these days was imported: docs/invoices.md says how, in two commands. Until then nobody knows " +
  "whether the bill equals the book.";
const UNEXPLAINED = "no cause is known of it; it is in no other figure";
const FIGURES = ["billed", "booked", "variance", "unexplained"];

export function invoicesPage(query) {
  const asked = query.get("provider");
  const provider = Object.hasOwn(PROVIDERS, asked ?? "") ? asked : "openai";
  const month = monthOf(query, UTC);
  const parameters = { provider, from: firstDay(month), to: firstDay(monthsOn(month, 1)) };
  const figure = el("strong", { className: "total" });
  const words = el("p", { className: "soft" });
  const chart = waterfall("From what was booked to what was billed, cause by cause; the table says the same");
  const content = el("div");
  const fine = el("p", { className: "fine" });
  const providers = choice(PROVIDERS, { chosen: provider, "aria-label": "Provider", on: { change: goOn } });
  const months = monthChoice({ tz: UTC, chosen: month, change: goOn });
  const card = el(
    "section",
    { className: "card invoices", "aria-label": "Invoices" },
    el("div", { className: "lead" }, el("h1", "Billed against booked"), figure),
    el("p", { className: "controls" }, providers, months),
    words,
    chart.element,
    content,
    mayImport() && invoiceFile({ provider, imported }),
    tableTools(() => ({ path: PATH, parameters }), { name: `invoice-${provider}-${month}` }),
    fine,
  );
  const due = everyNth(RARE_BEATS);
  const answered = cardRefresher([card], { ask: () => get(PATH, parameters), show });

  async function imported() {
    const { answer, error } = await answered();
    if (error) throw error;
    return answer;
  }

  function goOn() {
    location.hash = link("invoices", { provider: providers.value, month: months.value });
  }

  function show(answer) {
    const { totals, currency, days_billed: billed } = answer;
    chart.element.hidden = !billed;
    setText(figure, billed ? money(totals.variance, currency) : "not known yet");
    setText(words, billed ? wordsOf(answer) : NONE);
    if (billed) chart.show({ steps: stepsOf(totals), currency });
    content.replaceChildren(
      ...(billed ? [causesTable(answer), ...modelsTable(answer), ...notesOf(answer)] : []),
    );
    setText(
      fine,
      `${PROVIDERS[provider]}, ${monthName(month)}, days of UTC · booked as contracted, as priced`,
    );
  }

  async function refresh() {
    return due() ? imported() : null;
  }
  return { element: card, refresh };
}

function wordsOf({ totals, currency, days_billed: billed }) {
  const days = `${count(billed)} day${billed === 1 ? "" : "s"}`;
  return `${money(totals.billed, currency)} billed, ${money(totals.booked, currency)} booked on ${days}`;
}

// The causes in their order, what is unexplained last.
const partsOf = ({ causes, unexplained }) => [
  ...Object.entries(causes),
  ...(Number(unexplained) ? [["unexplained", unexplained]] : []),
];

function stepsOf(totals) {
  let at = parseDecimal(totals.booked);
  const steps = partsOf(totals).map(([label, amount]) => {
    const from = at;
    at += parseDecimal(amount);
    const [start, end] = [from, at].map((each) => Number(formatDecimal(each)));
    return { label, from: start, to: end, amount, kind: at > from ? "more" : "less" };
  });
  const whole = (label, text) => ({ label, from: 0, to: Number(text), amount: text, kind: "whole" });
  return [whole("booked", totals.booked), ...steps, whole("billed", totals.billed)];
}

function causesTable({ totals, currency, meanings }) {
  const meant = Object.fromEntries(meanings.map(({ cause, meaning }) => [cause, meaning]));
  const parts = partsOf(totals);
  const say = moneyColumn([...parts.map(([, amount]) => amount), totals.variance], currency);
  const rows = parts.map(([cause, amount]) =>
    el(
      "tr",
      el("th", { scope: "row" }, cause.replaceAll("_", " ")),
      el("td", { className: "wide soft" }, meant[cause] ?? UNEXPLAINED),
      el("td", { className: "figure" }, say(amount)),
    ),
  );
  const foot = el(
    "tr",
    el("th", { scope: "row" }, "together"),
    el("td", { className: "wide" }),
    el("td", { className: "figure" }, say(totals.variance)),
  );
  const heads = [["Why"], ["It is", "wide"], [`Billed less booked, ${currency}`, "figure"]];
  return table(heads, [el("tbody", rows), el("tfoot", foot)]);
}

function modelsTable(answer) {
  const { models, currency } = answer;
  const say = moneyColumn(
    models.flatMap((each) => FIGURES.map((name) => each[name])),
    currency,
  );
  const body = models.map((each) =>
    el(
      "tr",
      el("th", { scope: "row" }, each.model || "in no group of the report"),
      el("td", { className: "figure" }, say(each.billed)),
      el("td", { className: "figure" }, bookedOf(each, answer, say)),
      el("td", { className: "figure" }, say(each.variance)),
      el("td", { className: "figure" }, say(each.unexplained)),
      el("td", { className: "wide" }, causesOf(each, currency)),
    ),
  );
  const heads = [["Model"], ...FIGURES.map((name) => [name, "figure"]), ["causes", "wide"]];
  return [el("h2", "By model"), scrolls("By model", table(heads, el("tbody", body)))];
}

// What was booked, as the events that it is of.
function bookedOf({ model, booked }, { provider, first_day: from, until }, say) {
  if (!model || !Number(booked)) return say(booked);
  const filters = { provider: [provider], sku: [model] };
  const href = link("events", { from: `${from}T00:00:00Z`, to: `${until}T00:00:00Z`, filters });
  return el("a", { href }, say(booked));
}

const causesOf = ({ causes }, currency) =>
  Object.entries(causes)
    .map(([cause, amount]) => `${cause.replaceAll("_", " ")} ${money(amount, currency)}`)
    .join(", ");

function notesOf({ rows, notes, not_compared: uncompared, days_without_bill: missing }) {
  const said = [...new Set([...rows.map(({ note }) => note).filter(Boolean), ...notes])];
  if (uncompared) said.push(`${count(uncompared)} rows have no rate of exchange: they are in no sum`);
  if (missing.length) said.push(`${count(missing.length)} days of it have no bill: they are not compared`);
  return said.length
    ? [
        el(
          "ul",
          { className: "fine" },
          said.map((each) => el("li", each)),
        ),
      ]
    : [];
}
