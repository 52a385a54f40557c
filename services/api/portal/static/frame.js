// What stands around every page: the rail, the parts of a page, the one range and what it is held against,
// how fresh the figures are, and whose they are.

import { session } from "./api.js";
import { TOLD, asOfChoice, showProved, showStood } from "./as-of.js";
import { el, setText } from "./dom.js";
import { completeness, inFlight, money } from "./format.js";
import { link } from "./links.js";
import { openPlaces, withOpenTabs } from "./one-team.js";
import { placeOf } from "./places.js";
import { COMPARISONS, RANGES, comparisonOf, rangeOf, rangeProblem, spanInWords, spanOf } from "./ranges.js";
import { USUAL_RANGE } from "./ranges.js";
import { icon } from "./icons.js";
import { copyButton } from "./tools.js";

const byId = (id) => document.getElementById(id);
const [rail, tabs, controls, live, account] = ["rail", "tabs", "controls", "live", "account"].map(byId);
const CUSTOM = "custom";

export function showFrame(loggedIn, { logOut, chooseTenant }) {
  for (const each of [rail, byId("top")]) each.hidden = !loggedIn;
  document.body.classList.toggle("framed", loggedIn);
  if (!loggedIn) {
    tabs.hidden = true;
    return;
  }
  byId("tenant").replaceChildren(tenantChoice(chooseTenant) ?? "");
  account.replaceChildren(
    copyButton("Copy link", () => location.href),
    el("a", { className: "quiet", href: "/docs" }, "API"),
    el("button", { id: "log-out", className: "quiet", on: { click: logOut } }, "Log out"),
  );
}

function tenantChoice(chooseTenant) {
  if (!session.operator)
    return [session.tenants[0]?.name, session.team && `team ${session.team}`].filter(Boolean).join(" · ");
  const names = session.tenants.map(({ tenant, name }) =>
    el("option", { value: tenant, selected: tenant === session.tenant }, name),
  );
  return el("select", { "aria-label": "Tenant", on: { change: chooseTenant } }, names);
}

// The page at an address: where it lies, and the range that goes with it to the next.
export function showPlace(path, query, { ranged, compared }) {
  const place = withOpenTabs(placeOf(path));
  const kept = rangeOf(query);
  const more = el(
    "button",
    { className: "more", "aria-expanded": "false", on: { click: unfold } },
    icon(MORE),
    "More",
  );
  rail.replaceChildren(
    el(
      "a",
      { className: "mark", href: "#/" },
      el("img", { src: "/portal/icon.svg", alt: "", width: 26, height: 26 }),
      "Spendmeter",
    ),
    ...openPlaces().map((each) => placeLink(each, each.path === place.path, kept)),
    more,
  );
  rail.classList.remove("unfolded");
  tabs.hidden = !place.tabs;
  tabs.replaceChildren(
    ...Object.entries(place.tabs ?? {}).map(([to, label]) => tabLink(to, label, path, kept)),
  );
  controls.replaceChildren(
    ...(ranged ? [rangeChoice(path, query)] : []),
    ...(compared ? [comparisonChoice(path, query)] : []),
    ...(Object.hasOwn(TOLD, path) ? [asOfChoice(query, (at) => stand(path, query, at))] : []),
  );
  showStood(path, query, withAsOf(path, query, undefined));
  const part = place.tabs?.[path];
  document.title = `${part && part !== place.label ? `${place.label}: ${part}` : place.label} · Spendmeter`;
}

const MORE = "M5 12h.01M12 12h.01M19 12h.01";

function unfold({ currentTarget }) {
  const unfolded = rail.classList.toggle("unfolded");
  currentTarget.setAttribute("aria-expanded", String(unfolded));
}

const placeLink = ({ path, label, icon: shape, later }, current, kept) =>
  el(
    "a",
    {
      className: later ? "place later" : "place",
      href: link(path, kept),
      "aria-current": current ? "page" : undefined,
    },
    icon(shape),
    el("span", label),
  );

const tabLink = (to, label, path, kept) =>
  el("a", { href: link(to, kept), "aria-current": to === path ? "page" : undefined }, label);

// The same address with another range; a page of pages begins anew.
const withRange = (path, query, range) => {
  const rest = Object.fromEntries(
    [...query].filter(([name]) => !["range", "from", "to", "compare", "as_of"].includes(name)),
  );
  const filters = {};
  for (const name of query.keys())
    if (name.startsWith("filter.")) filters[name.slice(7)] = query.getAll(name);
  const plain = Object.fromEntries(Object.entries(rest).filter(([name]) => !name.startsWith("filter.")));
  return link(path, { ...range, ...plain, filters });
};

const withAsOf = (path, query, at) => withRange(path, query, { ...rangeOf(query), as_of: at });
const stand = (path, query, at) => (location.hash = withAsOf(path, query, at));

function rangeChoice(path, query) {
  const custom = Boolean(query.get("from")) && !rangeProblem(query);
  const chosen = custom ? CUSTOM : (query.get("range") ?? USUAL_RANGE);
  const { compare, as_of } = rangeOf(query);
  const options = Object.entries(RANGES).map(([value, label]) =>
    el("option", { value, selected: value === chosen }, label),
  );
  if (custom) {
    const words = spanInWords(spanOf(query, session.tz), session.tz);
    options.push(el("option", { value: CUSTOM, selected: true }, words));
  }
  const change = ({ target }) => {
    if (target.value === CUSTOM) return;
    location.hash = withRange(path, query, { range: target.value, compare, as_of });
  };
  return el("select", { id: "range", "aria-label": "Range", on: { change } }, options);
}

function comparisonChoice(path, query) {
  const options = Object.entries(COMPARISONS).map(([value, label]) =>
    el("option", { value, selected: value === comparisonOf(query) }, label),
  );
  const change = ({ target }) =>
    (location.hash = withRange(path, query, { ...rangeOf(query), compare: target.value }));
  return el(
    "label",
    { className: "against", title: "What it is compared with" },
    el("span", "against "),
    el("select", { id: "compare", on: { change } }, options),
  );
}

// Once a page: up to when figures are complete, and what of them may still change.
export function showProgress(answer) {
  live.hidden = !answer;
  if (!answer) return;
  showProved(answer);
  const { complete_through: through, of_which_provisional: provisional = "0", currency } = answer;
  const behind = !answer.as_of && answer.in_flight !== 0;
  live.classList.toggle("behind", behind || !(through || answer.as_of));
  const complete = through ? `${completeness(through, session.tz)} ${session.tz}` : "catching up";
  const words = [answer.as_of ? "as it stood" : complete];
  if (behind) words.push(`in flight ${inFlight(answer)}`);
  if (currency)
    words.push(provisional === "0" ? "nothing provisional" : `${money(provisional, currency)} provisional`);
  if (answer.unpriced_events) words.push(`${answer.unpriced_events} events without a price`);
  setText(live, words.join(" · "));
}

export const showTrouble = (text) => {
  byId("trouble").hidden = !text;
  setText(byId("trouble"), text);
  document.body.classList.toggle("stale", Boolean(text));
};
