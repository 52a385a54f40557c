// A model: its prices now, and all that was recorded of it.

import { get } from "./api.js";
import { el } from "./dom.js";
import { lookup } from "./lookup.js";
import { priceHistory } from "./model-chart.js";
import { badge, table, trail, zonedMoment } from "./pieces.js";
import { byUnit, scopeWords } from "./price-words.js";
import { catalogLink, describePrice, modelLink, tenantOf, whoseChoice } from "./prices.js";
import { RARE_BEATS } from "./refresh.js";
import { tableTools } from "./tools.js";

export function modelPage(query) {
  const [provider, sku] = [query.get("provider") ?? "", query.get("sku") ?? ""];
  const history = priceHistory();
  const tenant = tenantOf(query);
  const question = () => ({ path: "/v1/catalog/model", parameters: { provider, sku }, tenant });
  const content = lookup({
    ask: () => get("/v1/catalog/model", { provider, sku }, tenant),
    draw: (model) => [
      ...describeNames(model, query),
      ...history.show(model.history),
      el("h2", "In force now"),
      model.prices.length ? pricesTable(model.prices) : el("p", { className: "soft" }, UNPRICED),
      ...factorsPart(model.factors),
      ...opinionsPart(model.opinions),
      el("h2", "Everything that was recorded, newest first"),
      historyTable([...model.history].reverse()),
    ],
    beats: RARE_BEATS,
    drawn: history.draw,
  });
  const element = el(
    "section",
    { className: "card receipt catalog" },
    trail(catalogLink(query), "Model"),
    el("div", { className: "controls" }, el("h1", `${provider}/${sku}`), whoseChoice("model", query)),
    content.element,
    tableTools(question, { name: "prices" }),
  );
  return { element, refresh: content.refresh, timeless: true };
}

const UNPRICED = "Nothing: its usage is provisional or unpriced.";

const describeNames = ({ naming, provider, sku, retired, aliases }, query) => [
  ...naming.map((text) => el("p", { className: "soft" }, text)),
  ...(naming.length ? [el("p", "This is ", modelLink(provider, sku, query), ".")] : []),
  ...(retired ? [el("p", badge("retired"))] : []),
  ...(aliases.length
    ? [el("details", { className: "fine" }, el("summary", "Other names"), aliases.join(" · "))]
    : []),
];

const COLUMNS = [
  ["Unit", ""],
  ["When", ""],
  ["Price", "figure"],
];

function pricesTable(prices) {
  const sorted = [...prices].sort((a, b) => byUnit(a, b) || a.conditions.length - b.conditions.length);
  const rows = sorted.map(({ entry, conditions }) =>
    el(
      "tr",
      el("th", { scope: "row" }, entry.unit),
      el(
        "td",
        [conditions || "always", ...scopeWords(entry)].join("; "),
        el("small", { className: "line wide" }, origin(entry)),
      ),
      el("td", { className: "figure" }, describePrice(entry)),
    ),
  );
  return table(COLUMNS, el("tbody", rows), { className: "lines" });
}

// An address is a link only where it is one: sources are written by people.
function origin({ id, source }) {
  const [, address, rest] = /^(https?:\/\/\S*[^\s;,.])?(.*)$/s.exec(source);
  const written = address
    ? [el("a", { href: address, rel: "noreferrer", target: "_blank" }, address), rest]
    : [source];
  return [`entry ${id}, from `, ...written];
}

const FACTORS =
  "A price is multiplied by them where their conditions hold, if it is not itself for that way of serving. " +
  "Of two of one name the one that names the model goes before.";

// Nothing where the seller has none.
const factorsPart = (factors) =>
  factors.length
    ? [
        el("h2", "Factors in force now"),
        el("p", { className: "fine" }, FACTORS),
        el("ul", { className: "rows" }, factors.map(factorItem)),
      ]
    : [];

function factorItem(factor) {
  const note = factor.note ? [el("small", { className: "line wide" }, factor.note)] : [];
  const from = el("small", { className: "line wide" }, origin(factor));
  return el("li", el("b", factor.name), ` ${factor.says}`, from, ...note);
}

const OPINION_COLUMNS = [
  ["Unit", ""],
  ["Whose word holds", ""],
  ["Charged", "figure"],
  ["Theirs", "figure"],
];

// Nothing where all lists agree.
const opinionsPart = (opinions) =>
  opinions.length
    ? [
        el("h2", "Where other price lists say otherwise"),
        table(OPINION_COLUMNS, el("tbody", opinions.map(opinionRow)), { className: "lines" }),
      ]
    : [];

const HOLDS = {
  corrected: "ours, by a correction",
  open: "open: nobody has looked",
  missing: "open: no price of ours to compare",
};

function opinionRow({ difference, state, right, rule, source, apart_percent: apart }) {
  const { unit, catalog, name, charged, theirs, per, currency, our_currency: ours, conditions } = difference;
  const said = HOLDS[state] ?? (right === "neither" ? "neither, by review" : `${right}, by review`);
  return el(
    "tr",
    el(
      "th",
      { scope: "row" },
      unit,
      el(
        "small",
        { className: "line" },
        [catalog, name && `as ${name}`, conditions].filter(Boolean).join("; "),
      ),
    ),
    el("td", said, rule ? el("small", { className: "line wide" }, `${rule} ${source}`) : null),
    el("td", { className: "figure" }, charged === null ? "none" : `${charged} ${ours || currency}`),
    el(
      "td",
      { className: "figure" },
      `${theirs} ${currency}`,
      el("small", { className: "line" }, [`for ${per}`, apart && `${apart} %`].filter(Boolean).join(", ")),
    ),
  );
}

const historyTable = (records) => el("table", el("tbody", records.map(historyRow)));

function historyRow(record) {
  const { entry, says, withdrawn_version: withdrawn } = record;
  return el(
    "tr",
    { className: withdrawn ? "gone" : "" },
    el(
      "td",
      says || `${entry.type.split(".").at(-2)}: its names`,
      el("small", { className: "line" }, origin(entry)),
      el("small", { className: "line" }, describeStating(record)),
      withdrawn ? el("small", { className: "line bad" }, describeWithdrawal(record)) : null,
    ),
  );
}

const describeStating = ({ recorded_at: at, version, recorded_by: by, entry: { note } }) =>
  `stated ${zonedMoment(at)} in publication ${version} by ${by}${note ? `: ${note}` : ""}`;

function describeWithdrawal(record) {
  const { withdrawn_at: at, withdrawn_version: version, withdrawn_by: by, withdrawn_why: why } = record;
  return `withdrawn ${zonedMoment(at)} in publication ${version} by ${by}${why ? `: ${why}` : ""}`;
}
