// Questions that are saved by name: as the API has them, and as addresses of the breakdown.

import { call, get, isTrouble, mayGovern } from "./api.js";
import { el } from "./dom.js";
import { actForm, field, textInput } from "./forms.js";
import { filtersOf, link } from "./links.js";
import { USUAL_RANGE } from "./ranges.js";
import { RARE_BEATS, everyNth } from "./refresh.js";
import { pressOnce } from "./pieces.js";
import { copyButton } from "./tools.js";

const PATH = "/v1/spend";
// Ranges that mean the same here and in the API; the others are saved as they stand.
const RANGES = {
  "1h": "last_hour",
  "24h": "last_24_hours",
  today: "today",
  "7d": "last_7_days",
  "30d": "last_30_days",
  month: "month_to_date",
};
const SHOWN_HERE = ["range", "from", "to", "group_by", "compare"];

// What the page asks, as the API is asked; without the period before, where there is none chosen.
export function questionOf(query, { by, split }) {
  const asked = new URLSearchParams();
  if (query.get("from")) for (const name of ["from", "to"]) asked.set(name, query.get(name));
  else asked.set("range", RANGES[query.get("range")] ?? RANGES[USUAL_RANGE]);
  asked.set("group_by", [by, split].filter(Boolean).join(","));
  if (["previous", "month"].includes(query.get("compare"))) asked.set("compare", query.get("compare"));
  for (const [name, values] of Object.entries(filtersOf(query)))
    for (const value of values) asked.append(`filter.${name}`, value);
  return asked.toString();
}

// Null: it asks for what the breakdown does not show, and nothing is shown in its place.
export function addressOf({ path, question }) {
  const asked = new URLSearchParams(question);
  const beyond = [...asked.keys()].some((name) => !SHOWN_HERE.includes(name) && !name.startsWith("filter."));
  const [by = "", split = "", ...more] = (asked.get("group_by") ?? "").split(",").map((each) => each.trim());
  const range = Object.keys(RANGES).find((name) => RANGES[name] === asked.get("range"));
  const instants = ["from", "to"].map((name) => asked.get(name) ?? "");
  const exact = instants.every((text) => /T.*(Z|[+-]\d{2}:?\d{2})$/.test(text));
  if (path !== PATH || beyond || more.length || !by || (!range && !exact)) return null;
  const span = range ? { range } : { from: instants[0], to: instants[1] };
  const compare = asked.get("compare") ?? undefined;
  return link("explore", { ...span, by, split, compare, filters: filtersOf(asked) });
}

// `questionNow()`: what the page asks now, as it would be saved.
export function savedViews(questionNow) {
  const list = el("ul", { className: "rows" });
  const refusal = el("p", { className: "bad", role: "alert" });
  const name = textInput({ maxLength: 200, required: true, placeholder: "Spend by team" });
  const form = mayGovern()
    ? actForm({ name: "Save this view", fields: field("Name", name), label: "Save", work: save })
    : null;
  const element = el("details", { className: "views" }, el("summary", "Saved views"), list, refusal, form);
  const due = everyNth(RARE_BEATS * 4);

  async function save() {
    const body = { name: name.value.trim(), path: PATH, question: questionNow() };
    await call("POST", "/v1/views", body);
    name.value = "";
    await read();
    return `Saved for everybody: ${body.name}.`;
  }

  async function read() {
    const { views } = await get("/v1/views");
    const rows = views.map((view) => viewRow(view, remove));
    list.replaceChildren(...(rows.length ? rows : [el("li", { className: "fine" }, "None is saved yet.")]));
  }

  async function remove({ id }) {
    await call("DELETE", `/v1/views/${id}`);
    await read();
  }

  // A list that cannot be read is a list that is not there: figures beside it stand.
  async function refresh() {
    if (!due()) return;
    try {
      await read();
      refusal.replaceChildren();
    } catch (error) {
      if (!isTrouble(error)) throw error;
      refusal.replaceChildren(`${error.message}.`);
    }
  }
  return { element, refresh };
}

function viewRow(view, remove) {
  const address = addressOf(view);
  const refusal = el("span", { className: "bad", role: "alert" });
  const refused = (error) => refusal.replaceChildren(` ${error.message}`);
  const press = () => pressOnce([button], () => remove(view), refused);
  const button = el(
    "button",
    { className: "quiet", "aria-label": `Remove the view ${view.name}`, on: { click: press } },
    "Remove",
  );
  return el(
    "li",
    { className: "request" },
    address ? el("a", { href: address }, view.name) : el("b", view.name),
    " ",
    el("small", address ? view.by : `${view.by} · asks what this page does not show: ${view.question}`),
    address ? null : copyButton("Copy its address", () => `${location.origin}${view.href}`),
    mayGovern() && button,
    refusal,
  );
}
