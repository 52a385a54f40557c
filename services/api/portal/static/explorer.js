// Any figure taken apart: by two dimensions and over time, down to the events it is made of.

import { get, seesAll, session } from "./api.js";
import { changeOf, otherCurrencies, ownRows, ownTotal } from "./change.js";
import { el, setText } from "./dom.js";
import { explorerChoices } from "./explorer-choices.js";
import { ROWS_MORE, ROWS_SHOWN, spendTable } from "./explorer-rows.js";
import { formatDecimal, momentToMinute, money, parseDecimal, shortCount } from "./format.js";
import { filterParameters, filtersOf, link } from "./links.js";
import { LARGEST } from "./palette.js";
import { rangeName, rangeOf, spanBefore, spanOf, spanParameters } from "./ranges.js";
import { cardRefresher, slowly } from "./refresh.js";
import { questionOf, savedViews } from "./saved-views.js";
import { spendChart } from "./spend-chart.js";
import { tableTools } from "./tools.js";

const PAIRS = 300; // of rows and split
const IN_FILE = 1000; // groups by name
const COMPARED = 1000; // rows of the period before, so that few are unknown

export function explorerPage(first) {
  let query = first;
  let showAll = false;
  const total = el("a", { className: "total", title: "Show the events" });
  const change = el("span", { className: "change" });
  const choices = explorerChoices(() => query);
  const views = seesAll() ? savedViews(() => questionOf(query, choices.chosen())) : null;
  const chart = spendChart();
  const slow = slowly();
  const used = el("p", { className: "soft used" });
  const rows = spendTable();
  const empty = el("p", { className: "empty", hidden: true });
  const more = el("button", { className: "quiet", hidden: true, on: { click: toggleAll } });
  const tools = tableTools(() => ({ path: "/v1/spend", parameters: questions().rows }), {
    name: "spend",
    top: IN_FILE,
    parquet: true,
  });
  const fine = el("p", { className: "fine" });
  const card = el(
    "section",
    { className: "card explorer", "aria-label": "Breakdown" },
    el("div", { className: "lead" }, el("h1", "Spend"), total, change),
    choices.element,
    views?.element,
    empty,
    chart.element,
    used,
    rows.element,
    more,
    tools,
    fine,
  );
  const answered = cardRefresher([card], { ask, show, clear, question: () => query.toString() });

  function toggleAll() {
    showAll = !showAll;
    refresh();
  }

  function accept(changed) {
    query = changed;
    showAll = false;
    choices.show();
    return true;
  }

  // What is asked of `/v1/spend`: the rows, their sums of the period before, and what they are measured by.
  function questions() {
    const { by, split } = choices.chosen();
    const span = spanOf(query, session.tz);
    const filters = filterParameters(filtersOf(query));
    const top = split ? PAIRS : showAll ? ROWS_MORE : ROWS_SHOWN;
    const group_by = split ? `${by},${split}` : by;
    const before = spanBefore(query, session.tz, span);
    return {
      rows: { ...spanParameters(span), ...filters, group_by, top },
      before: before && { ...spanParameters(before), ...filters, group_by: by, top: COMPARED, usage: false },
      ratios: { ...spanParameters(span), ...filters, group_by: by, top: ROWS_MORE, ratios: true },
    };
  }

  // The answer with all that it was asked for: nothing below looks at the address again.
  async function ask() {
    const { by, split } = choices.chosen();
    const filters = filtersOf(query);
    const { rows: ofRows, before: ofBefore, ratios: ofRatios } = questions();
    const span = spanOf(query, session.tz);
    const context = { asked: query, by, split, filters, span, all: showAll };
    const [spend, before, ratios, charted] = await Promise.all([
      get("/v1/spend", ofRows),
      ofBefore && get("/v1/spend", ofBefore),
      slow(query.toString(), () => readRatios(ofRatios)),
      chart.ask({ query, span, name: split || by, filters, top: LARGEST }),
    ]);
    return { ...context, spend, before, ratios, charted };
  }

  function show(found) {
    const { spend, before, charted, filters, asked: of } = found;
    const own = ownRows(spend);
    const whole = ownTotal(spend);
    chart.show(charted);
    empty.hidden = own.length > 0;
    setText(
      empty,
      `Nothing was spent here: no event of ${rangeName(of, spend.tz).toLowerCase()} passes the filter.`,
    );
    rows.show(found, own);
    setText(used, usedWords(spend.totals));
    tools.hidden = !own.length;
    more.hidden = !rows.toggleLabel(own);
    setText(more, rows.toggleLabel(own));
    setText(total, [money(whole, spend.currency), ...otherCurrencies(spend)].join(" + "));
    total.href = link("events", { ...rangeOf(of), filters });
    const changed =
      before && own.length ? changeOf(whole, ownTotal(before), spend.currency) : { text: "", state: "" };
    setText(change, changed.text);
    change.dataset.state = changed.state;
    setText(fine, describeAnswer(found));
  }

  // An earlier question's figures do not stand under this one.
  function clear() {
    for (const each of [rows.element, empty, more, tools]) each.hidden = true;
    chart.clear();
    for (const each of [total, change, used, fine]) setText(each, "");
    total.removeAttribute("href");
  }

  async function refresh() {
    choices.refresh();
    views?.refresh();
    const { answer, error } = await answered();
    if (error) throw error;
    return answer?.spend ?? null;
  }

  choices.show();
  return { element: card, refresh, accept };
}

// The API's own, for a cost of tokens is of models alone, whatever else a row is made of. Of too many groups
// there are none.
async function readRatios(question) {
  try {
    return ownRows(await get("/v1/spend", question));
  } catch (error) {
    if (error.status !== 422) throw error;
    return [];
  }
}

// What was used of each unit, of which most was used first: quantities, whatever they cost.
function usedWords(totals) {
  const sums = new Map();
  for (const { usage = {} } of totals)
    for (const [unit, quantity] of Object.entries(usage))
      sums.set(unit, (sums.get(unit) ?? 0n) + parseDecimal(quantity));
  const units = [...sums].sort(([, one], [, other]) => (one < other ? 1 : one > other ? -1 : 0));
  const words = units.map(([unit, sum]) => `${shortCount(formatDecimal(sum))} ${unit.replaceAll("_", " ")}`);
  return words.length ? `Used: ${words.join(" · ")}` : "";
}

function describeAnswer({ asked, spend, span, charted }) {
  const late = charted.layers.length && charted.span[0] > span[0];
  const since = late ? `, nothing before ${momentToMinute(charted.span[0], spend.tz)}` : "";
  return `${rangeName(asked, spend.tz)}${since} · effective cost in ${spend.currency}, ${spend.tz}`;
}
