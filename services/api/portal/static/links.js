// Places within the portal: everything a page shows is in its address, but never a key.

import { daysBefore, iso, wholeMinute } from "./format.js";

// Those that are built in; a tenant has its own besides.
export const DIMENSIONS = [
  "team",
  "project",
  "feature",
  "workflow",
  "workflow_version",
  "agent",
  "environment",
  "provider",
  "sku",
  "cost_class",
  "key_id",
];
export const RANGES = {
  "1h": "Last hour",
  today: "Today",
  "24h": "24 hours",
  "7d": "7 days",
  "30d": "30 days",
};
const DAYS = { "24h": 1, "7d": 7, "30d": 30 };
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

export const dimensionLabel = (name) => name.replaceAll("_", " ");
export const valueLabel = (value) => (value === "" ? "(none)" : value);

// {range | from, to; by; filters: {team: ["a"]}; anything else} as an address.
export function link(path, { filters = {}, ...rest } = {}) {
  const given = Object.entries(rest).filter(
    ([, value]) => value !== undefined && value !== null && value !== "",
  );
  const query = new URLSearchParams(given);
  for (const [name, values] of Object.entries(filters))
    for (const value of values) query.append(`filter.${name}`, value);
  const text = query.toString();
  return `#/${path}${text ? `?${text}` : ""}`;
}

// What was not booked; the key "" is none known, which is another question than any.
export function unbookedLink({ key, ...rest } = {}) {
  const address = link("unbooked", rest);
  if (key === undefined || key === null) return address;
  return `${address}${address.includes("?") ? "&" : "?"}key=${encodeURIComponent(key)}`;
}

export function filtersOf(query) {
  const filters = {};
  for (const key of query.keys())
    if (key.startsWith("filter.")) filters[key.slice("filter.".length)] = query.getAll(key);
  return filters;
}

// Of a budget or an incident, which give one value for a dimension. Runs and users are none of spend.
export const scopeFilters = (scope) =>
  Object.fromEntries(
    Object.entries(scope)
      .filter(([name]) => name !== "run" && name !== "user")
      .map(([name, value]) => [name, [value]]),
  );

export const filterParameters = (filters) =>
  Object.fromEntries(Object.entries(filters).map(([name, values]) => [`filter.${name}`, values]));

// [from, to) in ms of an address's range, as of now.
export function spanOf(query, tz, now = Date.now()) {
  if (query.get("from") && query.get("to"))
    return [Date.parse(query.get("from")), Date.parse(query.get("to"))];
  const end = wholeMinute(now) + 60_000;
  if (query.get("range") === "1h") return [end - HOUR_MS, end];
  const days = DAYS[query.get("range")];
  if (days === 1) return [end - DAY_MS, end];
  return [daysBefore(now, days ? days - 1 : 0, tz, true), end];
}

// What is wrong with the range of an address that somebody wrote; "" = nothing.
export function rangeProblem(query) {
  if (!query.get("from") && !query.get("to")) return "";
  const wrong = ["from", "to"].find((name) => Number.isNaN(Date.parse(query.get(name) ?? "")));
  if (wrong) return `${wrong} must be an instant, as 2026-11-25T10:00:00Z`;
  return Date.parse(query.get("from")) < Date.parse(query.get("to")) ? "" : "from must be before to";
}

export const rangeName = (query, describe) =>
  query.get("from") ? describe() : (RANGES[query.get("range") ?? "today"] ?? RANGES.today);

export const rangeOf = (query) =>
  query.get("from")
    ? { from: query.get("from"), to: query.get("to") }
    : { range: query.get("range") ?? "today" };

export const spanParameters = ([from, to]) => ({ from: iso(from), to: iso(to) });
