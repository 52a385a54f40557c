// Figures and times for people. Amounts stay decimal strings or BigInts; a float only ever sets a width.

const FRACTION_DIGITS = 30;
const ONE = 10n ** BigInt(FRACTION_DIGITS);

export function parseDecimal(text) {
  const [, sign, whole, fraction = ""] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text);
  const value = BigInt(whole + fraction.padEnd(FRACTION_DIGITS, "0").slice(0, FRACTION_DIGITS));
  return sign ? -value : value;
}

export function formatDecimal(value) {
  const digits = (value < 0n ? -value : value).toString().padStart(FRACTION_DIGITS + 1, "0");
  const fraction = digits.slice(-FRACTION_DIGITS).replace(/0+$/, "");
  return (value < 0n ? "-" : "") + digits.slice(0, -FRACTION_DIGITS) + (fraction && `.${fraction}`);
}

export const sum = (texts) => texts.reduce((total, each) => total + parseDecimal(each), 0n);

export function ratio(part, whole) {
  return whole === 0n ? 0 : Number((part * 1_000_000n) / whole) / 1_000_000;
}

// Per hour, from an amount in `seconds`.
export const perHour = (amount, seconds) => (amount * 3600n) / BigInt(Math.max(1, Math.round(seconds)));

const formats = new Map();
function numberFormat(options) {
  const key = JSON.stringify(options);
  if (!formats.has(key))
    formats.set(key, new Intl.NumberFormat("en", { roundingMode: "halfEven", ...options }));
  return formats.get(key);
}

// Two places; more for what would otherwise read 0.00.
export function money(amount, currency) {
  const value = typeof amount === "bigint" ? amount : parseDecimal(amount);
  const size = abs(value);
  const small = size !== 0n && size < ONE / 100n;
  const digits = small
    ? { minimumSignificantDigits: 1, maximumSignificantDigits: 2 }
    : { minimumFractionDigits: 2, maximumFractionDigits: 2 };
  return moneyFormat(currency, digits).format(formatDecimal(value));
}

// What one thing costs: three digits, where two places would hide a third of it.
export function unitMoney(amount, currency) {
  const size = abs(parseDecimal(amount));
  if (size === 0n || size >= ONE) return money(amount, currency);
  const least = size >= ONE / 10n ? 2 : 1; // $0.60, as amounts are written
  return moneyFormat(currency, { minimumSignificantDigits: least, maximumSignificantDigits: 3 }).format(
    amount,
  );
}

// Of a column, aligned at the decimal point: as many places for all as the largest needs.
export function moneyColumn(amounts, currency) {
  const largest = amounts.map(parseDecimal).reduce((most, each) => (abs(each) > most ? abs(each) : most), 0n);
  const places =
    largest === 0n || largest >= ONE
      ? 2
      : Math.min(12, Math.ceil(-Math.log10(ratio(largest, ONE) || 1e-6)) + 2);
  const format = moneyFormat(currency, { minimumFractionDigits: places, maximumFractionDigits: places });
  const least = ONE / 10n ** BigInt(places);
  return (amount) => {
    const value = typeof amount === "bigint" ? amount : parseDecimal(amount);
    if (value === 0n || abs(value) >= least) return format.format(formatDecimal(value));
    const [sign, end] = value > 0n ? ["<", least] : [">", -least]; // a small credit is no small cost
    return sign + format.format(formatDecimal(end));
  };
}

const abs = (value) => (value < 0n ? -value : value);

// What is not counted in money has its unit behind it: events, minutes, days.
const moneyFormat = (currency, digits = {}) =>
  /^[A-Z]{3}$/.test(currency)
    ? numberFormat({ style: "currency", currency, currencyDisplay: "narrowSymbol", ...digits })
    : unitFormat(currency);

const unitFormat = (unit) => {
  const counted = numberFormat({ maximumFractionDigits: 2 });
  return { format: (count) => `${counted.format(count)} ${unit}`, formatToParts: () => [] };
};

export const symbol = (currency) =>
  moneyFormat(currency)
    .formatToParts(0)
    .find(({ type }) => type === "currency").value;

export const count = (value) => numberFormat({ maximumFractionDigits: 0 }).format(value);

// As much of a unit as a person reads: 244M. The table and its CSV have all digits.
export const shortCount = (value) =>
  numberFormat({ notation: "compact", maximumSignificantDigits: 3 }).format(value);

export const eventsOf = (number) => `${count(number)} event${number === 1 ? "" : "s"}`;

// What is not quite all is not 100 %, and what is not quite nothing is not 0 %.
export function percent(share, digits = 1) {
  const format = numberFormat({
    style: "percent",
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
  const said = format.format(share);
  const least = 0.01 / 10 ** digits;
  if (share > 0 && said === format.format(0)) return `<${format.format(least)}`;
  return share < 1 && said === format.format(1) ? `>${format.format(1 - least)}` : said;
}

export const widthOf = (share) => `${(100 * Math.min(1, Math.max(0, share))).toFixed(2)}%`;

function timeFormat(tz, options) {
  const key = `${tz}|${JSON.stringify(options)}`;
  if (!formats.has(key))
    formats.set(key, new Intl.DateTimeFormat("en-GB", { timeZone: tz, hourCycle: "h23", ...options }));
  return formats.get(key);
}

const DAY = { day: "numeric", month: "short" };
const TIME = { hour: "2-digit", minute: "2-digit", second: "2-digit" };
export const timeOf = (at, tz) => timeFormat(tz, TIME).format(new Date(at));
export const dayOf = (at, tz) => timeFormat(tz, DAY).format(new Date(at));
export const momentOf = (at, tz) => timeFormat(tz, { ...DAY, ...TIME }).format(new Date(at));
export const momentToMinute = (at, tz) => momentOf(at, tz).slice(0, -3);

const AGES = Object.entries({ d: 86_400, h: 3600, min: 60 });

export function ago(at, now = Date.now()) {
  const seconds = Math.max(0, Math.round((now - new Date(at)) / 1000));
  const [unit, size] = AGES.find(([, each]) => seconds >= each) ?? ["s", 1];
  return `${Math.floor(seconds / size)} ${unit} ago`;
}

// How far an answer is complete, in words: a time alone is read as one of today.
export function completeness(through, tz, now = Date.now()) {
  if (!through) return "not complete yet: the book is catching up";
  const isToday = dayOf(through, tz) === dayOf(now, tz);
  return `complete through ${(isToday ? timeOf : momentOf)(through, tz)}`;
}

// How much is accepted and not booked yet; a figure that nobody measured just now is none.
export function inFlight({ in_flight: events, in_flight_age_s: age }) {
  if (events !== null) return count(events);
  return age === null ? "unknown (not measured yet)" : `unknown (not measured for ${Math.round(age)} s)`;
}

const WALL_FIELDS = ["year", "month", "day", "hour", "minute", "second"];
const WALL = Object.fromEntries(WALL_FIELDS.map((name) => [name, "numeric"]));

// How far the zone is ahead of UTC at an instant, in ms.
function offset(at, tz) {
  const parts = timeFormat(tz, WALL).formatToParts(at);
  const field = (name) => Number(parts.find(({ type }) => type === name).value);
  const [year, month, ...rest] = WALL_FIELDS.map(field);
  return Date.UTC(year, month - 1, ...rest) - Math.floor(at / 1000) * 1000;
}

// The instant `days` local days before, at the same time on the wall (or at midnight).
export function daysBefore(at, days, tz, midnight = false) {
  let wall = at + offset(at, tz) - days * 86_400_000;
  if (midnight) wall -= ((wall % 86_400_000) + 86_400_000) % 86_400_000;
  const guess = wall - offset(wall, tz);
  return wall - offset(guess, tz);
}

// The instant at which a day, such as 2026-11-01, begins on the wall.
export function dayStart(day, tz) {
  const wall = Date.parse(`${day}T00:00:00Z`);
  const guess = wall - offset(wall, tz);
  return wall - offset(guess, tz);
}

// The instant a calendar month before, at the same time on the wall; of a day that month lacks, its end, as
// the API's `compare=month` has it: March has no more to be held against than February was long.
export function monthBefore(at, tz) {
  const wall = new Date(at + offset(at, tz));
  const [year, month, day] = [wall.getUTCFullYear(), wall.getUTCMonth() - 1, wall.getUTCDate()];
  const last = new Date(Date.UTC(year, month + 1, 0)).getUTCDate();
  const time = day > last ? 0 : wall.getTime() % 86_400_000;
  const moved = Date.UTC(year, month, Math.min(day, last + 1)) + time;
  const guess = moved - offset(moved, tz);
  return moved - offset(guess, tz);
}

export const wholeMinute = (at) => Math.floor(at / 60_000) * 60_000;
export const iso = (at) => new Date(at).toISOString();
