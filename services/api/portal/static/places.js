// The places of the rail, in the order in which people look; only what there is. The first place of `tabs`
// is its own; `later`: folded away on a
// phone; `below`: pages that are reached from it and have no name in the rail.

const LINE = "M4 19h16M6 15l4-5 4 3 5-7";

export const PLACES = [
  { path: "", label: "Overview", icon: "M4 13h6V4H4zM14 20h6v-9h-6zM4 20h6v-4H4zM14 8h6V4h-6z" },
  {
    path: "explore",
    label: "Explore",
    icon: LINE,
    tabs: { explore: "Spend", units: "Unit costs", events: "Events", run: "One answer" },
    below: ["event"],
  },
  {
    path: "changed",
    later: true,
    label: "What changed",
    icon: "M4 20v-6h4v6M10 14V8h4v6M16 8V4h4v4M8 14h2M14 8h2",
  },
  { path: "budgets", label: "Budgets", icon: "M12 3v9l6 6M21 12a9 9 0 1 1-9-9", below: ["budget"] },
  {
    path: "incidents",
    label: "Incidents",
    icon: "M12 4 2.5 20h19zM12 10v4M12 17v.5",
    below: ["incident"],
  },
  {
    path: "agents",
    later: true,
    label: "Coding agents",
    icon: "M8 8l-4 4 4 4M16 8l4 4-4 4M13.500 6l-3 12",
  },
  { path: "outcomes", later: true, label: "Outcomes", icon: "M5 12.500l4.500 4.500L19 7.500" },
  {
    path: "models",
    later: true,
    label: "Models",
    icon: "M5 19V9M12 19V4M19 19v-7M3 19h18",
    tabs: { models: "Own traffic", estimate: "Traffic to come", decisions: "Decisions" },
  },
  {
    path: "allocation",
    later: true,
    label: "Allocation",
    icon: "M12 4v6M12 10l-7 5M12 10l7 5M12 10v5M3 17h4v3H3zM10 17h4v3h-4zM17 17h4v3h-4z",
    tabs: {
      allocation: "Who pays",
      statement: "Statements",
      invoices: "Invoices",
      "true-ups": "Terms of periods",
      plan: "Plan",
      export: "Export",
    },
  },
  {
    path: "catalog",
    later: true,
    label: "Prices",
    icon: "M12 3v18M16.500 7.500C15 4 8 4.500 7.500 8.300c0 4.700 9 2.400 9 7.200C16 20 8.500 20 7 16",
    tabs: { catalog: "Catalog", changes: "Changes", inbox: "Inbox" },
    below: ["model", "proposal"],
  },
  {
    path: "quality",
    later: true,
    label: "Data quality",
    icon: "M12 3l7 3v6c0 4.500-3 7.500-7 9-4-1.500-7-4.500-7-9V6zM9 12l2.200 2.200L15.500 10",
    tabs: { quality: "Accounting", unbooked: "Not booked", corrections: "Corrections" },
    below: ["resubmit", "rerate"],
  },
  {
    path: "channels",
    later: true,
    label: "Settings",
    icon: "M4 7h9M17 7h3M4 17h3M11 17h9M15 4.500v5M9 14.500v5",
    tabs: {
      channels: "Channels",
      rules: "Rules",
      keys: "Keys",
      dimensions: "Dimensions",
      terms: "Terms",
      privacy: "Privacy",
      audit: "Audit",
    },
    below: ["channel", "rule"],
  },
];

export const placeOf = (path) =>
  PLACES.find(
    ({ path: own, tabs = {}, below = [] }) =>
      own === path || Object.hasOwn(tabs, path) || below.includes(path),
  );
