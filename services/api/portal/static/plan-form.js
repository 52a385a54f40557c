// The form of a plan: it is tried on a month first, and what was tried is then set from a day on.

import { call, session } from "./api.js";
import { el, setText } from "./dom.js";
import { moneyColumn } from "./format.js";
import { actForm, field, reasonInput, textInput } from "./forms.js";
import { monthChoice, monthIn, monthsOn } from "./months.js";
import { pressOnce, scrolls, table } from "./pieces.js";
import { poolFields } from "./plan-pool.js";
import { poolsPart } from "./allocation-shares.js";

const STALE =
  "Somebody has set another version meanwhile: what you set now is refused. Reload the page first.";

// `path`: of the plan. `done(plan)`: once a version is set.
export function planForm(path, done) {
  const list = el("div");
  const result = el("div", { role: "status" });
  const refusal = el("p", { className: "bad", role: "alert" });
  const note = el("p", { className: "bad", hidden: true }, STALE);
  const last = monthsOn(monthIn(Date.now(), session.tz), -1); // the newest that is over
  const month = monthChoice({ tz: session.tz, chosen: last, change: forget });
  const trial = el("button", { type: "button", disabled: true, on: { click: press } }, "Try it");
  const adding = el("button", { type: "button", disabled: true, on: { click: () => add() } }, "Add a pool");
  const day = textInput({ type: "date", required: true });
  const reason = reasonInput();
  const setting = actForm({
    name: "Set the plan",
    fields: [field("From this day on", day), field("Why", reason)],
    label: "Set what was tried",
    work: set,
  });
  let pools = []; // as they stand in the form
  let offered = null; // {revision, text} of what the form was filled with
  let tried = null; // the pools that were tried, as they were sent

  const textOf = () => JSON.stringify(pools.map(({ read }) => read()));

  // A version that holds already is what the form begins with; what somebody is writing stays.
  function offer({ revision, versions }) {
    if (offered?.revision === revision) return;
    const atWork = offered !== null && (tried !== null || changed());
    note.hidden = !atWork;
    if (atWork) return;
    fill(versions[0]?.pools ?? []);
    offered = { revision, text: textOf() };
    trial.disabled = adding.disabled = false; // what was added before would be gone with the first answer
  }

  function changed() {
    try {
      return textOf() !== offered.text;
    } catch {
      return true; // what cannot be read yet was typed by somebody
    }
  }

  function fill(stated) {
    pools = [];
    list.replaceChildren();
    for (const pool of stated) add(pool);
    forget();
  }

  function add(pool) {
    const one = poolFields(pool, remove);
    pools.push(one);
    list.append(one.element);
    forget();
  }

  function remove(one) {
    pools = pools.filter((each) => each !== one);
    one.element.remove();
    forget();
  }

  function forget() {
    tried = null;
    setting.hidden = true;
    result.replaceChildren();
  }

  function press() {
    refusal.replaceChildren();
    pressOnce([trial], tryIt, (error) => refusal.replaceChildren(`${error.message}.`));
  }

  async function tryIt() {
    const asked = pools.map(({ read }) => read());
    const answer = await call("POST", `${path}/dry-run`, { pools: asked, month: month.value });
    trial.disabled = false;
    if (JSON.stringify(asked) !== textOf()) return; // it was changed while it was tried
    tried = asked;
    setting.hidden = false;
    result.replaceChildren(...drawTrial(answer));
  }

  async function set() {
    const body = { first_day: day.value, pools: tried, reason: reason.value.trim() };
    const plan = await call("PUT", path, { ...body, revision: offered.revision });
    offered = { revision: plan.revision, text: textOf() };
    reason.value = "";
    done(plan);
    setting.hidden = true;
    tried = null;
    setText(result, `Set: revision ${plan.revision} holds from ${body.first_day} on.`);
    return "";
  }

  const element = el(
    "div",
    { className: "plan-form", on: { input: ({ target }) => list.contains(target) && forget() } },
    note,
    list,
    el("p", { className: "controls" }, adding, el("label", "on ", month), trial),
    refusal,
    result,
    setting,
  );
  forget();
  return { element, offer };
}

function drawTrial({ month, rows, pools, unseen }) {
  const heads = [["Who"], ["now", "figure"], ["then", "figure"], ["change", "figure"]];
  const body = rows.map((row) => {
    const amounts = rows.filter(({ currency }) => currency === row.currency);
    const say = moneyColumn(
      amounts.flatMap(({ before, after }) => [before, after]),
      row.currency,
    );
    return el(
      "tr",
      el("th", { scope: "row" }, row.kind === "cost_centre" ? row.cost_centre : `(${row.kind})`),
      ["before", "after", "change"].map((name) => el("td", { className: "figure" }, say(row[name]))),
    );
  });
  return [
    el("h2", `What it would have made of ${month}; nothing is set`),
    ...(unseen.length
      ? [el("p", { className: "bad" }, `No event ever named ${unseen.join(", ")}: a typing error?`)]
      : []),
    body.length
      ? scrolls("What it would have made", table(heads, el("tbody", body)))
      : el("p", "Nothing was booked in this month."),
    ...poolsPart({ pools }),
  ];
}
