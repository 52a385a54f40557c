// Down to single events: the list that a figure is made of, an event's receipt, and what was not booked.

import { get, session } from "./api.js";
import { el, home, say, trail } from "./dom.js";
import { count, momentOf, money, timeOf } from "./format.js";
import {
  asParameters,
  filtersOf,
  link,
  nameOf,
  rangeName,
  rangeOf,
  spanOf,
  spanParameters,
} from "./links.js";

const PAGE = 50;
const REFRESH = 10; // beats between two looks: a page that is being read should not move much

const status = (name) =>
  el(
    "span",
    {
      className: "badge",
      "data-state": { unpriced: "over", provisional: "warn", rejected: "over", conflict: "warn" }[name] ?? "",
    },
    name,
  );

// A page that is a list read page by page, newest first.
function listPage(heading, words, columns, read, empty) {
  const body = el("tbody");
  const more = el("button", { hidden: true, on: { click: older } }, "Older");
  const note = el("p", { className: "fine" });
  const element = el(
    "section",
    { className: "card list" },
    heading,
    words,
    el(
      "table",
      {},
      el(
        "thead",
        {},
        el(
          "tr",
          {},
          columns.map(([name, className]) => el("th", { scope: "col", className }, name)),
        ),
      ),
      body,
    ),
    more,
    note,
  );
  let cursor = null;
  let read_on = false;
  let beats = 0;

  async function older() {
    const page = await read(cursor);
    read_on = true;
    body.append(...page.rows);
    cursor = page.cursor;
    more.hidden = !cursor;
  }

  async function refresh() {
    if (read_on || beats++ % REFRESH) return null;
    const page = await read(null);
    body.replaceChildren(...page.rows);
    cursor = page.cursor;
    more.hidden = !cursor;
    say(
      note,
      page.rows.length
        ? `newest first · ${session.tz} · ${basis(page.answer)}`
        : `${empty} ${session.tz} · ${basis(page.answer)}`,
    );
    return page.answer;
  }
  return { element, refresh };
}

const basis = ({ complete_through: through }) =>
  through ? `complete through ${timeOf(through, session.tz)}` : "not complete yet";

export function eventsPage(query) {
  const filters = filtersOf(query);
  let span = spanOf(query, session.tz);
  const chips = el(
    "p",
    { className: "chips" },
    Object.entries(filters).flatMap(([name, values]) =>
      values.map((value) =>
        el(
          "a",
          {
            href: link("events", {
              ...rangeOf(query),
              filters: { ...filters, [name]: values.filter((each) => each !== value) },
            }),
          },
          `${name.replace("_", " ")}: ${nameOf(value)}`,
          el("span", { "aria-label": "remove" }, " ×"),
        ),
      ),
    ),
  );
  const heading = el(
    "div",
    {},
    trail(
      home(),
      el(
        "a",
        { href: link("", { ...rangeOf(query), filters }) },
        rangeName(query, () => `${momentOf(span[0], session.tz)} – ${momentOf(span[1], session.tz)}`),
      ),
      "Events",
    ),
    el("h1", {}, "Events"),
  );
  return listPage(
    heading,
    chips,
    [["Time"], ["Event"], ["Of"], ["Status", "wide"], ["Amount", "figure"]],
    async (cursor) => {
      if (!cursor) span = spanOf(query, session.tz); // "today" goes on; its older pages belong to the first one
      const answer = await get("/v1/events", {
        ...spanParameters(span),
        limit: PAGE,
        cursor: cursor ?? undefined,
        ...asParameters(filters),
      });
      return { answer, cursor: answer.next_cursor, rows: answer.events.map(eventRow) };
    },
    "No booked event of this range passes the filter.",
  );
}

function eventRow(event) {
  const { team, workflow, agent, provider, sku } = event.dimensions;
  return el(
    "tr",
    {},
    el("td", { className: "nowrap" }, momentOf(event.time, session.tz)),
    el(
      "td",
      {},
      el("a", { href: link("event", { source: event.source, id: event.id }) }, event.id),
      el("small", {}, ` ${event.source}`),
    ),
    el(
      "td",
      {},
      [team, workflow, agent].filter(Boolean).join(" · ") || nameOf(""),
      el("small", {}, ` ${provider}/${sku}`),
    ),
    el("td", { className: "wide" }, status(event.status), event.seq ? ` correction ${event.seq}` : ""),
    el("td", { className: "figure" }, event.effective, el("small", {}, ` ${event.currency}`)),
  );
}

export function unbookedPage(query) {
  const outcome = query.get("outcome") ?? "rejected";
  const words = {
    duplicate: "The same event was booked before: it counts once.",
    conflict: "Another event with the same source and id was booked before; that one stays.",
    rejected: "These could not be read as events, or break a rule. A fix is a new event.",
  }[outcome];
  return listPage(
    el("div", {}, trail(home(), "Not booked"), el("h1", {}, `Not booked: ${outcome}`)),
    el("p", { className: "soft" }, words),
    [["Seen"], ["Event"], ["Why"], ["Bytes", "figure wide"]],
    async (cursor) => {
      const answer = await get("/v1/unbooked", { outcome, limit: PAGE, cursor: cursor ?? undefined });
      return {
        answer,
        cursor: answer.next_cursor,
        rows: answer.unbooked.map((row) =>
          el(
            "tr",
            {},
            el("td", { className: "nowrap" }, momentOf(row.recorded_at, session.tz)),
            el(
              "td",
              {},
              row.id
                ? el("a", { href: link("event", { source: row.source, id: row.id }) }, row.id)
                : nameOf(""),
              el("small", {}, ` ${row.source}`),
            ),
            el("td", {}, row.reason),
            el("td", { className: "figure wide" }, count(row.size)),
          ),
        ),
      };
    },
    `None in the last day. (${outcome})`,
  );
}

export function receiptPage(query) {
  const [source, id] = [query.get("source") ?? "", query.get("id") ?? ""];
  const content = el("div", {}, el("p", { className: "soft" }, "Looking it up…"));
  const element = el(
    "section",
    { className: "card receipt" },
    trail(home(), el("a", { href: "#/events" }, "Events"), "Receipt"),
    el("h1", {}, id),
    el("p", { className: "soft" }, `sent by ${source}`),
    content,
  );
  let known = "";
  let beats = 0;

  async function refresh() {
    if (known && beats++ % REFRESH) return null;
    try {
      const receipt = await get("/v1/events", { source, id });
      const said = JSON.stringify(receipt);
      if (said !== known)
        content.replaceChildren(...(receipt.status === "booked" ? booked(receipt) : rejected(receipt)));
      known = said;
    } catch (error) {
      if (error.status !== 404) throw error;
      content.replaceChildren(el("p", { className: "empty" }, error.message));
    }
    return null;
  }
  return { element, refresh, timeless: true };
}

function rejected(receipt) {
  return [el("p", {}, status("rejected"), ` ${receipt.summary}`), copies(receipt.copies)];
}

function booked(receipt) {
  const [first] = receipt.entries;
  const step = (name, when, ...facts) =>
    el(
      "li",
      {},
      el("b", {}, name),
      el("span", {}, when),
      facts.map((fact) => el("small", {}, fact)),
    );
  const at = (moment) => (moment ? `${momentOf(moment, session.tz)} ${session.tz}` : "not stamped");
  return [
    el("p", { className: receipt.summary.startsWith("conflict") ? "bad" : "soft" }, receipt.summary),
    el(
      "p",
      { className: "verdict" },
      el("strong", {}, money(first.effective, first.currency)),
      el("span", { className: "soft" }, ` ${first.effective} ${first.currency} `),
      status(first.status),
    ),
    el(
      "ol",
      { className: "steps" },
      step(
        "Received",
        at(receipt.received.at),
        `key ${receipt.received.key_id || "of an operator"}`,
        `partition ${receipt.received.partition}, offset ${count(receipt.received.offset)}`,
      ),
      step("Rated", `catalog version ${first.catalog_version}`, `event of ${at(receipt.time)}`),
      step("Booked", at(first.recorded_at), `period ${first.accounting_period.slice(0, 7)}`),
    ),
    el(
      "p",
      { className: "chips" },
      Object.entries(receipt.dimensions).map(([name, value]) =>
        el(
          "a",
          { href: link("", { range: "today", by: name, filters: { [name]: [value] } }) },
          `${name.replace("_", " ")}: ${value}`,
        ),
      ),
    ),
    ...receipt.entries.flatMap((entry) => entryTable(entry, receipt.catalog)),
    receipt.copies.length ? el("h2", {}, "Other submissions of it") : null,
    receipt.copies.length ? copies(receipt.copies) : null,
    el(
      "details",
      {},
      el("summary", {}, "The event as booked"),
      el("pre", {}, JSON.stringify(receipt.event, null, 2)),
    ),
  ].filter(Boolean);
}

function entryTable(entry, catalog) {
  const currencies = (line) => (line.currency === entry.currency ? "" : ` ${line.currency}`);
  const rows = entry.lines.flatMap((line) => [
    el(
      "tr",
      {},
      el("th", { scope: "row" }, line.unit, line.status === entry.status ? "" : [" ", status(line.status)]),
      el("td", { className: "figure" }, line.quantity ?? "—"),
      el(
        "td",
        { className: "figure wide" },
        line.price === null
          ? "unknown"
          : `${line.price}${line.per > 1 ? ` for ${line.per}` : ""}${currencies(line)}`,
      ),
      el("td", { className: "figure wide" }, line.book_list ?? "—"),
      el("td", { className: "figure" }, line.book_effective ?? "unknown"),
    ),
    el(
      "tr",
      { className: "why" },
      el(
        "td",
        { colSpan: 5 },
        line.arithmetic.map((text) => el("code", {}, text)),
        line.reason ? el("small", {}, line.reason) : null,
        line.entries.map((name) => entrySource(name, catalog[name])),
        line.contests.map(contest),
      ),
    ),
  ]);
  return [
    el(
      "h2",
      {},
      entry.seq
        ? `Correction ${entry.seq}, ${momentOf(entry.recorded_at, session.tz)}`
        : "How the amount came about",
    ),
    ...entry.naming.map((meant) => el("p", { className: "fine" }, meant)),
    el(
      "table",
      { className: "lines" },
      el(
        "thead",
        {},
        el(
          "tr",
          {},
          el("th", { scope: "col" }, "Unit"),
          el("th", { scope: "col", className: "figure" }, "Quantity"),
          el("th", { scope: "col", className: "figure wide" }, "List price"),
          el("th", { scope: "col", className: "figure wide" }, "List"),
          el("th", { scope: "col", className: "figure" }, "Effective"),
        ),
      ),
      el("tbody", {}, rows),
      el(
        "tfoot",
        {},
        el(
          "tr",
          {},
          el("th", { scope: "row" }, `Sum, ${entry.currency}`),
          el("td"),
          el("td", { className: "wide" }),
          el("td", { className: "figure wide" }, entry.list),
          el("td", { className: "figure" }, entry.effective),
        ),
      ),
    ),
    el("p", { className: "fine" }, entry.arithmetic),
    entry.remark ? el("p", { className: "fine" }, entry.remark) : null,
  ].filter(Boolean);
}

// Which entry decided, and by what every other candidate lost.
function contest({ of, entry, says, why, losers }) {
  return el(
    "details",
    {},
    el(
      "summary",
      {},
      `Why this ${of}: ${losers.length ? count(losers.length) : "no"} other candidate${losers.length === 1 ? "" : "s"}`,
    ),
    el("small", {}, entry ? `${entry}, ${says}: ${why}` : why),
    losers.map((loser) => el("small", {}, `not ${loser.entry}, ${loser.says}: ${loser.reason}`)),
  );
}

// Where a price is written down.
function entrySource(name, entry) {
  if (!entry) return el("small", {}, `catalog entry ${name}`);
  const what =
    [entry.provider, entry.sku, entry.unit].filter(Boolean).join("/") || entry.type.split(".").at(-2);
  return el(
    "small",
    {},
    `catalog entry ${name}: ${what}, publication ${entry.version}, from ${entry.source}`,
  );
}

function copies(list) {
  return el(
    "ul",
    { className: "rows copies" },
    list.map((copy) =>
      el(
        "li",
        {},
        status(copy.outcome),
        ` ${copy.reason} `,
        el(
          "small",
          {},
          `${momentOf(copy.recorded_at, session.tz)} ${session.tz} · partition ${copy.partition}, offset ${count(copy.offset)} · ${count(copy.size)} bytes${copy.key_id ? ` · key ${copy.key_id}` : ""}`,
        ),
      ),
    ),
  );
}
