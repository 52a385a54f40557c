// Why is it more than before? The change between the two periods of the page in parts that sum to it, and who
// contributed what.

import { get, session } from "./api.js";
import { waterfall } from "./chart-waterfall.js";
import { changeOf } from "./change.js";
import { el, setText } from "./dom.js";
import { explorerChoices } from "./explorer-choices.js";
import { formatDecimal, moneyColumn, money, parseDecimal, percent } from "./format.js";
import { filterParameters, filtersOf, link, valueLabel } from "./links.js";
import { scrolls, table } from "./pieces.js";
import { comparisonOf, rangeOf, spanBefore, spanInWords, spanOf, spanParameters } from "./ranges.js";
import { cardRefresher } from "./refresh.js";
import { tableTools } from "./tools.js";

const TOP = 20;
export const PARTS = {
  days: ["days", "the periods are not equally long"],
  volume: ["calls", "more or fewer calls"],
  mix: ["models", "calls go to other models"],
  tokens_per_call: ["tokens a call", "calls are larger or smaller"],
  cache: ["cache", "more or less of the input is cached"],
  price: ["prices", "what a unit costs"],
  new: ["new", "uses that were not there before"],
  gone: ["gone", "uses that are no more"],
  unsplit: ["not split", "what has no settled price, or states no quantity; what terms of a period change"],
};

export function changedPage(first) {
  let query = first;
  const total = el("b", { className: "total" });
  const words = el("p", { className: "soft" });
  const choices = explorerChoices(() => query, "changed");
  const chart = waterfall(
    "From what was spent before to what is spent now, part by part; the table says the same",
  );
  const parts = el("div");
  const contributors = el("div");
  const tools = tableTools(() => ({ path: "/v1/spend/changes", parameters: parameters() }), {
    name: "changes",
  });
  const fine = el("p", { className: "fine" });
  const card = el(
    "section",
    { className: "card changed", "aria-label": "What changed" },
    el("div", { className: "lead" }, el("h1", "What changed"), total),
    words,
    choices.element,
    chart.element,
    parts,
    contributors,
    tools,
    fine,
  );

  function parameters() {
    const span = spanOf(query, session.tz);
    const before = spanBefore(query, session.tz, span);
    const [from, to] = before ? Object.values(spanParameters(before)) : [];
    // Where last month has no such days the API says so; it would choose another period otherwise.
    const compare = comparisonOf(query) === "month" ? "month" : undefined;
    const others = { group_by: choices.chosen().by, top: TOP, ...filterParameters(filtersOf(query)) };
    return { ...spanParameters(span), compare, before_from: from, before_to: to, ...others };
  }

  async function ask() {
    const [asked, { by }] = [query, choices.chosen()];
    return { asked, by, answer: await get("/v1/spend/changes", parameters()) };
  }

  function show({ asked, by, answer }) {
    const { currency, currencies, contributors: rows, period, before } = answer;
    const own = currencies.find((each) => each.currency === currency);
    const [now, then] = own ? [own.amount, own.before].map(parseDecimal) : [0n, 0n];
    const changed = changeOf(now, then, currency);
    setText(total, own ? signed(own.change, currency) : "nothing");
    total.dataset.state = changed.state;
    setText(words, own ? `from ${money(own.before, currency)} to ${money(own.amount, currency)}` : NOTHING);
    chart.element.hidden = !own;
    if (own) chart.show({ steps: stepsOf(own), currency });
    parts.replaceChildren(...currencies.map(partsTable));
    contributors.replaceChildren(
      ...contributorsTable(
        rows.filter((row) => row.currency === currency),
        by,
        asked,
      ),
    );
    const spans = [period, before].map(({ from, to }) => spanInWords([from, to], answer.tz));
    setText(fine, `${spans[0]} against ${spans[1]}, ${answer.tz} · effective cost`);
  }

  function accept(changed) {
    query = changed;
    choices.show();
    return true;
  }

  async function refresh() {
    choices.refresh();
    const { answer, error } = await answered();
    if (error) throw error;
    return answer ? { ...answer.answer, of_which_provisional: provisionalOf(answer.answer) } : null;
  }

  const clear = () => [parts, contributors].forEach((each) => each.replaceChildren());
  const answered = cardRefresher([card], { ask, show, clear, question: () => query.toString() });
  choices.show();
  return { element: card, refresh, accept };
}

const NOTHING = "Nothing was spent in either period.";
const provisionalOf = ({ currencies, currency }) =>
  currencies.find((each) => each.currency === currency)?.of_which_provisional ?? "0";

function signed(text, currency) {
  const amount = parseDecimal(text);
  return `${amount > 0n ? "+" : amount < 0n ? "−" : "±"}${money(amount < 0n ? -amount : amount, currency)}`;
}

const partsWithin = (parts) => Object.keys(PARTS).filter((name) => (parts[name] ?? "0") !== "0");

function stepsOf({ before, amount, parts }) {
  let at = parseDecimal(before);
  const steps = partsWithin(parts).map((name) => {
    const from = at;
    at += parseDecimal(parts[name]);
    const kind = at > from ? "more" : "less";
    return {
      label: PARTS[name][0],
      from: Number(formatDecimal(from)),
      to: Number(formatDecimal(at)),
      amount: parts[name],
      kind,
    };
  });
  const whole = (label, text) => ({ label, from: 0, to: Number(text), amount: text, kind: "whole" });
  return [whole("before", before), ...steps, whole("now", amount)];
}

function partsTable({ currency, parts, change, change_percent: share }) {
  const names = partsWithin(parts);
  const say = moneyColumn([...names.map((name) => parts[name]), change], currency);
  const rows = names.map((name) =>
    el(
      "tr",
      el("th", { scope: "row" }, PARTS[name][0]),
      el("td", { className: "wide soft" }, PARTS[name][1]),
      el("td", { className: "figure" }, say(parts[name])),
    ),
  );
  const whole = share === null ? "together" : `together, ${percent(Number(share) / 100)}`;
  const foot = el(
    "tr",
    el("th", { scope: "row" }, whole),
    el("td", { className: "wide" }),
    el("td", { className: "figure" }, say(change)),
  );
  return table([["Why"], ["", "wide"], [`Change in ${currency}`, "figure"]].map(headOf), [
    el("tbody", rows),
    el("tfoot", foot),
  ]);
}

const headOf = ([text, className = ""]) => (text ? [text, className] : el("td", { className }));

function contributorsTable(rows, by, asked) {
  if (!rows.length) return [];
  const names = Object.keys(PARTS).filter((name) => rows.some(({ parts }) => (parts?.[name] ?? "0") !== "0"));
  const { currency } = rows[0];
  const say = moneyColumn(
    rows.flatMap(({ amount, before }) => [amount, before]),
    currency,
  );
  const body = rows.map((row) =>
    el(
      "tr",
      el("th", { scope: "row" }, row.others ? `${row.others} others` : nameLink(row, by, asked)),
      ...[row.before, row.amount, row.change, ...names.map((name) => row.parts[name])].map((text) =>
        el("td", { className: "figure" }, say(text)),
      ),
    ),
  );
  const heads = ["before", "now", "change", ...names.map((name) => PARTS[name][0])].map((head) => [
    head,
    "figure",
  ]);
  return [
    el("h2", "Who contributed"),
    scrolls("Who contributed", table([[by.replaceAll("_", " ")], ...heads], el("tbody", body))),
  ];
}

const nameLink = (row, by, asked) =>
  el(
    "a",
    {
      href: link("explore", {
        ...rangeOf(asked),
        by: "sku",
        filters: { ...filtersOf(asked), [by]: [row[by]] },
      }),
    },
    valueLabel(row[by]),
  );
