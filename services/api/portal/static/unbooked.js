// What was accepted and not booked: counted by key and fault, then row by row, with what to do.

import { get, session } from "./api.js";
import { el } from "./dom.js";
import { count, momentOf } from "./format.js";
import { link, unbookedLink, valueLabel } from "./links.js";
import { lookup } from "./lookup.js";
import { listPage } from "./paging.js";
import { removableChip, statusBadge, table } from "./pieces.js";
import { RARE_BEATS } from "./refresh.js";

const COLUMNS = [["Seen"], ["Event"], ["Why, and what to do"], ["Key", "wide"], ["Bytes", "figure wide"]];
const FAULT_COLUMNS = [["Events", "figure"], ["Open", "figure"], ["Key"], ["Fault"], ["Last seen", "wide"]];
const CHOICES = {
  outcome: {
    "": "conflicts and rejections",
    conflict: "conflicts",
    rejected: "rejections",
    duplicate: "duplicates",
  },
  resolved: { "": "all", false: "nothing booked instead", true: "something booked instead" },
  range: { "": "the last day", last_7_days: "7 days", last_30_days: "30 days" },
};
const TEXTS = { source: "source", reason: "why" };

export function unbookedPage(query) {
  const asked = Object.fromEntries(query);
  const parameters = Object.fromEntries(
    [...Object.keys(CHOICES), ...Object.keys(TEXTS), "key"]
      .map((name) => [name, query.get(name)])
      .filter(([name, value]) => value || (name === "key" && value !== null)),
  );
  const faults = lookup({
    ask: () => get("/v1/unbooked/faults", parameters),
    draw: (answer) => faultTable(answer, asked),
    keyOf: ({ faults: found, counted_from: from }) => JSON.stringify([found, from]),
    beats: RARE_BEATS,
    waiting: "Counting…",
  });
  const list = listPage({
    heading: el("div", el("h1", "Not booked")),
    words: el("div", filterForm(asked), faults.element),
    columns: COLUMNS,
    question: () => ({ path: "/v1/unbooked", parameters }),
    rowsOf: ({ unbooked }) => unbooked.map(unbookedRow),
    none: "None.",
  });
  return {
    element: list.element,
    refresh: async () => (await Promise.all([list.refresh(), faults.refresh()]))[0],
  };
}

function filterForm(asked) {
  const fields = [
    ...Object.entries(CHOICES).map(([name, options]) => select(name, options, asked[name] ?? "")),
    ...Object.entries(TEXTS).map(([name, label]) =>
      el("label", `${label} `, el("input", { name, value: asked[name] ?? "", size: 14 })),
    ),
  ];
  function submit(event) {
    event.preventDefault();
    const chosen = Object.fromEntries(new FormData(event.target));
    location.hash = unbookedLink({ ...chosen, key: asked.key });
  }
  const { key, ...others } = asked;
  const chip = key === undefined ? null : removableChip(unbookedLink(others), `key: ${valueLabel(key)}`);
  return el("form", { className: "controls", on: { submit } }, fields, el("button", "Filter"), chip);
}

const select = (name, options, chosen) =>
  el(
    "select",
    { name, "aria-label": name },
    Object.entries(options).map(([value, text]) => el("option", { value, selected: value === chosen }, text)),
  );

// Ten thousand of one fault are one row.
function faultTable({ faults, counted_from: from }, asked) {
  if (!faults.length) return [];
  const rows = faults.map((fault) =>
    el(
      "tr",
      el("td", { className: "figure", "data-unit": "events" }, count(fault.events)),
      el(
        "td",
        { className: "figure", "data-unit": "open" },
        fault.outcome === "duplicate" ? "—" : count(fault.unresolved),
      ),
      el("td", keyLink(fault, asked)),
      el("td", statusBadge(fault.outcome), " ", faultLink(fault, asked), el("small", ` ${fault.what_to_do}`)),
      el("td", { className: "nowrap wide" }, momentOf(fault.last_at, session.tz)),
    ),
  );
  const since = from && `Only what came since ${momentOf(from, session.tz)} is counted: there is more.`;
  return [
    table(FAULT_COLUMNS, el("tbody", rows), { className: "faults", "aria-label": "Faults" }),
    since && el("p", { className: "fine" }, since),
  ].filter(Boolean);
}

const keyLink = ({ key_id: key, key_name: name }, asked) =>
  el("a", { href: unbookedLink({ ...asked, key }) }, keyLabel(key, name));
export const keyLabel = (key, name) => (name ? `${name} (${key})` : key || "no known key");

const faultLink = ({ fault, outcome, key_id: key }, asked) =>
  el("a", { href: unbookedLink({ ...asked, outcome, key, reason: fault }) }, fault);

function unbookedRow(row) {
  const { recorded_at: at, source, id, outcome, reason, size, key_id: key, key_name: name } = row;
  return el(
    "tr",
    el("td", { className: "nowrap" }, momentOf(at, session.tz)),
    el(
      "td",
      id ? el("a", { href: link("event", { source, id }) }, id) : valueLabel(""),
      el("small", ` ${source}`),
    ),
    el("td", statusBadge(outcome), ` ${reason}`, remedy(row)),
    el("td", { className: "wide" }, keyLabel(key, name)),
    el("td", { className: "figure wide", title: row.sha256 ? `sha256 ${row.sha256}` : "" }, count(size)),
  );
}

function remedy({ booked_instead: instead, what_to_do: todo, outcome, source, id, recorded_at: at }) {
  if (instead) {
    const name = el("a", { href: link("event", instead) }, `${instead.source}/${instead.id}`);
    return el("small", " booked instead: ", name);
  }
  const again =
    id && outcome !== "duplicate" && el("a", { href: link("resubmit", { source, id, at }) }, "Send it again");
  return el("small", ` ${todo} `, again);
}
