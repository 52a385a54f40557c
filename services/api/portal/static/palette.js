// Colours of charts. They belong to names, so that ranks may change without a flicker; base.css says what
// they are in each scheme, and that they stay apart for people who do not tell all colours apart.

export const LARGEST = 8;
export const OTHERS = "others";
const COLOURS = Array.from({ length: LARGEST }, (_, index) => `var(--c${index + 1})`);
const OTHER_COLOUR = "var(--c-other)";

const colours = new Map();

// The colours of the names shown now; a name keeps its own as long as it is among them.
export function assignColours(names) {
  for (const name of colours.keys()) if (!names.includes(name)) colours.delete(name);
  for (const name of names) {
    if (colours.has(name)) continue;
    const used = new Set(colours.values());
    colours.set(name, COLOURS.find((each) => !used.has(each)) ?? OTHER_COLOUR);
  }
  return (name) => colours.get(name) ?? OTHER_COLOUR;
}

// A colour as a canvas takes it: "var(--c1)" as what it is now.
export function resolved(colour) {
  const [, name] = /^var\((--[\w-]+)\)$/.exec(colour) ?? [];
  return name ? getComputedStyle(document.documentElement).getPropertyValue(name).trim() : colour;
}
