// The form that adds a channel: what its kind needs, what it is told, and when.

import { call } from "./api.js";
import { el } from "./dom.js";
import { pressOnce } from "./pieces.js";

// Of each kind: its settings, [name, words, is it a secret].
const KINDS = {
  slack: [
    ["token", "Bot token (xoxb-...)", true],
    ["channel", "Channel's id (C0123ABCD)"],
    ["webhook_url", "or an incoming webhook, in place of both", true],
  ],
  pagerduty: [["routing_key", "Integration key, Events API v2", true]],
  alertmanager: [
    ["url", "Its address, without /api/v2/alerts"],
    ["authorization", "Authorization header, if it asks for one", true],
  ],
  webhook: [["url", "Address (https)"]],
  apprise: [["url", "Apprise URL, such as mailtos", true]],
};
const SEVERITIES = { info: "every incident", warning: "warning and critical", critical: "critical alone" };

// `added(channel)`: called with what was made.
export function channelForm(added) {
  const name = el("input", { required: true, maxLength: 200, size: 30 });
  const kind = select(Object.fromEntries(Object.keys(KINDS).map((each) => [each, each])), showSettings);
  const severity = select(SEVERITIES);
  const [from, until] = [el("input", { type: "time" }), el("input", { type: "time" })];
  const digest = el("input", { type: "number", min: 0, max: 1440, value: 0 });
  const settings = el("div");
  const refusal = el("p", { className: "bad", role: "alert" });
  const button = el("button", { className: "primary" }, "Add");
  let inputs = {};

  function showSettings() {
    inputs = {};
    const lines = KINDS[kind.value].map(([field, words, secret]) => {
      const type = secret ? "password" : "text";
      inputs[field] = el("input", { type, size: 40, autocomplete: "off", spellcheck: false });
      return el("label", { className: "line" }, `${words} `, inputs[field]);
    });
    settings.replaceChildren(...lines);
  }

  function asked() {
    const filled = Object.entries(inputs).map(([field, input]) => [field, input.value.trim()]);
    return {
      name: name.value.trim(),
      kind: kind.value,
      settings: Object.fromEntries(filled.filter(([, value]) => value)),
      match: severity.value === "info" ? {} : { severity: severity.value },
      quiet: from.value && until.value ? [{ from: from.value, until: until.value }] : [],
      digest_minutes: Number(digest.value),
    };
  }

  function submit(submitted) {
    submitted.preventDefault();
    refusal.replaceChildren();
    pressOnce([button], add, (error) => refusal.replaceChildren(error.message));
  }

  async function add() {
    const channel = await call("POST", "/v1/channels", asked());
    form.reset();
    showSettings();
    button.disabled = false;
    await added(channel);
  }

  const form = el(
    "form",
    { className: "decision", "aria-label": "Add a channel", on: { submit } },
    el("label", { className: "line" }, "Name ", name),
    el("label", { className: "line" }, "Kind ", kind),
    settings,
    el("label", { className: "line" }, "Told ", severity),
    el(
      "div",
      { className: "line" },
      el("label", "Quiet from ", from),
      el("label", " until ", until),
      " in your time zone; critical money is told all the same",
    ),
    el("label", { className: "line" }, "Together, every so many minutes (0 = at once) ", digest),
    el(
      "p",
      { className: "fine" },
      "Secrets are not shown again. Labels and kinds to match: docs/channels.md.",
    ),
    button,
    refusal,
  );
  showSettings();
  return form;
}

const select = (options, change = () => {}) =>
  el(
    "select",
    { on: { change } },
    Object.entries(options).map(([value, words]) => el("option", { value }, words)),
  );
