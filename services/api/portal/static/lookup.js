// A part of a page that is about one thing: looked up now and then, and drawn again only where it changed.

import { el } from "./dom.js";
import { everyNth, turns } from "./refresh.js";

// `ask()` resolves to an answer, `draw(answer)` to what is shown of it; `keyOf(answer)`: what of it matters.
// Refusals of a status among `shownRefusals` are shown in its place. `beats`: between two looks; `waits`:
// looked for at each beat until it is there; `drawn()`: what is left to do once it is in the page.
export function lookup({
  ask,
  draw,
  drawn = () => {},
  beats,
  waits = false,
  keyOf = JSON.stringify,
  shownRefusals = [404, 422],
  refusalClass = "empty",
  waiting = "Looking it up…",
}) {
  const element = el("div", el("p", { className: "soft" }, waiting));
  const due = everyNth(beats);
  const begin = turns();
  let shown = null;

  // Also what another way than asking has brought: it overtakes what was asked before.
  function show(answer) {
    begin();
    if (keyOf(answer) === shown) return;
    shown = keyOf(answer);
    element.replaceChildren(...draw(answer));
    drawn();
  }

  async function refresh() {
    if ((shown !== null || !waits) && !due()) return null;
    const overtaken = begin();
    try {
      const answer = await ask();
      if (!overtaken()) show(answer);
    } catch (error) {
      if (!shownRefusals.includes(error.status)) throw error;
      shown = null;
      element.replaceChildren(el("p", { className: refusalClass }, error.message));
    }
    return null;
  }
  return { element, refresh, show };
}
