// Whoever sees one team: the pages that the API opens to them, and why it keeps the others shut. What each of
// the others would tell of everybody else stands in docs/decisions/teams.md.

import { seesAll, session } from "./api.js";
import { el } from "./dom.js";
import { link } from "./links.js";
import { PLACES } from "./places.js";

const OPEN = new Set(["", "explore", "units", "events", "changed", "budgets", "budget"]);
const SEVERAL = "is added up of what several teams do together, so it cannot be shown of one alone";
const EVERYBODY = "is reckoned of what everybody spends, so one team's part of it would tell of the others";
const SETTINGS = "is of the whole organisation, and no team's own";
const WHY = {
  event: `A receipt ${SEVERAL}: copies and corrections of an event may be of another team`,
  run: `What one answer cost, all in, ${SEVERAL}`,
  incidents: `What is wrong ${SEVERAL}: an incident may take in what happened to another team`,
  agents: `What coding agents cost ${SEVERAL}`,
  outcomes: `What a solved case costs ${SEVERAL}: a run counts under one team, whoever worked in it`,
  models: `What another model would cost ${EVERYBODY}`,
  allocation: `Who pays for what ${EVERYBODY}`,
  statement: "A statement holds a share of what all use: somebody who sees everything hands it on",
  plan: `How shared cost is handed on ${SETTINGS}`,
  export: `An export ${SETTINGS}`,
  catalog: `The price catalog ${SETTINGS}`,
  quality: `How complete the book is ${EVERYBODY}`,
  channels: `What is set here ${SETTINGS}`,
};

export const isOpen = (path) => seesAll() || OPEN.has(path);

// The places of the rail that there are for whoever is logged in, each with its tabs that are open.
export const openPlaces = () => PLACES.filter(({ path }) => isOpen(path)).map(withOpenTabs);

export const withOpenTabs = (place) => {
  const tabs = Object.entries(place.tabs ?? {}).filter(([path]) => isOpen(path));
  return { ...place, tabs: tabs.length > 1 ? Object.fromEntries(tabs) : undefined };
};

// A page in place of one that is shut: why, and where one's own spend stands. It asks nothing.
export const shutPage = (path, place) => () => {
  const element = el(
    "section",
    { className: "card", role: "status" },
    el("h1", place.tabs?.[path] ?? place.label),
    el("p", `You see the team ${session.team} alone. ${WHY[path] ?? WHY[place.path]}.`),
    el("p", el("a", { href: link("explore", { by: "sku" }) }, `What ${session.team} spends`)),
  );
  return { element, refresh: async () => null, timeless: true };
};
