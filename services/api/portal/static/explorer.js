// Any figure taken apart: over time and by any dimension, down to the events it is made of.

import { get, session } from "./api.js";
import { asking } from "./asking.js";
import { LARGEST, OTHERS, colour, draw, escaped } from "./chart.js";
import { el, keyed, part, say } from "./dom.js";
import {
  count,
  decimal,
  iso,
  momentOf,
  money,
  percent,
  ratio,
  sum,
  plain,
  symbol,
  timeOf,
} from "./format.js";
import {
  DIMENSIONS,
  RANGES,
  asParameters,
  filtersOf,
  link,
  nameOf,
  rangeName,
  rangeOf,
  spanOf,
  spanParameters,
} from "./links.js";

const PAGE_ROWS = 5000;
const PAGES_MAX = 4; // of one chart: several currencies, each in every minute
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
const next = (filters) =>
  ["team", "workflow", "agent", "sku", "feature", "environment"].find((name) => !filters[name]) ?? "provider";

const words = (name) => name.replace("_", " ");
const spent = (row) => row.effective !== "0";

export function explorer(query) {
  let showAll = false;
  let began = 0; // when the first spend of the range lies in its last hours, the chart shows those alone, finely
  const ranges = el("div", { className: "choices", role: "group", "aria-label": "Range" });
  const by = el(
    "select",
    {
      id: "by",
      on: {
        change: () => {
          location.hash = link("", { ...rangeOf(query), by: by.value, filters: filtersOf(query) });
        },
      },
    },
    DIMENSIONS.map((name) => el("option", { value: name }, words(name))),
  );
  const chips = el("p", { className: "chips" });
  const total = el("a", { className: "total", title: "Show the events" });
  const chart = el("div", { className: "chart", role: "img", hidden: true });
  const body = el("tbody");
  const heading = el("th", { scope: "col" });
  const table = el(
    "table",
    { hidden: true },
    el(
      "thead",
      {},
      el(
        "tr",
        {},
        heading,
        el("th", { className: "wide", "aria-label": "Share" }),
        el("th", { scope: "col", className: "figure" }, "Amount"),
        el("th", { scope: "col", className: "figure" }, "Share"),
        el("th", { scope: "col", className: "figure wide" }, "Events"),
      ),
    ),
    body,
  );
  const empty = el(
    "p",
    { className: "empty", hidden: true },
    "Nothing was spent here: no event of this range passes the filter.",
  );
  const more = el("button", {
    className: "quiet",
    hidden: true,
    on: {
      click: () => {
        showAll = !showAll;
        refresh();
      },
    },
  });
  const fine = el("p", { className: "fine" });
  const element = el(
    "section",
    { className: "card explorer", "aria-label": "Breakdown" },
    el("div", { className: "controls" }, el("h2", {}, "Spend"), total, ranges, el("label", {}, "by ", by)),
    chips,
    empty,
    chart,
    table,
    more,
    fine,
  );

  const dimension = () => (DIMENSIONS.includes(query.get("by")) ? query.get("by") : "team");
  const refresh = asking([element], { ask, show, clear, question: () => query.toString() });

  function accept(changed) {
    query = changed;
    showAll = false;
    began = 0;
    frame();
    return true;
  }

  // What is asked for. What an answer is about is said by `show`, from that answer.
  function frame() {
    const filters = filtersOf(query);
    ranges.replaceChildren(
      ...Object.entries(RANGES).map(([range, label]) =>
        el(
          "a",
          {
            href: link("", { range, by: dimension(), filters }),
            "aria-current":
              !query.get("from") && (query.get("range") ?? "today") === range ? "true" : undefined,
          },
          label,
        ),
      ),
    );
    by.value = dimension();
    const remove = (name, value) =>
      link("", {
        ...rangeOf(query),
        by: dimension(),
        filters: { ...filters, [name]: filters[name].filter((each) => each !== value) },
      });
    const described = query.get("from")
      ? [
          el(
            "a",
            { href: link("", { range: "today", by: dimension(), filters }) },
            `${momentOf(query.get("from"), session.tz)} – ${momentOf(query.get("to"), session.tz)}`,
            el("span", { "aria-label": "remove" }, " ×"),
          ),
        ]
      : [];
    chips.replaceChildren(
      ...described,
      ...Object.entries(filters).flatMap(([name, values]) =>
        values.map((value) =>
          el(
            "a",
            { href: remove(name, value) },
            `${words(name)}: ${nameOf(value)}`,
            el("span", { "aria-label": "remove" }, " ×"),
          ),
        ),
      ),
    );
  }

  // The answer with all that it was asked for: nothing below looks at the address again.
  async function ask() {
    const [asked, name, filters, all] = [query, dimension(), filtersOf(query), showAll];
    const span = spanOf(asked, session.tz);
    const shown = [Math.max(span[0], began), span[1]];
    const [bucket, widthMs] = bucketOf(shown);
    const parameters = { ...spanParameters(shown), usage: false, group_by: name, ...asParameters(filters) };
    const chartParameters = { ...parameters, bucket, top: ROWS_SHOWN, limit: PAGE_ROWS };
    let answer = await get("/v1/spend", chartParameters);
    const first = Date.parse(answer.series.find(spent)?.bucket_start);
    if (asked === query && bucket !== "minute" && first > span[0] && first >= span[1] - FINE_MS) {
      began = first;
      return ask();
    }
    const series = [...answer.series];
    for (let pages = 1, page = answer; page.next_cursor && pages < PAGES_MAX; pages += 1) {
      page = await get("/v1/spend", { ...chartParameters, cursor: page.next_cursor });
      series.push(...page.series);
    }
    if (all && answer.next_groups) answer = await get("/v1/spend", { ...parameters, top: ROWS_MORE });
    return { answer, series, asked, name, filters, span: shown, widthMs, cut: shown[0] > span[0] };
  }

  function show(found) {
    const { answer, series, asked, name, filters, span } = found;
    const mine = ({ currency }) => currency === answer.currency;
    const rows = answer.totals.filter(mine);
    say(heading, words(name));
    table.hidden = chart.hidden = !rows.length;
    empty.hidden = rows.length > 0;
    if (rows.length)
      showChart(
        found,
        series.filter(mine),
        rows
          .filter(({ others }) => !others)
          .slice(0, LARGEST)
          .map((row) => row[name]),
      );
    showRows(found, rows);
    say(total, money(sum(rows.map((row) => row.effective)), answer.currency));
    total.href = link("events", { ...rangeOf(asked), filters });
    const apart = [...new Set(answer.totals.map(({ currency }) => currency))].filter(
      (currency) => currency !== answer.currency,
    );
    const since = found.cut ? `, nothing before ${momentOf(span[0], answer.tz).slice(0, -3)}` : "";
    const unsure =
      answer.of_which_provisional === "0"
        ? ""
        : ` · ${money(answer.of_which_provisional, answer.currency)} provisional`;
    const also = apart.length ? ` · also spent in ${apart.join(", ")}: see /v1/spend` : "";
    say(
      fine,
      `${rangeName(asked, () => "chosen range")}${since}, effective cost · ${answer.currency} · ${answer.tz} · ${answer.complete_through ? `complete through ${timeOf(answer.complete_through, answer.tz)}` : "not complete yet"}${unsure}${also}`,
    );
  }

  // An earlier question's figures do not stand under this one.
  function clear() {
    table.hidden = chart.hidden = empty.hidden = more.hidden = true;
    for (const each of [total, fine]) say(each, "");
    total.removeAttribute("href");
  }

  function showChart({ answer, name, span, widthMs, filters }, series, largest) {
    const layers = new Map(largest.map((value) => [value, []]));
    const others = new Map();
    for (const row of series.filter(spent)) {
      if (!row.others && layers.has(row[name])) layers.get(row[name]).push(row);
      else others.set(row.bucket_start, [...(others.get(row.bucket_start) ?? []), row]);
    }
    const wall = (at) => at.slice(0, 19).replace("T", " "); // as the clock on the wall there says
    const point = (row, amount) => ({
      x: wall(row.bucket_start),
      y: Number(amount),
      start: row.bucket_start,
      end: row.bucket_end,
      text: `${money(amount, answer.currency)} ${answer.currency}<br>${momentOf(row.bucket_start, answer.tz).slice(0, -3)}`,
    });
    const stacked = largest.map((value) => ({
      name: value,
      label: escaped(nameOf(value)),
      points: layers.get(value).map((row) => point(row, row.effective)),
    }));
    if (others.size) {
      const points = [...others.values()].map((rows) =>
        point(rows[0], plain(sum(rows.map((row) => row.effective)))),
      );
      stacked.push({ name: OTHERS, label: "others", points });
    }
    chart.setAttribute(
      "aria-label",
      `Spend over time by ${words(name)}; the table below says the same in figures`,
    );
    const local = (at) => wall(new Date(at).toLocaleString("sv-SE", { timeZone: answer.tz }));
    draw(chart, stacked, {
      widthMs,
      range: [local(span[0]), local(span[1])],
      unit: symbol(answer.currency),
      onClick: (value, start, end) => {
        location.hash = link("events", {
          from: iso(Math.max(Date.parse(start), span[0])),
          to: iso(Math.min(Date.parse(end), span[1])),
          filters: value === OTHERS ? filters : { ...filters, [name]: [value] },
        });
      },
    });
  }

  function showRows({ asked, name, filters }, rows) {
    const named = rows.filter(({ others }) => !others);
    const whole = sum(rows.map((row) => row.effective));
    const colourOf = colour(named.slice(0, LARGEST).map((row) => row[name]));
    keyed(
      body,
      rows,
      (row) => JSON.stringify([name, row.others ? null : row[name]]),
      (row) =>
        el(
          "tr",
          { className: row.others ? "others" : "" },
          el(
            "th",
            { scope: "row" },
            el("i", { className: "dot", "data-part": "dot" }),
            el(row.others ? "span" : "a", { "data-part": "name" }),
          ),
          el("td", { className: "wide bar-cell" }, el("i", { className: "fill", "data-part": "fill" })),
          el(
            "td",
            { className: "figure" },
            el(row.others ? "span" : "a", {
              "data-part": "amount",
              title: row.others ? undefined : "Show the events",
            }),
          ),
          el("td", { className: "figure", "data-part": "share" }),
          el("td", { className: "figure wide", "data-part": "events" }),
        ),
      (item, row) => {
        const narrowed = { ...filters, [name]: [row[name]] };
        say(part(item, "name"), row.others ? `${count(row.others)} others` : nameOf(row[name]));
        say(part(item, "amount"), money(row.effective, row.currency));
        if (!row.others) {
          part(item, "name").href = link("", { ...rangeOf(asked), by: next(narrowed), filters: narrowed });
          part(item, "amount").href = link("events", { ...rangeOf(asked), filters: narrowed });
        }
        const share = ratio(decimal(row.effective), whole);
        say(part(item, "share"), percent(share));
        say(part(item, "events"), count(row.events));
        part(item, "dot").style.background = part(item, "fill").style.background = row.others
          ? colourOf(null)
          : colourOf(row[name]);
        part(item, "fill").style.width =
          `${(100 * Math.min(1, ratio(decimal(row.effective), decimal(rows[0].effective)))).toFixed(2)}%`;
      },
    );
    const groups = named.length + (rows.find(({ others }) => others)?.others ?? 0);
    more.hidden = groups <= ROWS_SHOWN;
    say(
      more,
      named.length > ROWS_SHOWN
        ? "Show fewer"
        : `Show ${count(Math.min(groups, ROWS_MORE))} of ${count(groups)}`,
    );
  }

  frame();
  return { element, refresh, accept };
}
