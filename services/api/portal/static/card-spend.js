// The range of the page: its total, the change, and where it went over time.

import { get, session } from "./api.js";
import { card } from "./cards.js";
import { changeOf, otherCurrencies, ownTotal } from "./change.js";
import { el, part, setText } from "./dom.js";
import { momentToMinute, money } from "./format.js";
import { link } from "./links.js";
import { LARGEST } from "./palette.js";
import { rangeName, rangeOf, spanBefore, spanOf, spanParameters } from "./ranges.js";
import { cardRefresher } from "./refresh.js";
import { spendChart } from "./spend-chart.js";

const BY = "team";

export function spendCard(query) {
  const total = el("a", { className: "total", title: "Take it apart" });
  const change = el("span", { className: "change" });
  const chart = spendChart();
  const spent = card("Spend", "spent", el("div", { className: "lead" }, total, change), chart.element);

  async function ask() {
    const asked = query();
    const span = spanOf(asked, session.tz);
    const before = spanBefore(asked, session.tz, span);
    const [charted, earlier] = await Promise.all([
      chart.ask({ query: asked, span, name: BY, filters: {}, top: LARGEST }),
      before && get("/v1/spend", { ...spanParameters(before), usage: false }),
    ]);
    // A chart that begins where spend begins is of the whole range: nothing was spent before.
    return { asked, span, charted, earlier, spend: charted.spend };
  }

  function show({ asked, span, charted, earlier, spend }) {
    const now = ownTotal(spend);
    const changed = earlier ? changeOf(now, ownTotal(earlier), spend.currency) : { text: "", state: "" };
    setText(total, [money(now, spend.currency), ...otherCurrencies(spend)].join(" + "));
    total.href = link("explore", { ...rangeOf(asked), by: BY });
    setText(change, changed.text);
    change.dataset.state = changed.state;
    chart.show(charted);
    const { tz, currency } = spend;
    const late = charted.layers.length && charted.span[0] > span[0];
    const since = late ? `, nothing before ${momentToMinute(charted.span[0], tz)}` : "";
    const words = charted.layers.length
      ? `${rangeName(asked, tz)}${since} · by team · ${currency}, ${tz}`
      : NOTHING;
    setText(part(spent, "fine"), words);
  }

  const clear = () => chart.clear();
  const refresh = cardRefresher([spent], { ask, show, clear, question: () => query().toString() });
  return { card: spent, refresh };
}

const NOTHING = "Nothing was spent in this time.";
