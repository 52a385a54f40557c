// What a request and a thousand tokens cost, and what caching brings: of any slice, on whole days of UTC.

import { get, session } from "./api.js";
import { el, setText } from "./dom.js";
import { explorerChoices } from "./explorer-choices.js";
import { count, money, moneyColumn, parseDecimal, percent, shortCount, unitMoney } from "./format.js";
import { filterParameters, filtersOf, link, valueLabel } from "./links.js";
import { dayIn } from "./months.js";
import { scrolls, table } from "./pieces.js";
import { DAY_MS, spanOf } from "./ranges.js";
import { RARE_BEATS, cardRefresher, everyNth } from "./refresh.js";
import { tableTools } from "./tools.js";

const PATH = "/v1/unit-economics";
const UTC = "UTC";

export function unitsPage(first) {
  let query = first;
  let due = everyNth(RARE_BEATS);
  const choices = explorerChoices(() => query, "units");
  const rows = el("div");
  const fine = el("p", { className: "fine" });
  const tools = tableTools(() => ({ path: PATH, parameters: parameters() }), {
    name: "unit-economics",
  });
  const card = el(
    "section",
    { className: "card units", "aria-label": "Unit costs" },
    el("h1", "What does a request cost?"),
    el(
      "p",
      { className: "soft" },
      "Of models alone. What the cache saved is all input as it was paid against the same input uncached.",
    ),
    choices.element,
    rows,
    tools,
    fine,
  );
  const answered = cardRefresher([card], { ask, show, clear, question: () => query.toString() });

  // Whole days: those in which the page's range begins and ends.
  function parameters() {
    const [from, to] = spanOf(query, session.tz);
    const days = { from: dayIn(from, UTC), to: dayIn(to - 1 + DAY_MS, UTC) };
    return { ...days, ...filterParameters(filtersOf(query)), group_by: choices.chosen().by };
  }

  async function ask() {
    const [asked, { by }] = [query, choices.chosen()];
    return { asked, by, answer: await get(PATH, parameters()) };
  }

  function show({ asked, by, answer }) {
    const { rows: found, groups, first_day: from, until } = answer;
    const shown = new Set(found.map((row) => row[by])).size;
    const none = el("p", { className: "empty" }, "No model was used on these days.");
    rows.replaceChildren(found.length ? unitsTable(answer, by, asked) : none);
    const more = groups > shown ? ` · the ${count(shown)} dearest of ${count(groups)}` : "";
    const lacks = answer.not_in_it.map((each) => ` · ${each}`).join("");
    setText(fine, `${from} until before ${until}, whole days of UTC${more}${lacks}`);
  }

  function clear() {
    for (const each of [rows, fine]) each.replaceChildren();
  }

  function accept(changed) {
    query = changed;
    due = everyNth(RARE_BEATS);
    choices.show();
    return true;
  }

  async function refresh() {
    choices.refresh();
    if (!due()) return null;
    const { answer, error } = await answered();
    if (error) throw error;
    return answer ? answer.answer : null;
  }
  choices.show();
  return { element: card, refresh, accept, timeless: true };
}

const HEADS = [
  "Requests",
  "Tokens",
  "Cost",
  "A request",
  "1,000 tokens",
  "From the cache",
  "Cache saved",
  "Attempts a success",
];

function unitsTable({ rows, first_day: from, until }, by, asked) {
  // What a figure is made of: the events of its days, which are whole ones.
  const span = { from: `${from}T00:00:00Z`, to: `${until}T00:00:00Z` };
  const events = (value) => link("events", { ...span, filters: { ...filtersOf(asked), [by]: [value] } });
  const body = rows.map((row) => {
    const { currency } = row;
    const say = moneyColumn(
      rows.filter((each) => each.currency === currency).map(({ cost }) => cost),
      currency,
    );
    const amount = (text) => (text === null ? "—" : unitMoney(text, currency));
    const saved = row.cache_return === null ? "—" : money(row.cache_return, currency);
    const cells = [
      count(row.requests),
      shortCount(row.tokens),
      [atLeast(row), say(row.cost), provisionalOf(row)],
      amount(row.cost_per_request),
      amount(row.cost_per_1k_tokens),
      share(row.cache_hit_rate),
      [saved, savedRemarks(row)],
      row.attempts_per_success === null
        ? "—"
        : String(Number(Number(row.attempts_per_success).toPrecision(3))),
    ];
    return el(
      "tr",
      el("th", { scope: "row" }, el("a", { href: events(row[by]) }, valueLabel(row[by])), currencyOf(row)),
      cells.map((cell) => el("td", { className: "figure" }, cell)),
    );
  });
  const heads = HEADS.map((head) => [head, "figure"]);
  return scrolls("Unit costs", table([[by.replaceAll("_", " ")], ...heads], el("tbody", body)));
}

const share = (text) => (text === null ? "—" : percent(Number(text)));
const atLeast = ({ lower_bound: lower }) => (lower ? "at least " : "");
const currencyOf = ({ currency }) => (currency === session.currency ? null : el("small", ` ${currency}`));

// Of what has no settled price the cost is a bound, and so is what a request and a token cost.
const provisionalOf = ({ of_which_provisional: provisional, currency }) =>
  parseDecimal(provisional) === 0n
    ? null
    : el("small", { className: "line" }, `${money(provisional, currency)} of it provisional: a bound`);

function savedRemarks({ cache_return_percent: of, not_compared_tokens: tokens }) {
  const said = [
    of === null ? "" : `${Number(Number(of).toFixed(1))} %`,
    Number(tokens) ? `without ${count(tokens)} tokens, which have no price to hold against` : "",
  ].filter(Boolean);
  return said.length ? el("small", { className: "line" }, said.join("; ")) : null;
}
