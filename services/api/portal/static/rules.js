// The rules by which a tenant is watched: which are on, what of them is not as everybody has it.

import { get, session } from "./api.js";
import { card } from "./cards.js";
import { el, part, setText, updateChildren } from "./dom.js";
import { link } from "./links.js";

import { SLOW_BEATS, cardRefresher, everyNth } from "./refresh.js";
import { written } from "./rule-form.js";

export function rulesPage() {
  const rows = el("ul", { className: "rows" });
  const rules = card("Rules", "rules", rows);
  const due = everyNth(SLOW_BEATS);

  function show({ rules: list }) {
    updateChildren(
      rows,
      list,
      ({ id }) => id,
      makeRule,
      (item, rule) => showRule(item, rule),
    );
    setText(part(rules, "fine"), `Amounts are in ${session.currency}. Budgets are beside these.`);
  }

  const refresh = cardRefresher([rules], { ask: () => get("/v1/rules"), show });
  const element = el("div", rules);
  return {
    element,
    refresh: async () => (due() ? (await refresh()).answer && null : null),
    timeless: true,
  };
}

const makeRule = ({ id }) =>
  el(
    "li",
    { className: "request" },
    el("span", { className: "badge", "data-part": "state" }),
    " ",
    el("a", { className: "name", "data-part": "name", href: link("rule", { id }) }),
    el("small", { className: "line", "data-part": "means" }),
    el("small", { className: "line", "data-part": "words" }),
  );

function showRule(item, rule) {
  setText(part(item, "state"), rule.enabled ? "on" : "off");
  part(item, "state").dataset.state = rule.enabled ? "" : "warn";
  setText(part(item, "name"), rule.name);
  setText(part(item, "means"), rule.means);
  setText(part(item, "words"), [rule.severity, ...scopeOf(rule), ...changedOf(rule)].join(" · "));
}

const scopeOf = ({ filter }) => Object.entries(filter).map(([name, value]) => `${name} ${value}`);

const changedOf = ({ settings }) =>
  Object.entries(settings)
    .filter(([, { value, default: usual }]) => written(value) !== written(usual))
    .map(([name, { value }]) => `${name} ${written(value)}`);
