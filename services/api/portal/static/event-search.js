// Events are looked for by their id, or by what they say of themselves.

import { get, seesAll } from "./api.js";
import { el } from "./dom.js";
import { field, textInput } from "./forms.js";
import { DIMENSIONS, dimensionLabel, link } from "./links.js";

// `range`, `filters`: of the page, which a search for events keeps.
export function eventSearch({ range, filters }) {
  const source = textInput({ name: "source", maxLength: 256, required: true, spellcheck: false });
  const id = textInput({ name: "id", maxLength: 256, required: true, spellcheck: false });
  const dimension = el("select", { name: "dimension" });
  const value = textInput({ name: "value", maxLength: 256, placeholder: "(none)" });
  const offer = (names) =>
    dimension.replaceChildren(...names.map((name) => el("option", { value: name }, dimensionLabel(name))));
  offer(DIMENSIONS);
  // The tenant's own join as soon as they are known; without them the form is what it is.
  if (seesAll())
    get("/v1/dimensions").then(
      ({ own }) => own.length && offer([...DIMENSIONS, ...own.map(({ name }) => name)]),
      () => {},
    );

  const submit = (go) => (event) => {
    event.preventDefault();
    location.hash = go();
  };
  const one = () => link("event", { source: source.value, id: id.value });
  function many() {
    const values = [...new Set([...(filters[dimension.value] ?? []), value.value.trim()])];
    return link("events", { ...range, filters: { ...filters, [dimension.value]: values } });
  }
  return el(
    "details",
    { className: "search", open: !Object.keys(filters).length },
    el("summary", "Look for events"),
    el(
      "form",
      { className: "fields", "aria-label": "Events that say", on: { submit: submit(many) } },
      field("Events whose", dimension),
      field("is", value),
      el("button", { className: "primary" }, "List them"),
    ),
    seesAll() &&
      el(
        "form",
        { className: "fields", "aria-label": "One event", on: { submit: submit(one) } },
        field("or one event: its source", source),
        field("and its id", id),
        el("button", "Show its receipt"),
      ),
  );
}
