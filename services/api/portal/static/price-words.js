// What sets the prices of one model apart, in words and in order.

// The conditions without their dates: what sets prices of one instant apart.
export const lastingConditions = (conditions) =>
  conditions
    .split("; ")
    .filter((each) => !/^(from|until) \d{4}-/.test(each))
    .join("; ");

export const scopeWords = ({ layer, contract, tenant, kind }) =>
  [kind, layer, contract, tenant && "this tenant alone"].filter(Boolean);

// What nearly everybody looks for comes first.
const FIRST = ["output_tokens", "input_tokens"];
export const byUnit = ({ entry: a }, { entry: b }) =>
  FIRST.indexOf(b.unit) - FIRST.indexOf(a.unit) || a.unit.localeCompare(b.unit);
