// Any figure taken apart: over time and by any dimension, down to the events it is made of.

import { get, session } from "./api.js";
import { LARGEST } from "./chart.js";
import { el, setText } from "./dom.js";
import { drawSpend } from "./explorer-chart.js";
import { ROWS_MORE, ROWS_SHOWN, spendTable } from "./explorer-rows.js";
import { completeness, momentOf, momentToMinute, money, sum } from "./format.js";
import {
  DIMENSIONS,
  RANGES,
  dimensionLabel,
  filterParameters,
  filtersOf,
  link,
  rangeName,
  rangeOf,
  spanOf,
  spanParameters,
} from "./links.js";
import { filterChips, removableChip } from "./pieces.js";
import { cardRefresher } from "./refresh.js";

const PAGE_ROWS = 5000;
const PAGES_MAX = 4; // of one chart: several currencies, each in every minute
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const FINE_MS = 3 * HOUR_MS;

export function explorerCard(query) {
  let showAll = false;
  let began = 0; // where the first spend of the range lies in its last hours, those alone are drawn, finely
  const ranges = el("div", { className: "choices", role: "group", "aria-label": "Range" });
  const by = el(
    "select",
    { id: "by", on: { change: () => (location.hash = here({ by: by.value })) } },
    DIMENSIONS.map((name) => el("option", { value: name }, dimensionLabel(name))),
  );
  const chips = el("p", { className: "chips" });
  const total = el("a", { className: "total", title: "Show the events" });
  const chart = el("div", { className: "chart", role: "img", hidden: true });
  const rows = spendTable();
  const empty = el(
    "p",
    { className: "empty", hidden: true },
    "Nothing was spent here: no event of this range passes the filter.",
  );
  const more = el("button", { className: "quiet", hidden: true, on: { click: toggleAll } });
  const fine = el("p", { className: "fine" });
  const card = el(
    "section",
    { className: "card explorer", "aria-label": "Breakdown" },
    el("div", { className: "controls" }, el("h2", "Spend"), total, ranges, el("label", "by ", by)),
    chips,
    empty,
    chart,
    rows.table,
    more,
    fine,
  );
  const refresh = cardRefresher([card], { ask, show, clear, question: () => query.toString() });

  const dimension = () => query.get("by") || "team";

  // The same card with something else in its address.
  const here = ({ range = rangeOf(query), by: name = dimension(), filters = filtersOf(query) }) =>
    link("", { ...range, by: name, filters });

  function toggleAll() {
    showAll = !showAll;
    refresh();
  }

  function accept(changed) {
    query = changed;
    showAll = false;
    began = 0;
    showQuestion();
    return true;
  }

  // What is asked for. What an answer is about is said by `show`, from that answer.
  function showQuestion() {
    const chosen = query.get("from") ? "" : (query.get("range") ?? "today");
    ranges.replaceChildren(
      ...Object.entries(RANGES).map(([range, label]) => {
        const current = chosen === range ? "true" : undefined;
        return el("a", { href: here({ range: { range } }), "aria-current": current }, label);
      }),
    );
    by.value = dimension();
    const filters = filterChips(filtersOf(query), (kept) => here({ filters: kept }));
    chips.replaceChildren(...rangeChips(), ...filters);
  }

  function rangeChips() {
    if (!query.get("from")) return [];
    const [from, to] = ["from", "to"].map((name) => momentOf(query.get(name), session.tz));
    return [removableChip(here({ range: { range: "today" } }), `${from} – ${to}`)];
  }

  // The answer with all that it was asked for: nothing below looks at the address again.
  async function ask() {
    const [asked, name, filters, all] = [query, dimension(), filtersOf(query), showAll];
    const whole = spanOf(asked, session.tz);
    const span = [Math.max(whole[0], began), whole[1]];
    const [bucket, widthMs] = bucketOf(span);
    const parameters = {
      ...spanParameters(span),
      usage: false,
      group_by: name,
      ...filterParameters(filters),
    };
    const charted = { ...parameters, bucket, top: ROWS_SHOWN, limit: PAGE_ROWS };
    const spend = await get("/v1/spend", charted);
    const first = Date.parse(spend.series.find(isSpent)?.bucket_start);
    if (asked === query && bucket !== "minute" && first > whole[0] && first >= whole[1] - FINE_MS) {
      began = first;
      return ask();
    }
    const series = await readSeries(spend, charted);
    const cut = span[0] > whole[0];
    const groups = all && spend.next_groups ? { ...parameters, top: ROWS_MORE } : null;
    const found = { series, asked, name, filters, span, widthMs, cut };
    return { ...found, spend: groups ? await get("/v1/spend", groups) : spend };
  }

  function show(found) {
    const { spend, series, asked, name, filters } = found;
    const ownCurrency = ({ currency }) => currency === spend.currency;
    const own = spend.totals.filter(ownCurrency);
    const largest = own.filter(({ others }) => !others).slice(0, LARGEST);
    chart.hidden = !own.length;
    empty.hidden = own.length > 0;
    if (own.length) {
      chart.setAttribute("aria-label", describeChart(name));
      const names = largest.map((row) => row[name]);
      drawSpend(chart, found, series.filter(ownCurrency).filter(isSpent), names);
    }
    rows.show(found, own);
    more.hidden = !rows.toggleLabel(own);
    setText(more, rows.toggleLabel(own));
    setText(total, money(sum(own.map((row) => row.effective)), spend.currency));
    total.href = link("events", { ...rangeOf(asked), filters });
    setText(fine, describeAnswer(found));
  }

  // An earlier question's figures do not stand under this one.
  function clear() {
    for (const each of [rows.table, chart, empty, more]) each.hidden = true;
    for (const each of [total, fine]) setText(each, "");
    total.removeAttribute("href");
  }

  // The tenant's own dimensions join the choice as soon as they are known.
  function offer(own) {
    const offered = [...by.options].map(({ value }) => value);
    const names = own.map(({ name }) => name).filter((name) => !offered.includes(name));
    by.append(...names.map((name) => el("option", { value: name }, dimensionLabel(name))));
    by.value = dimension();
  }

  showQuestion();
  return { card, refresh, accept, offer };
}

const isSpent = (row) => row.effective !== "0";

function bucketOf([from, to]) {
  const span = to - from;
  if (span <= FINE_MS) return ["minute", 60_000];
  if (span <= 73 * HOUR_MS) return ["hour", HOUR_MS];
  return span <= 120 * DAY_MS ? ["day", DAY_MS] : ["month", 30 * DAY_MS];
}

// The series of an answer's first page and of those that follow.
async function readSeries(spend, parameters) {
  const series = [...spend.series];
  for (let pages = 1, page = spend; page.next_cursor && pages < PAGES_MAX; pages += 1) {
    page = await get("/v1/spend", { ...parameters, cursor: page.next_cursor });
    series.push(...page.series);
  }
  return series;
}

const describeChart = (name) =>
  `Spend over time by ${dimensionLabel(name)}; the table below says the same in figures`;

function describeAnswer({ spend, asked, span, cut }) {
  const { currency, tz, complete_through: through, of_which_provisional: provisional } = spend;
  const since = cut ? `, nothing before ${momentToMinute(span[0], tz)}` : "";
  const others = new Set(spend.totals.map((row) => row.currency).filter((each) => each !== currency));
  return [
    `${rangeName(asked, () => "chosen range")}${since}, effective cost`,
    currency,
    tz,
    completeness(through, tz),
    ...(provisional === "0" ? [] : [`${money(provisional, currency)} provisional`]),
    ...(others.size ? [`also spent in ${[...others].join(", ")}: see /v1/spend`] : []),
  ].join(" · ");
}
