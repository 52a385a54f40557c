// Where a key is typed: it goes into the body of one request, and the answer sets the cookie.

import { call } from "./api.js";
import { el, setText } from "./dom.js";

export function logInPage(done) {
  const key = el("input", {
    type: "password",
    id: "key",
    required: true,
    autocomplete: "off",
    spellcheck: false,
    placeholder: "sm_…",
  });
  const why = el("p", { className: "bad", role: "alert" });
  const submit = async (event) => {
    event.preventDefault();
    setText(why, "");
    try {
      const answer = await call("POST", "/v1/session", { key: key.value });
      key.value = "";
      done(answer);
    } catch (error) {
      setText(why, error.status === 401 ? "This key is unknown, expired or revoked." : `${error.message}.`);
      key.select();
    }
  };
  return el(
    "form",
    { className: "card login", on: { submit } },
    el("h1", "What is being spent, now"),
    el(
      "p",
      { className: "soft" },
      "Log in with an API key that may read. It is not kept: a session stands for it, for eight hours, ",
      "in a cookie that no script can read.",
    ),
    el("label", { htmlFor: "key" }, "API key"),
    key,
    why,
    el("button", { className: "primary" }, "Log in"),
  );
}
