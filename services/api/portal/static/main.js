// Which page is shown, and the beat at which it asks again.

import { call, describeTrouble, get, isTrouble, updateSession } from "./api.js";
import { askAsOf } from "./as-of.js";
import { el } from "./dom.js";
import { showFrame, showPlace, showProgress, showTrouble } from "./frame.js";
import { link } from "./links.js";
import { isOpen, shutPage } from "./one-team.js";
import { placeOf } from "./places.js";
import { rangeProblem } from "./ranges.js";
import { turns } from "./refresh.js";
import { listenForKeys } from "./shortcuts.js";

const BEAT_MS = 1500;
const LOAD_SHARE = 4; // asking may take up a fifth of the time: a slow database is not asked more often
const RETRY_MS = 3000;

// What a page is: `element`, shown as it is made; `refresh()`, asked at each beat, which resolves to an
// answer that says how far it is complete, or to null; `timeless`: no such line stands above it;
// `accept(query)`: true where it goes on in place under other parameters. A page is read when it is first
// shown.
const pages = {
  "": async () => (await import("./overview.js")).overviewPage,
  explore: async () => (await import("./explorer.js")).explorerPage,
  changed: async () => (await import("./changed.js")).changedPage,
  events: async () => (await import("./events.js")).eventsPage,
  event: async () => (await import("./receipt.js")).receiptPage,
  run: async () => (await import("./run.js")).runPage,
  budgets: async () => (await import("./budgets.js")).budgetsPage,
  budget: async () => (await import("./budget.js")).budgetPage,
  incidents: async () => (await import("./incidents.js")).incidentsPage,
  incident: async () => (await import("./incident.js")).incidentPage,
  agents: async () => (await import("./agents.js")).agentsPage,
  outcomes: async () => (await import("./outcomes.js")).outcomesPage,
  models: async () => (await import("./models.js")).modelsPage,
  estimate: async () => (await import("./estimate.js")).estimatePage,
  decisions: async () => (await import("./decisions.js")).decisionsPage,
  units: async () => (await import("./units.js")).unitsPage,
  allocation: async () => (await import("./allocation.js")).allocationPage,
  statement: async () => (await import("./statement.js")).statementPage,
  invoices: async () => (await import("./invoices.js")).invoicesPage,
  "true-ups": async () => (await import("./true-ups.js")).trueUpsPage,
  plan: async () => (await import("./plan.js")).planPage,
  export: async () => (await import("./export.js")).exportPage,
  quality: async () => (await import("./quality.js")).qualityPage,
  unbooked: async () => (await import("./unbooked.js")).unbookedPage,
  resubmit: async () => (await import("./resubmit.js")).resubmitPage,
  catalog: async () => (await import("./catalog.js")).catalogPage,
  model: async () => (await import("./model.js")).modelPage,
  changes: async () => (await import("./changes.js")).changesPage,
  inbox: async () => (await import("./inbox.js")).inboxPage,
  proposal: async () => (await import("./proposal.js")).proposalPage,
  corrections: async () => (await import("./corrections.js")).correctionsPage,
  rerate: async () => (await import("./rerate.js")).reratePage,
  channels: async () => (await import("./channels.js")).channelsPage,
  channel: async () => (await import("./channels.js")).channelPage,
  rules: async () => (await import("./rules.js")).rulesPage,
  rule: async () => (await import("./rule.js")).rulePage,
  keys: async () => (await import("./keys.js")).keysPage,
  audit: async () => (await import("./audit.js")).auditPage,
  dimensions: async () => (await import("./dimensions.js")).dimensionsPage,
  terms: async () => (await import("./terms.js")).termsPage,
  privacy: async () => (await import("./privacy.js")).privacyPage,
};
const COMPARED = ["", "explore", "changed"];
const RANGED = ["", "explore", "changed", "models", "events", "units"]; // the pages of a range
// What is shown where an address names none of them.
const LISTS = { channel: "channels", rule: "rules", budget: "budgets", incident: "incidents" };

const main = document.getElementById("main");
const begin = turns();
let page = null;
let shown = null; // the address of the page
let timer = 0;

function readAddress() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const parameters = new URLSearchParams(query);
  const wanted = LISTS[path] && !parameters.get("id") ? LISTS[path] : path;
  if (wanted === "" && isBreakdown(parameters)) return { path: "explore", query: parameters };
  return { path: Object.hasOwn(pages, wanted) ? wanted : "", query: parameters };
}

// Addresses that were sent to people before the breakdown had a page of its own.
const isBreakdown = (query) => [...query.keys()].some((name) => name === "by" || name.startsWith("filter."));

async function showPage() {
  const overtaken = begin();
  clearTimeout(timer);
  const { path, query } = readAddress();
  const ranged = RANGED.includes(path);
  try {
    const make = await makerOf(path, query, ranged);
    if (overtaken()) return;
    shown = { path, query };
    askAsOf(path, query);
    showPlace(path, query, { ranged, compared: COMPARED.includes(path) });
    if (page?.make !== make || !page.accept?.(query)) openPage(make, query);
  } catch (error) {
    if (!(error instanceof TypeError) || overtaken()) throw error;
    showTrouble(`The page cannot be loaded: ${error.message}. Reload it to try again.`);
    return;
  }
  await beat(overtaken);
}

function makerOf(path, query, ranged) {
  if (!isOpen(path)) return shutPage(path, placeOf(path));
  return ranged && rangeProblem(query) ? rangeProblemPage : pages[path]();
}

function openPage(make, query) {
  page = Object.assign(make(query), { make });
  main.replaceChildren(page.element);
  main.dataset.page = shown.path;
  showProgress(null); // a receipt, or a price, is not of the stream
  main.focus({ preventScroll: true });
  scrollTo(0, 0);
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

async function showLogIn() {
  begin();
  clearTimeout(timer);
  page = shown = null;
  showFrame(false, {});
  showTrouble("");
  const { logInPage } = await import("./login.js");
  main.replaceChildren(logInPage(start));
  main.querySelector("input").focus();
}

function chooseTenant({ target }) {
  updateSession({ tenant: target.value });
  page = null;
  if (location.hash === "" || location.hash === "#/") showPage();
  else location.hash = "#/"; // another tenant's filters mean nothing here
}

async function logOut() {
  await call("DELETE", "/v1/session");
  showLogIn();
}

function start(answer) {
  updateSession(answer);
  showFrame(true, { logOut, chooseTenant });
  showPage();
}

document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address says which page is shown
  main.focus();
});
addEventListener("hashchange", () => document.body.classList.contains("framed") && showPage());
listenForKeys(() => shown?.query);

try {
  start(await get("/v1/session"));
} catch (error) {
  await showLogIn();
  if (error.status !== 401) showTrouble(`${error.message}. Reload the page to try again.`);
}
