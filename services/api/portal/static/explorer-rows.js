// The explorer's table: the largest groups by name, one row of all others, and where each figure leads.

import { el, part, setText, updateChildren } from "./dom.js";
import { count, formatDecimal, money, moneyColumn, percent, ratio, sum, widthOf } from "./format.js";
import { dimensionLabel, link, valueLabel } from "./links.js";
import { LARGEST, assignColours } from "./palette.js";
import { scrolls, table } from "./pieces.js";
import { rangeOf } from "./ranges.js";
import { sideBySide } from "./change.js";
import { grouped, measuredBy } from "./spend-rows.js";

export const ROWS_SHOWN = 12;
export const ROWS_MORE = 200;

// From who spent to what it was spent on.
const WAY_DOWN = ["team", "workflow", "agent", "sku", "feature", "environment"];
const nextDimension = (filters) => WAY_DOWN.find((name) => !filters[name]) ?? "provider";

export function spendTable() {
  const heading = el("th", { scope: "col" });
  const body = el("tbody");
  const columns = [
    heading,
    el("th", { className: "wide" }, el("span", { className: "unseen" }, "Share as a bar")),
    ["Amount", "figure"],
    ["Change", "figure wide"],
    ["Share", "figure"],
    ["Events", "figure wide"],
    ["per 1k tokens", "figure wide"],
    ["from cache", "figure wide"],
    ["below list", "figure wide"],
  ];
  const shown = table(columns, body);
  const element = scrolls("Spend by row", shown);
  element.hidden = true;

  // `own`: rows of one currency, the largest first; with a split, a row for each pair. `ratios`: rows by `by`
  // alone with what they are measured by.
  function show({ asked, by, split, filters, spend, before, ratios }, own) {
    const rows = grouped(own, by, split);
    const whole = sum(own.map((row) => row.effective));
    const amounts = rows.map(({ amount }) => formatDecimal(amount));
    const say = moneyColumn(amounts, spend.currency);
    const named = rows.filter(({ others }) => !others);
    const colourOf = colours(own, rows, by, split);
    const measured = measuredBy(ratios, by);
    const units = rows.map((row) => measured(row).perThousand).filter(Boolean);
    const sayUnit = moneyColumn(units, spend.currency);
    const changes = before ? changesOf(own, before, by, split) : new Map();
    setText(heading, dimensionLabel(by));
    element.hidden = !rows.length;
    const keyOf = (row) => JSON.stringify([by, split, row.others ? null : row.name]);
    updateChildren(body, rows, keyOf, makeRow, (item, row) => {
      setText(part(item, "name"), row.others ? `${count(row.others)} others` : valueLabel(row.name));
      setText(part(item, "amount"), say(row.amount));
      if (!row.others) linkRow(item, { asked, by, split, filters, row });
      setText(
        part(item, "change"),
        row.others || !before ? "" : changeText(changes.get(row.name), spend.currency),
      );
      setText(part(item, "share"), percent(ratio(row.amount, whole)));
      setText(part(item, "events"), count(row.events));
      const { perThousand, cached, belowList } = measured(row);
      setText(part(item, "unit"), perThousand === null ? "—" : sayUnit(perThousand));
      setText(part(item, "cached"), cached);
      setText(part(item, "list"), belowList);
      part(item, "dot").style.background = split ? "none" : colourOf(row.name);
      showBar(part(item, "bar"), row, named[0]?.amount ?? row.amount, colourOf, split);
    });
  }

  return { element, show, toggleLabel };
}

function linkRow(item, { asked, by, split, filters, row }) {
  const narrowed = { ...filters, [by]: [row.name] };
  const next = nextDimension(narrowed);
  const address = { ...rangeOf(asked), by: next, split: split === next ? "" : split, filters: narrowed };
  part(item, "name").href = link("explore", address);
  part(item, "amount").href = link("events", { ...rangeOf(asked), filters: narrowed });
}

function colours(own, rows, by, split) {
  const names = split ? grouped(own, split, "").map(({ name }) => name) : rows.map(({ name }) => name);
  return assignColours(names.filter((name) => name !== null).slice(0, LARGEST));
}

// A piece for each part of a split; one for all otherwise.
function showBar(bar, row, largest, colourOf, split) {
  const pieces = split ? row.parts : [{ name: row.name, amount: row.amount }];
  bar.replaceChildren(
    ...pieces.map(({ name, amount }) => {
      const width = widthOf(ratio(amount, largest));
      const title = split ? `${name === null ? "others" : valueLabel(name)}` : undefined;
      return el("i", { className: "fill", title, style: { width, background: colourOf(name) } });
    }),
  );
}

// Of rows alone: with a split, a row's parts may be among the others of either answer.
function changesOf(own, before, by, split) {
  const rowsBefore = before.totals.filter(({ currency }) => currency === before.currency);
  const mixed = split && own.some(({ others }) => others);
  const rows = split ? grouped(own, by, split).map(({ name, amount }) => asRow(by, name, amount)) : own;
  const pairs = sideBySide(rows, rowsBefore, (row) => row[by]);
  return new Map(
    pairs.map(({ name, now, before: then }) => [name, { now: mixed ? null : now, before: then }]),
  );
}

const asRow = (by, name, amount) => ({
  [by]: name,
  effective: formatDecimal(amount),
  others: name === null ? 1 : 0,
});

function changeText(pair, currency) {
  if (!pair || pair.now === null || pair.before === null) return "—";
  if (pair.before === 0n) return "new";
  const difference = pair.now - pair.before;
  const sign = difference > 0n ? "+" : difference < 0n ? "−" : "±";
  return `${sign}${money(difference < 0n ? -difference : difference, currency)}`;
}

// What the button says that shows more groups, or fewer; "" = there are no more.
function toggleLabel(rows) {
  const named = rows.filter(({ others }) => !others).length;
  const groups = named + (rows.find(({ others }) => others)?.others ?? 0);
  if (groups <= ROWS_SHOWN) return "";
  if (named > ROWS_SHOWN) return named > ROWS_MORE ? "" : "Show fewer";
  return `Show ${count(Math.min(groups, ROWS_MORE))} of ${count(groups)}`;
}

function makeRow({ others }) {
  const leading = others ? "span" : "a";
  const title = others ? undefined : "Show the events";
  const figure = (name, extra = "") => el("td", { className: `figure ${extra}`, "data-part": name });
  return el(
    "tr",
    { className: others ? "others" : "" },
    el(
      "th",
      { scope: "row" },
      el("i", { className: "dot", "data-part": "dot" }),
      el(leading, { "data-part": "name" }),
    ),
    el("td", { className: "wide bar-cell" }, el("span", { className: "bar", "data-part": "bar" })),
    el("td", { className: "figure" }, el(leading, { "data-part": "amount", title })),
    figure("change", "wide"),
    figure("share"),
    figure("events", "wide"),
    figure("unit", "wide"),
    figure("cached", "wide"),
    figure("list", "wide"),
  );
}
