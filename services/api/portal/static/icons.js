// The rail's pictures, drawn as lines.

const SVG = "http://www.w3.org/2000/svg";

export function icon(shape) {
  const picture = document.createElementNS(SVG, "svg");
  const attributes = { viewBox: "0 0 24 24", width: 20, height: 20, fill: "none", stroke: "currentColor" };
  const strokes = { "stroke-width": 1.7, "stroke-linecap": "round", "stroke-linejoin": "round" };
  for (const [name, value] of Object.entries({ ...attributes, ...strokes, "aria-hidden": "true" }))
    picture.setAttribute(name, value);
  const line = document.createElementNS(SVG, "path");
  line.setAttribute("d", shape);
  picture.append(line);
  return picture;
}
