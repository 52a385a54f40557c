// The public API and nothing else. The key is in a cookie that no script can read.

export class Refused extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || `the server answered ${status}`);
    this.status = status;
    this.problem = problem;
  }
}

// What a page is ready for: a refusal, or a server that is not reached, which is fetch's own TypeError.
export const isTrouble = (error) => error instanceof Refused || error instanceof TypeError;

// `stale`: an older answer stays in sight meanwhile.
export function describeTrouble(error, stale) {
  const unreached = error.status ? "" : "The server cannot be reached: ";
  return `${unreached}${error.message}.${stale ? " What you see is from before; trying again." : ""}`;
}

export const session = { tenant: "", operator: false, scopes: [], tenants: [], tz: "UTC", currency: "USD" };

export function updateSession(answer) {
  Object.assign(session, answer);
  if (session.operator && !session.tenant) session.tenant = session.tenants[0]?.tenant ?? "";
  const chosen = session.tenants.find(({ tenant }) => tenant === session.tenant);
  if (chosen) Object.assign(session, { tz: chosen.tz, currency: chosen.currency });
}

// Whoever is of one team sees its rows alone, and not what is of everybody.
export const seesAll = () => !session.team;
export const mayChange = () => session.scopes.includes("admin");
export const mayGovern = () => mayChange() || session.scopes.includes("govern");
export const mayRespond = () => mayChange() || session.scopes.includes("respond");
export const mayCorrect = () => mayChange() || session.scopes.includes("correct");

// Of a question: in which form, and whom an operator acts for.
export function headersOf(accept, tenant = session.tenant) {
  return { Accept: accept, ...(session.operator && tenant ? { "X-Spendmeter-Tenant": tenant } : {}) };
}

// A body that is text or a file is sent as it is. `tenant`: whom an operator acts for.
export async function call(method, path, body, tenant = session.tenant) {
  const headers = headersOf("application/json", path.startsWith("/v1/session") ? "" : tenant);
  const file = typeof body === "string" || body instanceof Blob;
  if (body !== undefined) headers["Content-Type"] = file ? "application/octet-stream" : "application/json";
  const response = await fetch(path, {
    method,
    headers,
    body: body === undefined || file ? body : JSON.stringify(body),
    credentials: "same-origin",
  });
  if (response.status === 204) return null;
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(response.status, answer);
  return answer;
}

// The instant of which pages are told as it stood; "" = now.
let stood = "";
const STOOD = ["/v1/spend", "/v1/spend/changes", "/v1/events", "/v1/allocations", "/v1/exports/statement"];
const STATEMENTS = "/v1/statements/";
const isToldAsItStood = (path) => STOOD.includes(path) || path.startsWith(STATEMENTS);
export const asAt = (at) => (stood = at);
export const whenAsked = () => (stood ? Date.parse(stood) : Date.now());

// A path with parameters; undefined ones are left out, arrays repeat.
export function withParameters(path, parameters = {}) {
  const query = new URLSearchParams();
  if (stood && isToldAsItStood(path) && !parameters.source) query.append("as_of", stood);
  for (const [name, value] of Object.entries(parameters)) {
    for (const each of Array.isArray(value) ? value : [value])
      if (each !== undefined && each !== null) query.append(name, each);
  }
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}

export const get = (path, parameters, tenant) =>
  call("GET", withParameters(path, parameters), undefined, tenant);
