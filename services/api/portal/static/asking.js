// Cards ask for themselves: one that fails says why and stands alone, and no answer is shown under another question.

import { Refused } from "./api.js";
import { el, say } from "./dom.js";

// `ask()` resolves to an answer, `show(answer)` puts it into `cards`, `clear()` takes away what was shown. The result
// asks once and resolves to {answer} or {error}; a question that was overtaken resolves to {}, and shows nothing.
// `question()` names what is asked: what stays visible after a failure is an older answer to the same question.
export function asking(cards, { ask, show, clear = () => {}, question = () => "" }) {
  const lines = cards.map(() => el("p", { className: "bad why", role: "alert", hidden: true }));
  cards.forEach((card, index) => card.append(lines[index]));
  let turn = 0;
  let shown = null;

  function fail(text) {
    for (const line of lines) {
      line.hidden = !text;
      say(line, text);
    }
    for (const card of cards) card.classList.toggle("failed", Boolean(text));
  }

  function busy(is) {
    for (const card of cards) card.setAttribute("aria-busy", String(is));
  }

  return async function refresh() {
    const mine = ++turn;
    const asked = question();
    const overtaken = () => mine !== turn || asked !== question();
    busy(shown !== asked);
    try {
      const answer = await ask();
      if (overtaken()) return {};
      show(answer);
      shown = asked;
      fail("");
      busy(false);
      return { answer };
    } catch (error) {
      if (error.status === 401 || !(error instanceof Refused || error instanceof TypeError)) throw error;
      if (overtaken()) return {};
      if (shown !== asked) clear();
      const before = shown === asked ? " What you see is from before; trying again." : "";
      fail(`${error.status ? "" : "The server cannot be reached: "}${error.message}.${before}`);
      busy(false);
      return { error };
    }
  };
}
