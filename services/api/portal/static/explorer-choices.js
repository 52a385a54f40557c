// What the explorer is asked: by which dimension, split by which, and of what alone, as chips.

import { get, seesAll } from "./api.js";
import { el } from "./dom.js";
import { DIMENSIONS, dimensionLabel, filtersOf, link } from "./links.js";
import { filterChips } from "./pieces.js";
import { rangeOf } from "./ranges.js";
import { RARE_BEATS, everyNth } from "./refresh.js";

// `path`: of the page that they are of; that of the spend alone is split.
export function explorerChoices(query, path = "explore") {
  const by = choice("by", (value) => ({ by: value }));
  const split = choice("split", (value) => ({ split: value || undefined }));
  const field = el("select", { "aria-label": "Only where" });
  const value = el("input", { size: 14, "aria-label": "is", placeholder: "value" });
  const chips = el("p", { className: "chips" });
  const due = everyNth(RARE_BEATS * 4);
  const add = el(
    "details",
    { className: "adding" },
    el("summary", "Add a filter"),
    el("form", { className: "controls", on: { submit: addFilter } }, field, value, el("button", "Add")),
  );
  const element = el(
    "div",
    { className: "choosing" },
    el(
      "div",
      { className: "controls" },
      path !== "models" && el("label", "by ", by),
      path === "explore" && el("label", "split by ", split),
      add,
    ),
    chips,
  );
  let offered = DIMENSIONS;

  function choice(name, changed) {
    return el("select", {
      id: name,
      on: { change: ({ target }) => (location.hash = here(changed(target.value))) },
    });
  }

  const chosen = () => {
    const wanted = query().get("by") || "team";
    const other = query().get("split") ?? "";
    return { by: wanted, split: other === wanted ? "" : other };
  };

  // The same page with something else in its address.
  const here = (changed) => {
    const { by: wanted, split: other } = chosen();
    const filters = filtersOf(query());
    return link(path, { ...rangeOf(query()), by: wanted, split: other, filters, ...changed });
  };

  function addFilter(event) {
    event.preventDefault();
    const filters = filtersOf(query());
    const values = [...new Set([...(filters[field.value] ?? []), value.value.trim()])];
    value.value = "";
    add.open = false;
    location.hash = here({ filters: { ...filters, [field.value]: values } });
  }

  // Made anew only where others are offered: a list that is open stays.
  function offer(select, names, none) {
    const shown = [...select.options].map((option) => option.value).join();
    const values = none ? ["", ...names] : names;
    if (shown !== values.join())
      select.replaceChildren(
        ...values.map((name) => el("option", { value: name }, name ? dimensionLabel(name) : none)),
      );
  }

  function show() {
    const { by: wanted, split: other } = chosen();
    const names = [...new Set([...offered, wanted, ...(other ? [other] : [])])];
    offer(by, names);
    offer(split, names, "nothing");
    offer(field, names);
    by.value = wanted;
    split.value = other;
    chips.replaceChildren(...filterChips(filtersOf(query()), (kept) => here({ filters: kept })));
  }

  // The tenant's own dimensions join the choice as soon as they are known.
  async function refresh() {
    if (!seesAll() || !due()) return;
    const { own } = await get("/v1/dimensions").catch(() => ({ own: [] }));
    offered = [...DIMENSIONS, ...own.map(({ name }) => name)];
    show();
  }

  return { element, chosen, show, refresh };
}
