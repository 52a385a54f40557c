// Re-rates that are offered: a button asks for the dry run, and leads to it.

import { call, mayCorrect, session, updateSession } from "./api.js";
import { el } from "./dom.js";
import { link } from "./links.js";
import { pressOnce } from "./pieces.js";

export const offerList = (offers) =>
  el(
    "ul",
    { className: "rows offers" },
    offers.map(({ tenant, says, body, rerate_id: id }) =>
      el(
        "li",
        says,
        " ",
        id ? el("a", { href: link("rerate", { id }) }, "see it") : rerateButton(body, tenant),
      ),
    ),
  );

// `body`: what POST /v1/rerates takes; the portal goes on to the job that it makes.
export function rerateButton(body, tenant = session.tenant) {
  if (!mayCorrect()) return el("span");
  const refusal = el("small", { className: "bad" });
  const press = () =>
    pressOnce(
      [button],
      async () => {
        const { rerate_id: id } = await call("POST", "/v1/rerates", body, tenant);
        if (session.operator) updateSession({ tenant });
        location.hash = link("rerate", { id });
      },
      (error) => refusal.replaceChildren(error.message),
    );
  const whose = session.operator ? ` of ${tenant}` : "";
  const button = el("button", { on: { click: press } }, `See what a re-rate${whose} would change`);
  return el("span", button, refusal);
}
