// The explorer's table: the largest groups by name, one row of all others, and where each figure leads.

import { LARGEST, assignColours } from "./chart.js";
import { el, part, setText, updateChildren } from "./dom.js";
import { count, money, parseDecimal, percent, ratio, sum, widthOf } from "./format.js";
import { dimensionLabel, link, rangeOf, valueLabel } from "./links.js";
import { table } from "./pieces.js";

export const ROWS_SHOWN = 12;
export const ROWS_MORE = 200;

// From who spent to what it was spent on.
const WAY_DOWN = ["team", "workflow", "agent", "sku", "feature", "environment"];
const nextDimension = (filters) => WAY_DOWN.find((name) => !filters[name]) ?? "provider";

export function spendTable() {
  const heading = el("th", { scope: "col" });
  const body = el("tbody");
  const shares = el("th", { className: "wide", "aria-label": "Share" });
  const columns = [heading, shares, ["Amount", "figure"], ["Share", "figure"], ["Events", "figure wide"]];
  const element = table(columns, body, { hidden: true });

  // `rows`: of one currency, the largest first.
  function show({ asked, name, filters }, rows) {
    const whole = sum(rows.map((row) => row.effective));
    const largest = namedRows(rows).slice(0, LARGEST);
    const colourOf = assignColours(largest.map((row) => row[name]));
    setText(heading, dimensionLabel(name));
    element.hidden = !rows.length;
    const keyOf = (row) => JSON.stringify([name, row.others ? null : row[name]]);
    updateChildren(body, rows, keyOf, makeRow, (item, row) => {
      setText(part(item, "name"), row.others ? `${count(row.others)} others` : valueLabel(row[name]));
      setText(part(item, "amount"), money(row.effective, row.currency));
      if (!row.others) {
        const narrowed = { ...filters, [name]: [row[name]] };
        const by = nextDimension(narrowed);
        part(item, "name").href = link("", { ...rangeOf(asked), by, filters: narrowed });
        part(item, "amount").href = link("events", { ...rangeOf(asked), filters: narrowed });
      }
      const amount = parseDecimal(row.effective);
      setText(part(item, "share"), percent(ratio(amount, whole)));
      setText(part(item, "events"), count(row.events));
      const colour = colourOf(row.others ? null : row[name]);
      for (const each of ["dot", "fill"]) part(item, each).style.background = colour;
      part(item, "fill").style.width = widthOf(ratio(amount, parseDecimal(rows[0].effective)));
    });
  }

  return { table: element, show, toggleLabel };
}

const namedRows = (rows) => rows.filter(({ others }) => !others);

// What the button says that shows more groups, or fewer; "" = there are no more.
function toggleLabel(rows) {
  const named = namedRows(rows).length;
  const groups = named + (rows.find(({ others }) => others)?.others ?? 0);
  if (groups <= ROWS_SHOWN) return "";
  if (named > ROWS_SHOWN) return "Show fewer";
  return `Show ${count(Math.min(groups, ROWS_MORE))} of ${count(groups)}`;
}

function makeRow({ others }) {
  const leading = others ? "span" : "a";
  const title = others ? undefined : "Show the events";
  return el(
    "tr",
    { className: others ? "others" : "" },
    el(
      "th",
      { scope: "row" },
      el("i", { className: "dot", "data-part": "dot" }),
      el(leading, { "data-part": "name" }),
    ),
    el("td", { className: "wide bar-cell" }, el("i", { className: "fill", "data-part": "fill" })),
    el("td", { className: "figure" }, el(leading, { "data-part": "amount", title })),
    el("td", { className: "figure", "data-part": "share" }),
    el("td", { className: "figure wide", "data-part": "events" }),
  );
}
