// The form that changes a rule, made from what the API says of its settings; and what is tried of it.

import { call } from "./api.js";
import { el } from "./dom.js";
import { pressOnce } from "./pieces.js";

export const written = (value) => (Array.isArray(value) ? value.join(", ") : value);

// `changed(rule)`: called with what it has become. `tried(run)`: with a dry run that was asked for.
export function ruleForm(rule, { changed, tried }) {
  const inputs = Object.entries(rule.settings).map(([name, setting]) => settingInput(name, setting));
  const enabled = el("input", { type: "checkbox", checked: rule.enabled });
  const severity = el(
    "select",
    ["info", "warning", "critical"].map((each) =>
      el("option", { value: each, selected: each === rule.severity }, each),
    ),
  );
  const reason = el("input", { required: true, maxLength: 500, size: 50 });
  const refusal = el("p", { className: "bad", role: "alert" });
  const save = el("button", { className: "primary" }, "Save");
  const trial = el("button", { type: "button", on: { click: submitTrial } }, "Try it on the last 7 days");
  const settings = () => Object.fromEntries(inputs.map(({ name, read }) => [name, read()]));
  const refused = (error) => refusal.replaceChildren(error.message);

  function submit(submitted) {
    submitted.preventDefault();
    refusal.replaceChildren();
    pressOnce([save, trial], change, refused);
  }

  async function change() {
    const body = {
      enabled: enabled.checked,
      severity: severity.value,
      settings: settings(),
      reason: reason.value.trim(),
      revision: rule.revision,
    };
    await changed(await call("PATCH", `/v1/rules/${encodeURIComponent(rule.id)}`, body));
  }

  function submitTrial() {
    refusal.replaceChildren();
    pressOnce([trial], tryIt, refused);
  }

  async function tryIt() {
    const path = `/v1/rules/${encodeURIComponent(rule.id)}/dry-run`;
    await tried(await call("POST", path, { settings: settings() }));
    trial.disabled = false;
  }

  return el(
    "form",
    { className: "decision", "aria-label": "Change the rule", on: { submit } },
    el("label", { className: "line" }, enabled, " On"),
    el("label", { className: "line" }, "Severity ", severity),
    inputs.map(({ element }) => element),
    el("label", { className: "line" }, "Why ", reason),
    el("div", { className: "line" }, save, " ", trial),
    refusal,
  );
}

function settingInput(name, setting) {
  if (setting.type === "choices") return choicesInput(name, setting);
  const input = el("input", {
    value: setting.value,
    size: 12,
    inputMode: "decimal",
    autocomplete: "off",
  });
  const most = setting.most ? ` to ${setting.most}` : "";
  const element = el(
    "label",
    { className: "line" },
    `${name} `,
    input,
    el("small", ` ${setting.means}; from ${setting.least}${most}, default ${setting.default}`),
  );
  return { name, element, read: () => input.value.trim() || null };
}

function choicesInput(name, { value, choices, means }) {
  const boxes = choices.map((each) =>
    el("input", { type: "checkbox", value: each, checked: value.includes(each) }),
  );
  const element = el(
    "fieldset",
    el("legend", `${name}: ${means}`),
    boxes.map((box) => el("label", box, ` ${box.value} `)),
  );
  return {
    name,
    element,
    read: () => boxes.filter(({ checked }) => checked).map((box) => box.value),
  };
}
