// Where a key is typed: it goes into the body of one request, and the answer sets the cookie. Or people go to
// their issuer, who sends them back.

import { call, get, isTrouble, withParameters } from "./api.js";
import { el, setText } from "./dom.js";

export function logInPage(done) {
  const issuer = el("div");
  offerIssuer(issuer);
  return el("div", keyForm(done), issuer);
}

function keyForm(done) {
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

// Only where somebody's people have one. Without an answer there is the key still.
async function offerIssuer(place) {
  try {
    const ways = await get("/v1/session/ways");
    if (ways.issuer) place.replaceChildren(issuerForm());
  } catch (error) {
    if (!isTrouble(error)) throw error;
  }
}

// The browser itself goes there, and comes back with a session, or to a page that says why not.
function issuerForm() {
  const tenant = el("input", {
    id: "tenant-name",
    required: true,
    maxLength: 63,
    spellcheck: false,
  });
  const submit = (event) => {
    event.preventDefault();
    location.assign(withParameters("/v1/session/log-in", { tenant: tenant.value.trim() }));
  };
  return el(
    "form",
    { className: "card login", on: { submit } },
    el("label", { htmlFor: "tenant-name" }, "or the name of your tenant here"),
    tenant,
    el("button", "Log in with your issuer"),
  );
}
