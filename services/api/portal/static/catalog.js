// The price catalog: search, a model's prices now and through time, and what changed between two instants.

import { get } from "./api.js";
import { colour, drawSteps } from "./chart.js";
import { el, home, say, trail } from "./dom.js";
import { count, dayOf, symbol } from "./format.js";
import { link } from "./links.js";
import {
  actingOf,
  amount,
  changesTable,
  currencyOf,
  modelLink,
  moment,
  perOf,
  whoseChoice,
  whoseOf,
} from "./prices.js";

const PAGE = 50;
const REFRESH = 10; // beats between two looks: prices change seldom
const TYPING_MS = 250;
const CHANGES_SHOWN = 500;
const DAY_MS = 86_400_000;

const catalog = (query) => el("a", { href: link("catalog", whoseOf(query)) }, "Catalog");

export function catalogPage(query) {
  const search = el("input", {
    type: "search",
    value: query.get("q") ?? "",
    placeholder: "A part of a name: sonnet, aurora, seat …",
    "aria-label": "Search the catalog",
    on: { input: typed },
  });
  const whose = el("span", {}, whoseChoice("catalog", query));
  const body = el("tbody");
  const more = el("button", { hidden: true, on: { click: next } }, "More");
  const note = el("p", { className: "fine" });
  const element = el(
    "section",
    { className: "card list catalog" },
    trail(home(), "Catalog"),
    el(
      "div",
      { className: "controls" },
      el("h1", {}, "Price catalog"),
      whose,
      el("a", { href: link("changes", whoseOf(query)) }, "What changed"),
      el("a", { href: link("inbox", whoseOf(query)) }, "Without a price"),
    ),
    search,
    el(
      "table",
      {},
      el(
        "thead",
        {},
        el("tr", {}, el("th", { scope: "col" }, "Model"), el("th", { scope: "col" }, "Prices now")),
      ),
      body,
    ),
    more,
    note,
  );
  let cursor = null;
  let beats = 0;
  let read_on = false; // who reads on is left in peace
  let typing = 0;
  let asked = 0;

  function typed() {
    clearTimeout(typing);
    typing = setTimeout(
      () => element.isConnected && location.replace(link("catalog", { q: search.value, ...whoseOf(query) })),
      TYPING_MS,
    );
  }

  function accept(changed) {
    if (actingOf(changed) !== actingOf(query)) return false;
    query = changed;
    if (document.activeElement !== search) search.value = query.get("q") ?? "";
    whose.replaceChildren(whoseChoice("catalog", query) ?? "");
    beats = 0;
    read_on = false;
    return true;
  }

  const read = (from) =>
    get(
      "/v1/catalog/models",
      { q: query.get("q") ?? "", limit: PAGE, cursor: from ?? undefined },
      actingOf(query),
    );

  async function next() {
    const mine = ++asked;
    read_on = true;
    const answer = await read(cursor);
    if (mine !== asked) return;
    body.append(...answer.models.map(modelRow));
    cursor = answer.next_cursor;
    more.hidden = !cursor;
  }

  async function refresh() {
    if (read_on || beats++ % REFRESH) return null;
    const mine = ++asked;
    const answer = await read(null);
    if (mine !== asked) return null;
    body.replaceChildren(...answer.models.map(modelRow));
    cursor = answer.next_cursor;
    more.hidden = !cursor;
    say(
      note,
      answer.models.length
        ? "Prices of everybody, and those of the tenant alone. A unit without one is unknown, never free."
        : `Nothing in the catalog has “${query.get("q") ?? ""}” in its name.`,
    );
    return null;
  }

  function modelRow({ provider, sku, aliases, retired, prices }) {
    const plain = prices
      .filter(({ conditions }) => /^(context (up to|under) [\d,]+ tokens)?$/.test(lasting(conditions)))
      .sort(byUnit);
    const others = prices.length - plain.length;
    return el(
      "tr",
      {},
      el(
        "td",
        {},
        modelLink(provider, sku, query),
        retired ? el("span", { className: "badge" }, "retired") : null,
        aliases.length
          ? el(
              "small",
              {},
              aliases.slice(0, 3).join(" · ") + (aliases.length > 3 ? ` and ${aliases.length - 3} more` : ""),
            )
          : null,
      ),
      el(
        "td",
        {},
        bySize(plain).map(([size, list]) =>
          el(
            "span",
            { className: "line" },
            list.map(({ entry }) =>
              el("span", { className: "price" }, el("small", {}, `${entry.unit} `), entry.price),
            ),
            el("small", {}, size),
          ),
        ),
        others ? el("small", { className: "line" }, `${count(others)} more under conditions`) : null,
        prices.length ? null : el("small", {}, "none in force"),
      ),
    );
  }
  return { element, refresh, accept, timeless: true };
}

export function modelPage(query) {
  const [provider, sku] = [query.get("provider") ?? "", query.get("sku") ?? ""];
  const content = el("div", {}, el("p", { className: "soft" }, "Looking it up…"));
  const chart = el("div", { className: "chart", role: "img", "aria-label": "Prices over time" });
  const unit = el("select", { on: { change: () => draw() } });
  const legend = el("p", { className: "chips" });
  const history = el(
    "div",
    {},
    el("div", { className: "controls" }, el("h2", {}, "List prices over time"), el("label", {}, "of ", unit)),
    chart,
    legend,
    el("p", { className: "fine" }, "Solid: believed now. Dotted: withdrawn."),
  );
  const element = el(
    "section",
    { className: "card receipt catalog" },
    trail(home(), catalog(query), "Model"),
    el("div", { className: "controls" }, el("h1", {}, `${provider}/${sku}`), whoseChoice("model", query)),
    content,
  );
  let known = "";
  let model = null;
  let beats = 0;

  async function refresh() {
    if (beats++ % REFRESH) return null;
    try {
      model = await get("/v1/catalog/model", { provider, sku }, actingOf(query));
    } catch (error) {
      if (error.status !== 404 && error.status !== 422) throw error;
      content.replaceChildren(el("p", { className: "empty" }, error.message));
      return null;
    }
    const said = JSON.stringify(model);
    if (said === known) return null;
    known = said;
    show();
    draw();
    return null;
  }

  function show() {
    const units = [...new Set(charted().map(({ entry }) => entry.unit))];
    const chosen = units.includes(unit.value)
      ? unit.value
      : ["input_tokens", ...units].find((each) => units.includes(each));
    unit.replaceChildren(
      ...units.map((name) => el("option", { value: name, selected: name === chosen }, name)),
    );
    content.replaceChildren(
      ...[
        ...model.naming.map((meant) => el("p", { className: "soft" }, meant)),
        model.naming.length
          ? el("p", {}, "This is ", modelLink(model.provider, model.sku, query), ".")
          : null,
        model.retired ? el("p", {}, el("span", { className: "badge" }, "retired")) : null,
        model.aliases.length
          ? el("details", { className: "fine" }, el("summary", {}, "Other names"), model.aliases.join(" · "))
          : null,
        units.length ? history : null,
        el("h2", {}, "In force now"),
        model.prices.length
          ? pricesTable(model.prices)
          : el("p", { className: "soft" }, "Nothing: its usage is provisional or unpriced."),
        el("h2", {}, "Everything that was recorded, newest first"),
        historyTable([...model.history].reverse()),
      ].filter(Boolean),
    );
  }

  const charted = () =>
    model.history.filter(({ entry }) => entry.price !== undefined && (entry.kind ?? "list") === "list");

  function draw() {
    const rows = charted().filter(({ entry }) => entry.unit === unit.value);
    if (!rows.length) return;
    const now = Date.now();
    const limits = rows
      .flatMap(({ entry: { when } }) => [when?.effective_from, when?.effective_to])
      .filter(Boolean)
      .map((at) => Date.parse(at));
    const [first, last] = [Math.min(now - 365 * DAY_MS, ...limits), Math.max(now, ...limits)];
    const range = [first - (last - first) * 0.06, last + (last - first) * 0.06];
    // Prices of different sizes (for one, for a million) are drawn for the largest; the words keep their own.
    const per = Math.max(...rows.map(({ entry }) => perOf(entry)));
    const lines = new Map();
    for (const { entry, says, conditions, withdrawn_version: gone } of rows) {
      const { effective_from: from, effective_to: to } = entry.when ?? {};
      const name = [
        lasting(conditions) || "always",
        ...scopeOf(entry),
        ...(currencyOf(entry) === currencyOf(rows[0].entry) ? [] : [currencyOf(entry)]),
      ].join("; ");
      const key = `${name} ${Boolean(gone)}`;
      if (!lines.has(key)) lines.set(key, { name, past: Boolean(gone), spans: [] });
      const when = `${from ? `from ${dated(from)}` : "since ever"}${to ? ` until ${dated(to)}` : ""}`;
      lines.get(key).spans.push({
        from: stamp(from ? Date.parse(from) : range[0]),
        to: stamp(to ? Date.parse(to) : range[1]),
        y: (Number(entry.price) / perOf(entry)) * per,
        text: [`${amount(entry)}, ${when}`, says, gone ? `withdrawn in publication ${gone}` : ""],
      });
    }
    const colourOf = colour([...new Set([...lines.values()].map(({ name }) => name))]);
    legend.replaceChildren(
      ...[...lines.values()].map(({ name, past }) =>
        el(
          "span",
          {},
          el("i", { className: "dot", style: { background: colourOf(name) } }),
          past ? `${name} (withdrawn)` : name,
        ),
      ),
    );
    drawSteps(chart, [...lines.values()], {
      range: range.map(stamp),
      unit: symbol(currencyOf(rows[0].entry)),
    });
  }
  return { element, refresh, timeless: true };
}

// The conditions without their dates: what sets prices of one instant apart.
const lasting = (conditions) =>
  conditions
    .split("; ")
    .filter((each) => !/^(from|until) \d{4}-/.test(each))
    .join("; ");

// What nearly everybody looks for comes first.
const FIRST = ["output_tokens", "input_tokens"];
const byUnit = ({ entry: a }, { entry: b }) =>
  FIRST.indexOf(b.unit) - FIRST.indexOf(a.unit) || a.unit.localeCompare(b.unit);

const scopeOf = ({ layer, contract, tenant, kind }) =>
  [kind, layer, contract, tenant && "this tenant alone"].filter(Boolean);

// Prices of the same size together: [["USD per 1,000,000", [row]]].
function bySize(rows) {
  const sizes = new Map();
  for (const row of rows) {
    const size = [amount({ ...row.entry, price: "" }).trim(), lasting(row.conditions), ...scopeOf(row.entry)]
      .filter(Boolean)
      .join(", ");
    sizes.set(size, [...(sizes.get(size) ?? []), row]);
  }
  return [...sizes];
}

const stamp = (at) => new Date(at).toISOString().slice(0, 19).replace("T", " ");
const dated = (at) => `${dayOf(at, "UTC")} ${at.slice(0, 4)}`;

function pricesTable(rows) {
  const sorted = [...rows].sort((a, b) => byUnit(a, b) || a.conditions.length - b.conditions.length);
  return el(
    "table",
    { className: "lines" },
    el(
      "thead",
      {},
      el(
        "tr",
        {},
        ["Unit", "When", "Price"].map((name) =>
          el("th", { scope: "col", className: name === "Price" ? "figure" : "" }, name),
        ),
      ),
    ),
    el(
      "tbody",
      {},
      sorted.map(({ entry, conditions }) =>
        el(
          "tr",
          {},
          el("th", { scope: "row" }, entry.unit),
          el(
            "td",
            {},
            [conditions || "always", ...scopeOf(entry)].join("; "),
            el("small", { className: "line wide" }, origin(entry)),
          ),
          el("td", { className: "figure" }, amount(entry)),
        ),
      ),
    ),
  );
}

// An address is a link only where it is one: sources are written by people.
function origin({ id, source }) {
  return [
    `entry ${id}, from `,
    /^https?:\/\//.test(source)
      ? el("a", { href: source, rel: "noreferrer", target: "_blank" }, source)
      : source,
  ];
}

function historyTable(rows) {
  return el(
    "table",
    {},
    el(
      "tbody",
      {},
      rows.map((row) =>
        el(
          "tr",
          { className: row.withdrawn_version ? "gone" : "" },
          el(
            "td",
            {},
            row.says || `${row.entry.type.split(".").at(-2)}: its names`,
            el("small", { className: "line" }, origin(row.entry)),
            el(
              "small",
              { className: "line" },
              `stated ${moment(row.recorded_at)} in publication ${row.version} by ${row.recorded_by}${row.entry.note ? `: ${row.entry.note}` : ""}`,
            ),
            row.withdrawn_version
              ? el(
                  "small",
                  { className: "line bad" },
                  `withdrawn ${moment(row.withdrawn_at)} in publication ${row.withdrawn_version} by ${row.withdrawn_by}${row.withdrawn_why ? `: ${row.withdrawn_why}` : ""}`,
                )
              : null,
          ),
        ),
      ),
    ),
  );
}

// What changed between two days, or two publications.
export function changesPage(query) {
  const from = query.get("from") ?? new Date(Date.now() - 30 * DAY_MS).toISOString().slice(0, 10);
  const to = query.get("to") ?? "";
  const [since, until] = [field("from", from), field("to", to)];
  const content = el("div", {}, el("p", { className: "soft" }, "Comparing…"));
  const element = el(
    "section",
    { className: "card receipt catalog" },
    trail(home(), catalog(query), "What changed"),
    el("div", { className: "controls" }, el("h1", {}, "Price changes"), whoseChoice("changes", query)),
    el(
      "form",
      { className: "controls", on: { submit } },
      el("label", {}, "after ", since),
      el("label", {}, "up to ", until),
      el("button", {}, "Compare"),
      el("span", { className: "fine" }, "a day, an instant or a publication's number; up to nothing = now"),
    ),
    content,
  );
  let beats = 0;

  function field(name, value) {
    return el("input", { name, value, size: 12, placeholder: name === "to" ? "now" : "" });
  }

  function submit(event) {
    event.preventDefault();
    location.hash = link("changes", { from: since.value, to: until.value, ...whoseOf(query) });
  }

  // A day begins at midnight of UTC, as prices do.
  const instant = (text) => (/^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00:00Z` : text);

  async function refresh() {
    if (beats++ % REFRESH) return null;
    try {
      const answer = await get(
        "/v1/catalog/changes",
        { from: instant(from), to: to ? instant(to) : undefined },
        actingOf(query),
      );
      content.replaceChildren(
        el(
          "p",
          { className: "soft" },
          `After publication ${answer.since}, up to ${answer.until}: ${count(answer.changes_total)} changes.`,
        ),
        ...changesTable(answer.changes.slice(0, CHANGES_SHOWN), answer.changes_total, query),
      );
    } catch (error) {
      if (error.status !== 422) throw error;
      content.replaceChildren(el("p", { className: "bad" }, error.message));
    }
    return null;
  }
  return { element, refresh, timeless: true };
}
