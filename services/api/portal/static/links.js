// Places within the portal: everything a page shows is in its address, but never a key.

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
