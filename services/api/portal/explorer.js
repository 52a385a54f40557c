// Any figure taken apart: over time and by any dimension, down to the events it is made of.

import { get, session } from "./api.js";
import { LARGEST, OTHERS, colour, draw, escaped } from "./chart.js";
import { el, keyed, part, say } from "./dom.js";
import { count, decimal, iso, momentOf, money, percent, ratio, sum, symbol, text, timeOf } from "./format.js";
import { DIMENSIONS, RANGES, asParameters, filtersOf, link, nameOf, rangeName, rangeOf, spanOf, spanParameters } from "./links.js";

const SERIES_ROWS_MAX = 2000;
const ROWS_SHOWN = 12;
const ROWS_MORE = 200;
const HOUR = 3_600_000;
const FINE_MS = 3 * HOUR;

function bucketOf([from, to]) {
  const span = to - from;
  if (span <= FINE_MS) return ["minute", 60_000];
  if (span <= 73 * HOUR) return ["hour", HOUR];
  return span <= 120 * 24 * HOUR ? ["day", 24 * HOUR] : ["month", 30 * 24 * HOUR];
}

// What is left to take apart once `filters` are set: from who spent to what it was spent on.
const next = (filters) => ["team", "workflow", "agent", "sku", "feature", "environment"].find((name) => !filters[name]) ?? "provider";

export function explorer(query) {
  let showAll = false;
  let answered = 0;
  let began = 0; // when the first spend of the range lies in its last hours, the chart shows those alone, finely
  const ranges = el("div", { className: "choices", role: "group", "aria-label": "Range" });
  const by = el("select", { id: "by", on: { change: () => { location.hash = link("", { ...rangeOf(query), by: by.value, filters: filtersOf(query) }); } } },
    DIMENSIONS.map((name) => el("option", { value: name }, name.replace("_", " "))));
  const chips = el("p", { className: "chips" });
  const total = el("a", { className: "total", title: "Show the events" });
  const chart = el("div", { className: "chart", role: "img" });
  const body = el("tbody");
  const heading = el("th", { scope: "col" });
  const table = el("table", {}, el("thead", {}, el("tr", {}, heading, el("th", { className: "wide", "aria-label": "Share" }),
    el("th", { scope: "col", className: "figure" }, "Amount"), el("th", { scope: "col", className: "figure" }, "Share"), el("th", { scope: "col", className: "figure wide" }, "Events"))), body);
  const more = el("button", { className: "quiet", hidden: true, on: { click: () => { showAll = !showAll; refresh(); } } });
  const fine = el("p", { className: "fine" });
  const element = el("section", { className: "card explorer", "aria-label": "Breakdown" },
    el("div", { className: "controls" }, el("h2", {}, "Spend"), total, ranges, el("label", {}, "by ", by)), chips, chart, table, more, fine);

  const dimension = () => (DIMENSIONS.includes(query.get("by")) ? query.get("by") : "team");

  function accept(changed) {
    query = changed;
    showAll = false;
    began = 0;
    frame();
    return true;
  }

  function frame() {
    const filters = filtersOf(query);
    ranges.replaceChildren(...Object.entries(RANGES).map(([range, label]) =>
      el("a", { href: link("", { range, by: dimension(), filters }), "aria-current": !query.get("from") && (query.get("range") ?? "today") === range ? "true" : undefined }, label)));
    by.value = dimension();
    say(heading, dimension().replace("_", " "));
    const remove = (name, value) => link("", { ...rangeOf(query), by: dimension(), filters: { ...filters, [name]: filters[name].filter((each) => each !== value) } });
    const described = query.get("from") ? [el("a", { href: link("", { range: "today", by: dimension(), filters }) }, `${momentOf(query.get("from"), session.tz)} – ${momentOf(query.get("to"), session.tz)}`, el("span", { "aria-label": "remove" }, " ×"))] : [];
    chips.replaceChildren(...described, ...Object.entries(filters).flatMap(([name, values]) => values.map((value) =>
      el("a", { href: remove(name, value) }, `${name.replace("_", " ")}: ${nameOf(value)}`, el("span", { "aria-label": "remove" }, " ×")))));
  }

  async function refresh() {
    const asked = ++answered;
    const span = spanOf(query, session.tz);
    const shown = [Math.max(span[0], began), span[1]];
    const [bucket, widthMs] = bucketOf(shown);
    const name = dimension();
    const filters = filtersOf(query);
    const parameters = { ...spanParameters(shown), usage: false, group_by: name, bucket, limit: SERIES_ROWS_MAX, ...asParameters(filters) };
    let answer = await get("/v1/spend", parameters);
    const rows = answer.totals.filter(({ currency }) => currency === answer.currency);
    const largest = rows.slice(0, LARGEST).map((row) => row[name]);
    const first = Date.parse(answer.series[0]?.bucket_start);
    if (bucket !== "minute" && first > span[0] && first >= span[1] - FINE_MS) {
      began = first;
      return refresh();
    }
    let series = answer.series;
    if (answer.next_cursor) ({ series } = await get("/v1/spend", { ...parameters, [`filter.${name}`]: largest, limit: 5000 }));
    if (asked !== answered) return answer;
    showChart(answer, series.filter(({ currency }) => currency === answer.currency), largest, { name, span: shown, widthMs, filters, cut: Boolean(answer.next_cursor) });
    showRows(answer, rows, { name, filters });
    const all = sum(rows.map((row) => row.effective));
    const others = [...new Set(answer.totals.map(({ currency }) => currency))].filter((currency) => currency !== answer.currency);
    say(total, money(all, answer.currency));
    total.href = link("events", { ...rangeOf(query), filters });
    const since = shown[0] > span[0] ? `, nothing before ${momentOf(shown[0], answer.tz).slice(0, -3)}` : "";
    const cut = answer.next_cursor ? ` · the chart shows the ${LARGEST} largest` : "";
    const unsure = answer.of_which_provisional === "0" ? "" : ` · ${money(answer.of_which_provisional, answer.currency)} provisional`;
    const apart = others.length ? ` · also spent in ${others.join(", ")}: see /v1/spend` : "";
    say(fine, `${rangeName(query, () => "chosen range")}${since}, effective cost · ${answer.currency} · ${answer.tz} · ${answer.complete_through ? `complete through ${timeOf(answer.complete_through, answer.tz)}` : "not complete yet"}${unsure}${apart}${cut}`);
    return answer;
  }

  function showChart(answer, series, largest, { name, span, widthMs, filters, cut }) {
    const layers = new Map(largest.map((value) => [value, []]));
    const others = new Map();
    for (const row of series) {
      if (layers.has(row[name])) layers.get(row[name]).push(row);
      else if (!cut) others.set(row.bucket_start, [...(others.get(row.bucket_start) ?? []), row]);
    }
    const wall = (at) => at.slice(0, 19).replace("T", " "); // as the clock on the wall there says
    const point = (row, amount, label) => ({ x: wall(row.bucket_start), y: Number(amount), start: row.bucket_start, end: row.bucket_end,
      text: `${money(amount, answer.currency)} ${answer.currency}<br>${momentOf(row.bucket_start, answer.tz).slice(0, -3)}` });
    const stacked = largest.map((value) => ({ name: value, label: escaped(nameOf(value)), points: layers.get(value).map((row) => point(row, row.effective)) }));
    if (others.size) {
      const points = [...others.values()].map((rows) => point(rows[0], text(sum(rows.map((row) => row.effective)))));
      stacked.push({ name: OTHERS, label: "others", points });
    }
    chart.setAttribute("aria-label", `Spend over time by ${name}; the table below says the same in figures`);
    const local = (at) => wall(new Date(at).toLocaleString("sv-SE", { timeZone: answer.tz }));
    draw(chart, stacked, { widthMs, range: [local(span[0]), local(span[1])], unit: symbol(answer.currency),
      onClick: (value, start, end) => { location.hash = link("events", { from: iso(Math.max(Date.parse(start), span[0])), to: iso(Math.min(Date.parse(end), span[1])), filters: value === OTHERS ? filters : { ...filters, [name]: [value] } }); } });
  }

  function showRows(answer, rows, { name, filters }) {
    const shown = rows.slice(0, showAll ? ROWS_MORE : ROWS_SHOWN);
    const whole = sum(rows.map((row) => row.effective));
    const colourOf = colour(rows.slice(0, LARGEST).map((row) => row[name]));
    keyed(body, shown, (row) => `${name}=${row[name]}`,
      () => el("tr", {}, el("th", { scope: "row" }, el("i", { className: "dot", "data-part": "dot" }), el("a", { "data-part": "name" })),
        el("td", { className: "wide bar-cell" }, el("i", { className: "fill", "data-part": "fill" })),
        el("td", { className: "figure" }, el("a", { "data-part": "amount", title: "Show the events" })), el("td", { className: "figure", "data-part": "share" }), el("td", { className: "figure wide", "data-part": "events" })),
      (item, row) => {
        const narrowed = { ...filters, [name]: [row[name]] };
        say(part(item, "name"), nameOf(row[name])).href = link("", { ...rangeOf(query), by: next(narrowed), filters: narrowed });
        say(part(item, "amount"), money(row.effective, row.currency)).href = link("events", { ...rangeOf(query), filters: narrowed });
        const share = ratio(decimal(row.effective), whole);
        say(part(item, "share"), percent(share));
        say(part(item, "events"), count(row.events));
        part(item, "dot").style.background = part(item, "fill").style.background = colourOf(row[name]);
        part(item, "fill").style.width = `${(100 * ratio(decimal(row.effective), decimal(rows[0].effective))).toFixed(2)}%`;
      });
    table.hidden = chart.hidden = !rows.length;
    let empty = element.querySelector(".empty");
    if (!rows.length && !empty) chips.after((empty = el("p", { className: "empty" }, "Nothing was spent here: no event of this range passes the filter.")));
    if (rows.length) empty?.remove();
    more.hidden = rows.length <= ROWS_SHOWN;
    say(more, showAll ? "Show fewer" : `Show ${Math.min(rows.length, ROWS_MORE)} of ${count(rows.length)}`);
  }

  frame();
  return { element, refresh, accept };
}
