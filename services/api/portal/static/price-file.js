// A price file to be filled in.

// A TOML string, also as a key: senders choose these names.
const quoted = (text) => JSON.stringify(text).replace(/\u007f/g, "\\u007f");

const NAME_MAX = 190;
const HEAD = `\
# A unit that the catalog does not know yet needs a table of its own: [[unit]] unit = "…" about = "…"
# The source is where the price is written: an address, a contract.
source = ""
`;

// With the names filled in and the price left out, which is refused as long as it is. `tenant`: "" =
// everybody's.
export function emptyPriceFile({ provider, sku, units }, tenant) {
  const owner = tenant ? `tenant = ${quoted(tenant)}\n` : "";
  const prices = units.map((unit) => `${quoted(unit)} = ""`).join(", ");
  const names = `provider = ${quoted(provider)}\nsku = ${quoted(sku)}\n`;
  return {
    name: `${`${provider}-${sku}`.replace(/\//g, "-").slice(0, NAME_MAX)}.toml`,
    text: `${HEAD}${owner}layer = "organisation"\n\n[[price]]\n${names}per = 1\nprices = { ${prices} }\n`,
  };
}
