// Which calls were moved to which model, what that was to save, and what it has saved since.

import { call, get, mayGovern } from "./api.js";
import { decisionForm } from "./decision-form.js";
import { el } from "./dom.js";
import { count, money, parseDecimal } from "./format.js";
import { textInput } from "./forms.js";
import { lookup } from "./lookup.js";
import { badge, logInToChange, pressOnce, scrolls, table, zonedMoment } from "./pieces.js";
import { RARE_BEATS } from "./refresh.js";
import { tableTools } from "./tools.js";

const PATH = "/v1/models/decisions";

export function decisionsPage(query) {
  const content = lookup({
    ask: () => get(PATH),
    draw: (answer) => draw(answer, withdraw),
    beats: RARE_BEATS,
  });

  async function read() {
    content.show(await get(PATH));
  }

  async function withdraw(id, reason) {
    await call("POST", `${PATH}/${id}/withdraw`, { reason });
    await read();
  }

  const list = el(
    "section",
    { className: "card decisions" },
    el("h1", "Decisions for a model"),
    content.element,
    tableTools(() => ({ path: PATH }), { name: "decisions" }),
  );
  const form = el(
    "section",
    { className: "card" },
    el("h2", "Write one down"),
    mayGovern()
      ? decisionForm(query, read)
      : el("p", { className: "fine" }, logInToChange("To write one down")),
  );
  return {
    element: el("div", { className: "stacked" }, list, form),
    refresh: content.refresh,
    timeless: true,
  };
}

function draw({ decisions, credits }, withdraw) {
  if (!decisions.length) return [el("p", { className: "empty" }, "No decision was written down yet.")];
  return [
    ...(credits.length ? [creditsTable(credits)] : []),
    el(
      "ul",
      { className: "rows" },
      decisions.map((decision) => decisionItem(decision, withdraw)),
    ),
  ];
}

function creditsTable(credits) {
  const body = credits.map((credit) =>
    el(
      "tr",
      el("th", { scope: "row" }, credit.owner),
      el("td", { className: "figure" }, count(credit.decisions)),
      el("td", { className: "figure" }, count(credit.not_judged)),
      el("td", { className: "figure" }, between(credit, "saving_", credit.currency)),
    ),
  );
  const heads = [["Owner"], ["Decisions", "figure"], ["Not judged", "figure"], ["Saved", "figure"]];
  return scrolls("What each owner's have saved", table(heads, el("tbody", body)));
}

function decisionItem(decision, withdraw) {
  const { id, title, from_model: from, to_model: to, owner, effective_day: day, filter, reason } = decision;
  const { withdrawn_at: gone, withdrawn_by: by, withdrawn_reason: why, forecast } = decision;
  const slice = Object.entries(filter).map(([name, value]) => `${name} ${value || "(none)"}`);
  return el(
    "li",
    { className: "request" },
    gone ? badge("withdrawn", "") : null,
    " ",
    el("b", title),
    ` ${from} → ${to}, from ${day} on`,
    el("small", { className: "line" }, `${slice.join(", ") || "all calls"} · ${owner}: ${reason}`),
    el("span", { className: "line" }, `Was to save in 30 days: ${forecastOf(forecast)}`),
    el(
      "span",
      { className: "line" },
      gone ? `Withdrawn ${zonedMoment(gone)} by ${by}: ${why}` : realisedOf(decision),
    ),
    gone || !mayGovern() ? null : withdrawal(title, (said) => withdraw(id, said)),
  );
}

const notesOf = (notes) => (notes.length ? ` (${notes.join("; ")})` : "");

function forecastOf({ saving_low: low, currency, missing, notes, calls, ...rest }) {
  if (low === null) return missing.join("; ") || "not known";
  const saving = between({ saving_low: low, ...rest }, "saving_", currency);
  return `${saving} of ${count(calls)} calls${notesOf(notes)}`;
}

function realisedOf({ realised }) {
  const { says, saving_low: low, currency, calls, calls_left: left, notes } = realised;
  if (says || low === null) return `Has saved: ${says || "not known"}`;
  const moved = `${count(calls)} calls on the new model, ${count(left)} still on the old one`;
  return `Has saved: ${between(realised, "saving_", currency)}; ${moved}${notesOf(notes)}`;
}

// At least and at most; one figure where they are equal.
function between(row, prefix, currency) {
  const [low, high] = [row[`${prefix}low`], row[`${prefix}high`]];
  const same = high === null || parseDecimal(low) === parseDecimal(high);
  return same ? money(low, currency) : `${money(low, currency)} to ${money(high, currency)}`;
}

// Folded away: whoever withdraws a decision opens it first, says why, and presses then.
function withdrawal(title, withdraw) {
  const reason = textInput({
    "aria-label": `Why it holds no longer: ${title}`,
    maxLength: 500,
    placeholder: "Why",
  });
  const refusal = el("span", { className: "bad", role: "alert" });
  const refused = (error) => refusal.replaceChildren(` ${error.message}`);
  const press = () => pressOnce([button], () => withdraw(reason.value.trim()), refused);
  const button = el("button", { on: { click: press } }, "Withdraw it");
  return el("details", el("summary", "Withdraw"), reason, " ", button, refusal);
}
