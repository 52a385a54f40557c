// Of which month, and to the values of which dimension: what every page about allocation is asked.

import { get, session } from "./api.js";
import { el } from "./dom.js";
import { DIMENSIONS, dimensionLabel, link } from "./links.js";
import { monthChoice, monthOf } from "./months.js";

const USUAL = "team";

// `more`: what else of the address goes on, beside the instant as of which it is told. `monthly`: whether a
// month is asked for.
export function allocationChoices(path, query, { more = {}, monthly = true } = {}) {
  const chosen = {
    month: monthOf(query, session.tz),
    dimension: query.get("dimension") || USUAL,
    as_of: query.get("as_of") ?? undefined,
  };
  const go = (changed) =>
    (location.hash = link(path, {
      ...chosen,
      ...(monthly ? {} : { month: undefined }),
      ...more,
      ...changed,
    }));
  const dimension = el("select", {
    on: { change: ({ target }) => go({ dimension: target.value }) },
  });
  const offer = (names) =>
    dimension.replaceChildren(
      ...[...new Set([...names, chosen.dimension])].map((name) =>
        el("option", { value: name, selected: name === chosen.dimension }, dimensionLabel(name)),
      ),
    );
  offer(DIMENSIONS);
  // The tenant's own join as soon as they are known; without them the page is what it is.
  get("/v1/dimensions").then(
    ({ own }) => offer([...DIMENSIONS, ...own.map(({ name }) => name)]),
    () => {},
  );
  const element = el(
    "div",
    { className: "controls" },
    monthly && monthChoice({ tz: session.tz, chosen: chosen.month, change: (month) => go({ month }) }),
    el("label", "to each ", dimension),
  );
  return { element, chosen };
}
