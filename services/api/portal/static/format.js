// Figures and times for people. Amounts stay decimal strings or BigInts; a float only ever sets a width.

const FRACTION_DIGITS = 30;
const ONE = 10n ** BigInt(FRACTION_DIGITS);

export function decimal(text) {
  const [, sign, whole, fraction = ""] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text);
  const value = BigInt(whole + fraction.padEnd(FRACTION_DIGITS, "0").slice(0, FRACTION_DIGITS));
  return sign ? -value : value;
}

export function plain(value) {
  const digits = (value < 0n ? -value : value).toString().padStart(FRACTION_DIGITS + 1, "0");
  const fraction = digits.slice(-FRACTION_DIGITS).replace(/0+$/, "");
  return (value < 0n ? "-" : "") + digits.slice(0, -FRACTION_DIGITS) + (fraction && `.${fraction}`);
}

export const sum = (texts) => texts.reduce((total, each) => total + decimal(each), 0n);

export function ratio(part, whole) {
  return whole === 0n ? 0 : Number((part * 1_000_000n) / whole) / 1_000_000;
}

// Per hour, from an amount in `seconds`.
export const perHour = (amount, seconds) => (amount * 3600n) / BigInt(Math.max(1, Math.round(seconds)));

const formats = new Map();
function number(options) {
  const key = JSON.stringify(options);
  if (!formats.has(key))
    formats.set(key, new Intl.NumberFormat("en", { roundingMode: "halfEven", ...options }));
  return formats.get(key);
}

// Two places; more for what would otherwise read 0.00.
export function money(amount, currency) {
  const value = typeof amount === "bigint" ? amount : decimal(amount);
  const size = value < 0n ? -value : value;
  const small = size !== 0n && size < ONE / 100n;
  const digits = small
    ? { minimumSignificantDigits: 1, maximumSignificantDigits: 2 }
    : { minimumFractionDigits: 2, maximumFractionDigits: 2 };
  return number({ style: "currency", currency, currencyDisplay: "narrowSymbol", ...digits }).format(
    plain(value),
  );
}

export const symbol = (currency) =>
  number({ style: "currency", currency, currencyDisplay: "narrowSymbol" })
    .formatToParts(0)
    .find(({ type }) => type === "currency").value;

export const count = (value) => number({ maximumFractionDigits: 0 }).format(value);

export function percent(share, digits = 1) {
  return number({ style: "percent", minimumFractionDigits: digits, maximumFractionDigits: digits }).format(
    share,
  );
}

function clock(tz, options) {
  const key = `${tz}|${JSON.stringify(options)}`;
  if (!formats.has(key))
    formats.set(key, new Intl.DateTimeFormat("en-GB", { timeZone: tz, hourCycle: "h23", ...options }));
  return formats.get(key);
}

export const timeOf = (at, tz) =>
  clock(tz, { hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(new Date(at));
export const minuteOf = (at, tz) => clock(tz, { hour: "2-digit", minute: "2-digit" }).format(new Date(at));
export const dayOf = (at, tz) => clock(tz, { day: "numeric", month: "short" }).format(new Date(at));
export const momentOf = (at, tz) =>
  clock(tz, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(
    new Date(at),
  );

export function ago(at, now = Date.now()) {
  const seconds = Math.max(0, Math.round((now - new Date(at)) / 1000));
  for (const [size, unit] of [
    [86400, "d"],
    [3600, "h"],
    [60, "min"],
  ])
    if (seconds >= size) return `${Math.floor(seconds / size)} ${unit} ago`;
  return `${seconds} s ago`;
}

// How much is accepted and not booked yet; a figure that nobody measured just now is none.
export function inFlight({ in_flight: events, in_flight_age_s: age }) {
  if (events !== null) return count(events);
  return age === null ? "unknown (not measured yet)" : `unknown (not measured for ${Math.round(age)} s)`;
}

// How far the zone is ahead of UTC at an instant, in ms.
function offset(at, tz) {
  const parts = Object.fromEntries(
    clock(tz, {
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    })
      .formatToParts(at)
      .map(({ type, value }) => [type, Number(value)]),
  );
  return (
    Date.UTC(parts.year, parts.month - 1, parts.day, parts.hour, parts.minute, parts.second) -
    Math.floor(at / 1000) * 1000
  );
}

// The instant `days` local days before, at the same time on the wall (or at midnight).
export function daysBefore(at, days, tz, midnight = false) {
  let wall = at + offset(at, tz) - days * 86_400_000;
  if (midnight) wall -= ((wall % 86_400_000) + 86_400_000) % 86_400_000;
  const guess = wall - offset(wall, tz);
  return wall - offset(guess, tz);
}

export const wholeMinute = (at) => Math.floor(at / 60_000) * 60_000;
export const iso = (at) => new Date(at).toISOString();
