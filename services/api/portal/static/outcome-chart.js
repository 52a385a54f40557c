// What a workflow cost over time, version by version, with the days marked on which one came.

import { el } from "./dom.js";
import { dayStart } from "./format.js";
import { LARGEST } from "./palette.js";
import { RARE_BEATS, cardRefresher, everyNth } from "./refresh.js";
import { spendChart } from "./spend-chart.js";

const UNCOMPARED = new URLSearchParams({ compare: "none" });

// `of(answer)`: the comparison whose days and team are drawn.
export function outcomeChart(workflow) {
  const chart = spendChart();
  const card = el(
    "section",
    { className: "card", hidden: true },
    el("h2", "Spend by version"),
    chart.element,
  );
  const due = everyNth(RARE_BEATS);
  let asked = null;

  function ask() {
    const { first_day: first, until, team } = asked;
    const span = [dayStart(first, "UTC"), Math.min(dayStart(until, "UTC"), Date.now())];
    const filters = { workflow: [workflow], ...(team === null ? {} : { team: [team] }) };
    return chart.ask({ query: UNCOMPARED, span, name: "workflow_version", filters, top: LARGEST });
  }

  function show(charted) {
    card.hidden = !charted.layers.length;
    chart.show(charted);
  }

  const answered = cardRefresher([card], { ask, show });
  const of = (answer) => (asked = answer);
  const refresh = () => asked && due() && answered();
  return { card, of, refresh };
}
