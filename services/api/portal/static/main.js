// Which page is shown, and the beat at which it asks again.

import { call, describeTrouble, get, isTrouble, session, updateSession } from "./api.js";
import { catalogPage } from "./catalog.js";
import { changesPage } from "./changes.js";
import { channelPage, channelsPage } from "./channels.js";
import { correctionsPage } from "./corrections.js";
import { el, setText } from "./dom.js";
import { eventsPage } from "./events.js";
import { completeness, inFlight } from "./format.js";
import { inboxPage } from "./inbox.js";
import { link, rangeProblem } from "./links.js";
import { logInPage } from "./login.js";
import { modelPage } from "./model.js";
import { overviewPage } from "./overview.js";
import { proposalPage } from "./proposal.js";
import { receiptPage } from "./receipt.js";
import { reratePage } from "./rerate.js";
import { resubmitPage } from "./resubmit.js";
import { rulePage } from "./rule.js";
import { rulesPage } from "./rules.js";
import { turns } from "./refresh.js";
import { unbookedPage } from "./unbooked.js";

const BEAT_MS = 1500;
const LOAD_SHARE = 4; // asking may take up a fifth of the time: a slow database is not asked more often
const RETRY_MS = 3000;

// What a page is: `element`, shown as it is made; `refresh()`, asked at each beat, which resolves to an
// answer that says how far it is complete, or to null; `timeless`: no such line stands above it;
// `accept(query)`: true where it goes on in place under other parameters.
const pages = {
  "": overviewPage,
  events: eventsPage,
  event: receiptPage,
  unbooked: unbookedPage,
  resubmit: resubmitPage,
  catalog: catalogPage,
  model: modelPage,
  changes: changesPage,
  inbox: inboxPage,
  proposal: proposalPage,
  corrections: correctionsPage,
  channels: channelsPage,
  channel: channelPage,
  rules: rulesPage,
  rule: rulePage,
  rerate: reratePage,
};
const RANGED = ["", "events"]; // the pages of a range
const LISTS = { channel: "channels", rule: "rules" }; // what is shown where an address names none of them

const main = document.getElementById("main");
const progressLine = document.getElementById("live");
const troubleLine = document.getElementById("trouble");
const logOutButton = document.getElementById("log-out");
const begin = turns();
let page = null;
let timer = 0;

function readAddress() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const parameters = new URLSearchParams(query);
  const wanted = LISTS[path] && !parameters.get("id") ? LISTS[path] : path;
  return { path: Object.hasOwn(pages, wanted) ? wanted : "", query: parameters };
}

async function showPage() {
  const overtaken = begin();
  clearTimeout(timer);
  const { path, query } = readAddress();
  const make = RANGED.includes(path) && rangeProblem(query) ? rangeProblemPage : pages[path];
  if (page?.make !== make || !page.accept?.(query)) {
    page = Object.assign(make(query), { make });
    main.replaceChildren(page.element);
    progressLine.hidden = Boolean(page.timeless); // a receipt, or a price, is not of the stream
    main.focus({ preventScroll: true });
    scrollTo(0, 0);
  }
  await beat(overtaken);
}

function rangeProblemPage(query) {
  const element = el(
    "section",
    { className: "card", role: "alert" },
    el("p", `This address has no range to show: ${rangeProblem(query)}.`),
    el("p", el("a", { href: link("", { range: "today" }) }, "Show today")),
  );
  return { element, refresh: async () => null, timeless: true };
}

async function beat(overtaken) {
  const began = performance.now();
  let wait = RETRY_MS;
  try {
    const answer = await page.refresh();
    showTrouble("");
    wait = Math.max(BEAT_MS, LOAD_SHARE * (performance.now() - began));
    if (answer && !overtaken() && !page.timeless) showProgress(answer);
  } catch (error) {
    if (overtaken()) return;
    if (!isTrouble(error)) throw error;
    if (error.status === 401) return showLogIn();
    showTrouble(describeTrouble(error, error.status >= 500 || error.status === undefined));
  }
  if (overtaken()) return;
  timer = setTimeout(() => (document.hidden ? beatOnceVisible(overtaken) : beat(overtaken)), wait);
}

function beatOnceVisible(overtaken) {
  document.addEventListener("visibilitychange", () => overtaken() || beat(overtaken), {
    once: true,
  });
}

function showTrouble(text) {
  troubleLine.hidden = !text;
  setText(troubleLine, text);
  document.body.classList.toggle("stale", Boolean(text));
}

function showProgress(answer) {
  const { complete_through: through } = answer;
  progressLine.classList.toggle("behind", !through || answer.in_flight !== 0);
  const flying = answer.in_flight === 0 ? "" : ` · in flight ${inFlight(answer)}`;
  const text = through ? `${completeness(through, session.tz)} ${session.tz}` : "catching up";
  setText(progressLine, text + flying);
}

function showLogIn() {
  begin();
  clearTimeout(timer);
  page = null;
  showFrame(false);
  showTrouble("");
  main.replaceChildren(logInPage(start));
  main.querySelector("input").focus();
}

function showFrame(loggedIn) {
  for (const each of [logOutButton, progressLine, document.getElementById("places")]) each.hidden = !loggedIn;
  document.getElementById("tenant").replaceChildren((loggedIn && tenantChoice()) || "");
}

function tenantChoice() {
  if (!session.operator) return session.tenants[0]?.name;
  const names = session.tenants.map(({ tenant, name }) =>
    el("option", { value: tenant, selected: tenant === session.tenant }, name),
  );
  return el("select", { "aria-label": "Tenant", on: { change: chooseTenant } }, names);
}

function chooseTenant({ target }) {
  updateSession({ tenant: target.value });
  page = null;
  if (location.hash === "" || location.hash === "#/") showPage();
  else location.hash = "#/"; // another tenant's filters mean nothing here
}

function start(answer) {
  updateSession(answer);
  showFrame(true);
  showPage();
}

logOutButton.addEventListener("click", async () => {
  await call("DELETE", "/v1/session");
  showLogIn();
});
addEventListener("hashchange", () => logOutButton.hidden || showPage());

try {
  start(await get("/v1/session"));
} catch (error) {
  showLogIn();
  if (error.status !== 401) showTrouble(`${error.message}. Reload the page to try again.`);
}
