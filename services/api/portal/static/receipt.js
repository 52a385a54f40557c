// What became of one event: received, rated, booked, and the arithmetic of its amount.

import { get } from "./api.js";
import { el } from "./dom.js";
import { entryHeading, voidForm } from "./entry-trail.js";
import { count, money } from "./format.js";
import { dimensionLabel, link } from "./links.js";
import { lookup } from "./lookup.js";
import { badge, statusBadge, table, trail, zonedMoment } from "./pieces.js";
import { RARE_BEATS } from "./refresh.js";
import { tableTools } from "./tools.js";

export function receiptPage(query) {
  const [source, id] = [query.get("source") ?? "", query.get("id") ?? ""];
  const ask = () => get("/v1/events", { source, id });
  const content = lookup({
    ask,
    draw: (receipt) =>
      receipt.status === "booked" ? bookedReceipt(receipt, look) : rejectedReceipt(receipt),
    beats: RARE_BEATS,
    waits: true,
    shownRefusals: [404],
  });
  const look = async () => content.show(await ask());
  const element = el(
    "section",
    { className: "card receipt" },
    trail(el("a", { href: "#/events" }, "Events"), "Receipt"),
    el("h1", id),
    el("p", { className: "soft" }, `sent by ${source}`),
    content.element,
    tableTools(() => ({ path: "/v1/events", parameters: { source, id } }), {
      name: "receipt",
      shown: () => content.element,
    }),
  );
  return { element, refresh: content.refresh, timeless: true };
}

const rejectedReceipt = ({ summary, copies, superseded_by: successors }) => [
  el("p", statusBadge("rejected"), ` ${summary}`),
  ...linksOf(null, successors),
  copyList(copies),
];

// The submission whose place it takes, and the events that take its own.
function linksOf(supersedes, successors) {
  const name = ({ source, id }) => el("a", { href: link("event", { source, id }) }, `${source}/${id}`);
  const earlier =
    supersedes && el("p", { className: "fine" }, "supersedes ", name(supersedes), `: ${supersedes.says}`);
  const later = successors.map((each) =>
    el("p", { className: "fine" }, "booked instead of it: ", name(each)),
  );
  return [...(earlier ? [earlier] : []), ...later];
}

// `look()`: at the receipt again, at once.
function bookedReceipt(receipt, look) {
  const { summary, entries, dimensions, copies, sums } = receipt;
  const [first] = entries;
  const counts = entries.find((entry) => entry.in_force);
  return [
    el("p", { className: summary.startsWith("conflict") ? "bad" : "soft" }, summary),
    el(
      "p",
      { className: "verdict" },
      sums.map(({ effective, currency }) => el("strong", money(effective, currency), " ")),
      el(
        "span",
        { className: "soft" },
        sums.map((each) => ` ${each.effective} ${each.currency} `),
      ),
      counts ? statusBadge(counts.status) : badge("retracted", "over"),
    ),
    ...linksOf(receipt.supersedes, receipt.superseded_by),
    ...remarksOf(counts ?? first),
    el("ol", { className: "steps" }, steps(receipt, first)),
    el(
      "p",
      { className: "chips" },
      Object.entries(dimensions).map(dimensionChip),
      runChip(receipt.event),
      servedChips(receipt.event),
    ),
    ...entries.flatMap((entry) => entryTable(entry, receipt.catalog, entries.length > 1)),
    voidForm(receipt, look) ?? "",
    ...(copies.length ? [el("h2", "Other submissions of it"), copyList(copies)] : []),
    el("details", el("summary", "The event as booked"), el("pre", JSON.stringify(receipt.event, null, 2))),
  ];
}

// Once for all lines, beside the amount that it is about.
function remarksOf({ lines }) {
  const remarks = [...new Set(lines.flatMap((line) => line.remarks))];
  if (!remarks.length) return [];
  return [el("p", { className: "fine" }, `${remarks.join(" · ")} (`, inboxLink(), ")")];
}

const inboxLink = () => el("a", { href: link("inbox") }, "what to do");

// How it was served, as the event says: no dimension of spend.
const servedChips = ({ data: { context = {} } }) =>
  Object.entries({ tier: context.service_tier, region: context.region, batch: context.batch && "yes" })
    .filter(([, value]) => value)
    .map(([name, value]) => el("span", `${name}: ${value}`));

function steps({ received, time }, first) {
  const instant = (at) => (at ? zonedMoment(at) : "not stamped");
  const place = `partition ${received.partition}, offset ${count(received.offset)}`;
  return [
    step("Received", instant(received.at), `key ${received.key_id || "of an operator"}`, place),
    step("Rated", `catalog version ${first.catalog_version}`, `event of ${instant(time)}`),
    step("Booked", instant(first.recorded_at), `period ${first.accounting_period.slice(0, 7)}`),
  ];
}

const step = (name, when, ...facts) =>
  el(
    "li",
    el("b", name),
    el("span", when),
    facts.map((fact) => el("small", fact)),
  );

function dimensionChip([name, value]) {
  const href = link("explore", { range: "today", by: name, filters: { [name]: [value] } });
  return el("a", { href }, `${dimensionLabel(name)}: ${value}`);
}

// All that its run cost, over all cost classes.
const runChip = ({ data: { labels: { run = "" } = {} } }) =>
  run && el("a", { href: link("run", { run }) }, `run: ${run}`);

const COLUMNS = [
  ["Unit"],
  ["Quantity", "figure"],
  ["List price", "figure wide"],
  ["List", "figure wide"],
  ["Effective", "figure"],
];

function entryTable(entry, catalog, several) {
  if (entry.sign < 0)
    return [...entryHeading(entry, several), el("p", { className: "fine" }, entry.arithmetic)];
  const lines = table(
    COLUMNS,
    el(
      "tbody",
      entry.lines.flatMap((line) => lineRows(line, entry, catalog)),
    ),
    {
      className: "lines",
    },
  );
  lines.append(el("tfoot", sumRow(entry)));
  return [
    ...entryHeading(entry, several),
    ...entry.naming.map((text) => el("p", { className: "fine" }, text)),
    lines,
    el("p", { className: "fine" }, entry.arithmetic),
    ...(entry.remark ? [el("p", { className: "fine" }, entry.remark)] : []),
  ];
}

function lineRows(line, entry, catalog) {
  const status = line.status === entry.status ? "" : [" ", statusBadge(line.status)];
  return [
    el(
      "tr",
      el("th", { scope: "row" }, line.unit, status),
      el("td", { className: "figure" }, line.quantity ?? "—"),
      el("td", { className: "figure wide" }, listPrice(line, entry)),
      el("td", { className: "figure wide" }, line.book_list ?? "—"),
      el("td", { className: "figure" }, line.book_effective ?? "unknown"),
    ),
    el(
      "tr",
      { className: "why" },
      el(
        "td",
        { colSpan: 5 },
        line.arithmetic.map((text) => el("code", text)),
        [line.reason, ...line.remarks].map((text) => (text ? el("small", text) : null)),
        line.entries.map((name) => entrySource(name, catalog[name])),
        line.contests.map(contest),
      ),
    ),
  ];
}

function listPrice({ price, per, currency }, entry) {
  if (price === null) return "unknown";
  return `${price}${per > 1 ? ` for ${per}` : ""}${currency === entry.currency ? "" : ` ${currency}`}`;
}

const sumRow = (entry) =>
  el(
    "tr",
    el("th", { scope: "row" }, `Sum, ${entry.currency}`),
    el("td"),
    el("td", { className: "wide" }),
    el("td", { className: "figure wide" }, entry.list),
    el("td", { className: "figure" }, entry.effective),
  );

// Which entry decided, and by what every other candidate lost.
function contest({ of, entry, says, why, losers }) {
  const others = `${losers.length ? count(losers.length) : "no"} other candidate`;
  return el(
    "details",
    el("summary", `Why this ${of}: ${others}${losers.length === 1 ? "" : "s"}`),
    el("small", entry ? `${entry}, ${says}: ${why}` : why),
    losers.map((loser) => el("small", `not ${loser.entry}, ${loser.says}: ${loser.reason}`)),
  );
}

// Where a price is written down.
function entrySource(name, entry) {
  if (!entry) return el("small", `catalog entry ${name}`);
  const { provider, sku, unit, type, version, source } = entry;
  const what = [provider, sku, unit].filter(Boolean).join("/") || type.split(".").at(-2);
  return el("small", `catalog entry ${name}: ${what}, publication ${version}, from ${source}`);
}

const copyList = (copies) => el("ul", { className: "rows copies" }, copies.map(copyItem));

function copyItem({ outcome, reason, recorded_at: at, partition, offset, size, key_id: key }) {
  const facts = [
    zonedMoment(at),
    `partition ${partition}, offset ${count(offset)}`,
    `${count(size)} bytes`,
    ...(key ? [`key ${key}`] : []),
  ];
  return el("li", statusBadge(outcome), ` ${reason} `, el("small", facts.join(" · ")));
}
