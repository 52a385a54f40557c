// Tables as they are shown, as CSV: of a receipt, which is no table to the API.

// What begins so a spreadsheet would run, unless it is a figure.
const RUN = /^[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/;
const FIGURE = /^-?[^\d\s=+@-]?\d[\d,]*(\.\d+)?( ?%)?$/;

// RFC 4180; between two tables of `element` an empty line. Without a row there is no file: it would say that
// there is nothing where nothing has come yet.
export function shownCsv(element) {
  const tables = [...element.querySelectorAll("table")];
  if (!tables.some(({ tBodies }) => tBodies[0]?.rows.length)) throw new Error("No row is shown here yet");
  return tables.map(linesOf).join("\r\n");
}

const linesOf = (table) =>
  [...table.rows].map((row) => `${[...row.cells].map(cellOf).join(",")}\r\n`).join("");

function cellOf(cell) {
  const texts = [...cell.childNodes].map(({ textContent }) => textContent.trim());
  const text = texts.filter(Boolean).join(" ").replace(/\s+/g, " ");
  const still = RUN.test(text) && !FIGURE.test(text) ? `'${text}` : text;
  return /[",]/.test(still) ? `"${still.replaceAll('"', '""')}"` : still;
}
