// One pool of a plan as fields: what it takes, and the rule by which that is handed on.

import { el } from "./dom.js";
import { Mistyped, choice, field, linesFrom, linesInput, linesOf, pairsOf, textInput } from "./forms.js";

const RULES = {
  proportional: "in proportion to what was measured",
  even: "one part each",
  fixed: "agreed parts, the rest stays",
  weighted: "agreed weights, all of it",
};
// Which fields each rule reads.
const READS = {
  proportional: ["driver", "driverFilter", "among"],
  even: ["among"],
  fixed: ["weights", "pools", "of"],
  weighted: ["weights", "pools"],
};
const NEW = {
  name: "",
  filter: {},
  rule: "proportional",
  driver: null,
  among: [],
  weights: {},
  pools: {},
  of: null,
};

// `remove(pool)`: with what this resolves to, {element, read}. `read()` is the pool as the API has it, and
// raises Mistyped.
export function poolFields(stated = NEW, remove) {
  const name = textInput({ value: stated.name, maxLength: 200, required: true });
  const filter = linesInput({
    value: linesFrom(stated.filter),
    placeholder: "provider = pinecone\nteam =",
  });
  const rule = choice(RULES, { chosen: stated.rule, on: { change: showFields } });
  const inputs = {
    driver: textInput({ value: stated.driver?.measure ?? "", placeholder: "requests" }),
    driverFilter: linesInput({
      value: linesFrom(stated.driver?.filter ?? {}),
      placeholder: "cost_class = model",
    }),
    among: linesInput({ value: stated.among.join("\n"), placeholder: "everybody" }),
    weights: linesInput({ value: linesFrom(stated.weights), placeholder: "search = 60" }),
    pools: linesInput({ value: linesFrom(stated.pools), placeholder: "none" }),
    of: textInput({ value: stated.of ?? "", inputMode: "numeric", placeholder: "100" }),
  };
  const fields = {
    driver: field("Measured by: effective, events or a unit", inputs.driver),
    driverFilter: field("of events where, a line each", inputs.driverFilter),
    among: field("Among these alone, a line each", inputs.among),
    weights: field("Weights, a line each", inputs.weights),
    pools: field("and to other pools, a line each", inputs.pools),
    of: field("Of so many parts", inputs.of),
  };

  function showFields() {
    for (const [each, shown] of Object.entries(fields)) shown.hidden = !READS[rule.value].includes(each);
  }

  function read() {
    const reads = (each) => READS[rule.value].includes(each);
    return {
      name: name.value.trim(),
      filter: pairsOf(filter, "What it takes"),
      rule: rule.value,
      ...(reads("driver") && inputs.driver.value.trim() ? { driver: readDriver() } : {}),
      ...(reads("among") ? { among: linesOf(inputs.among) } : {}),
      ...(reads("weights") ? { weights: numbersOf(inputs.weights, "Weights") } : {}),
      ...(reads("pools") ? { pools: numbersOf(inputs.pools, "To other pools") } : {}),
      ...(reads("of") && inputs.of.value.trim()
        ? { of: whole(inputs.of.value.trim(), "Of so many parts") }
        : {}),
    };
  }

  const readDriver = () => ({
    measure: inputs.driver.value.trim(),
    filter: pairsOf(inputs.driverFilter, "Of events where"),
  });

  const pool = { read };
  const element = el(
    "fieldset",
    { className: "fields pool", "aria-label": stated.name ? `Pool ${stated.name}` : "A new pool" },
    field("Name of the pool", name),
    field("Handed on", rule),
    field('What it takes, a line each; nothing after "=" is events without one', filter),
    Object.values(fields),
    el("button", { type: "button", on: { click: () => remove(pool) } }, "Take this pool out"),
  );
  showFields();
  return Object.assign(pool, { element });
}

const numbersOf = (input, label) =>
  Object.fromEntries(
    Object.entries(pairsOf(input, label, { last: true })).map(([name, text]) => [name, whole(text, label)]),
  );

function whole(text, label) {
  if (!/^\d{1,9}$/.test(text)) throw new Mistyped(`${label}: "${text}" must be a whole number`);
  return Number(text);
}
