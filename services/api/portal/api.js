// The public API and nothing else. The key is in a cookie that no script can read.

export class Refused extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || `the server answered ${status}`);
    this.status = status;
    this.problem = problem;
  }
}

export const session = { tenant: "", operator: false, scopes: [], tenants: [], tz: "UTC", currency: "USD" };

export function enter(answer) {
  Object.assign(session, answer);
  if (session.operator && !session.tenant) session.tenant = session.tenants[0]?.tenant ?? "";
  const chosen = session.tenants.find(({ tenant }) => tenant === session.tenant);
  if (chosen) Object.assign(session, { tz: chosen.tz, currency: chosen.currency });
}

export const mayChange = () => session.scopes.includes("admin");

export async function call(method, path, body) {
  const headers = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (session.operator && session.tenant && !path.startsWith("/v1/session")) headers["X-Spendmeter-Tenant"] = session.tenant;
  const response = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body), credentials: "same-origin" });
  if (response.status === 204) return null;
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(response.status, answer);
  return answer;
}

// Parameters as [name, value] pairs or an object; undefined ones are left out, arrays repeat.
export function get(path, parameters = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const each of Array.isArray(value) ? value : [value]) if (each !== undefined && each !== null) query.append(name, each);
  }
  const text = query.toString();
  return call("GET", text ? `${path}?${text}` : path);
}
