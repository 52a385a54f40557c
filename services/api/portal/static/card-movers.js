// What moved most since the period before: the parts of the difference, by the dimension that is chosen.

import { get, session } from "./api.js";
import { card } from "./cards.js";
import { ownRows, sideBySide } from "./change.js";
import { el, part, setText } from "./dom.js";
import { count, money, ratio, widthOf } from "./format.js";
import { dimensionLabel, link, valueLabel } from "./links.js";
import { comparisonOf, rangeOf, spanBefore, spanOf, spanParameters } from "./ranges.js";
import { cardRefresher } from "./refresh.js";

const SHOWN = 7;
const NAMED = 1000; // of each answer: who is in neither is not known
const CHOICES = ["team", "sku", "workflow", "agent", "cost_class"];
const NONE = "Nothing moved.";
const UNCOMPARED = "Choose a period to hold it against: there is none.";

export function moversCard(query) {
  const chosen = el(
    "select",
    { "aria-label": "What moved, by", on: { change: () => refresh() } },
    CHOICES.map((name) => el("option", { value: name }, dimensionLabel(name))),
  );
  const rows = el("ol", { className: "rows moved" });
  const why = el("a", "Why: calls, models, prices …");
  const head = el("label", { className: "by" }, "by ", chosen);
  const movers = card("What moved", "movers", head, rows, el("p", { className: "fine" }, why));

  async function ask() {
    const [asked, name] = [query(), chosen.value];
    const span = spanOf(asked, session.tz);
    const before = spanBefore(asked, session.tz, span);
    if (!before) return { asked, name };
    const grouped = { usage: false, group_by: name, top: NAMED };
    const [spend, earlier] = await Promise.all(
      [span, before].map((each) => get("/v1/spend", { ...spanParameters(each), ...grouped })),
    );
    return { asked, name, spend, earlier };
  }

  function show({ asked, name, spend, earlier }) {
    if (!spend) return say(UNCOMPARED);
    why.href = link("changed", { ...rangeOf(asked), by: name });
    const pairs = sideBySide(ownRows(spend), ownRows(earlier), (row) => row[name]);
    const known = pairs.filter(({ now, before }) => now !== null && before !== null && now !== before);
    const moved = known.map((pair) => ({ ...pair, by: pair.now - pair.before }));
    moved.sort((a, b) => (size(a.by) < size(b.by) ? 1 : -1));
    const most = moved.length ? size(moved[0].by) : 0n;
    rows.replaceChildren(
      ...moved.slice(0, SHOWN).map((pair) => moverRow(pair, { asked, name, most, spend })),
    );
    const unknown = pairs.length - pairs.filter(({ now, before }) => now !== null && before !== null).length;
    setText(part(movers, "fine"), fine(moved.length, unknown));
  }

  function say(words) {
    rows.replaceChildren();
    setText(part(movers, "fine"), words);
  }

  const question = () => `${query().toString()}|${chosen.value}|${comparisonOf(query())}`;
  const refresh = cardRefresher([movers], { ask, show, clear: () => say(""), question });
  return { card: movers, refresh };
}

const size = (amount) => (amount < 0n ? -amount : amount);

function moverRow({ name: value, by, before, now }, { asked, name, most, spend }) {
  const sign = by > 0n ? "+" : "−";
  const note = before === 0n ? "new" : now === 0n ? "gone" : `from ${money(before, spend.currency)}`;
  return el(
    "li",
    el(
      "a",
      {
        className: "row",
        href: link("explore", { ...rangeOf(asked), by: "sku", filters: { [name]: [value] } }),
      },
      el("span", { className: "name" }, valueLabel(value), el("small", ` ${note}`)),
      el("b", { className: by > 0n ? "up" : "down" }, `${sign}${money(size(by), spend.currency)}`),
      el("i", {
        className: `fill ${by > 0n ? "up" : "down"}`,
        style: { width: widthOf(ratio(size(by), most)) },
      }),
    ),
  );
}

function fine(moved, unknown) {
  if (!moved) return NONE;
  const rest = moved > SHOWN ? `and ${count(moved - SHOWN)} that moved less` : "all that moved";
  return unknown ? `${rest} · of ${count(unknown)} smaller ones it is not known` : rest;
}
