// A key for an assistant: it reads and does nothing else, and is told how to be used at once.

import { call } from "./api.js";
import { el } from "./dom.js";
import { actForm, field, textInput } from "./forms.js";
import { scrolls } from "./pieces.js";
import { copyButton } from "./tools.js";

// `made()`: once there is one.
export function assistantKey(made) {
  const name = textInput({ value: "assistant", required: true, maxLength: 100 });
  const shown = el("div", { role: "status" });

  async function work() {
    const key = await call("POST", "/v1/keys", {
      name: name.value.trim(),
      scopes: ["read"],
      expires_days: null,
    });
    const command =
      `claude mcp add --transport http spendmeter ${location.origin}/mcp ` +
      `--header "Authorization: Bearer ${key.key}"`;
    shown.replaceChildren(
      el("p", `The key is ${key.key}, which is not shown again. For one assistant:`),
      scrolls("Command", el("pre", command)),
      copyButton("Copy the command", () => command),
    );
    await made();
    return "";
  }

  return el(
    "div",
    actForm({
      name: "A key for an assistant",
      words:
        "It may read and nothing else; once revoked it opens nothing, within seconds. Which assistants, " +
        "and what they may ask: docs/mcp.md.",
      fields: field("Name of the assistant", name),
      label: "Make a key for an assistant",
      work,
    }),
    shown,
  );
}
