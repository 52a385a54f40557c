// Charts: spend over time as stacked bars, prices over time as steps. Colours belong to names, so that ranks
// may change without a flicker.

const COLOURS = ["#4c6ef5", "#20c997", "#fab005", "#e64980", "#15aabf", "#845ef7", "#94d82d", "#fd7e14"];
const OTHER_COLOUR = "#adb5bd";
const NARROW_PX = 500;
export const LARGEST = COLOURS.length;
export const OTHERS = "others";

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

// layers: [{name, label, points: [{x: "2026-11-23 10:00:00", y, text, start, end}]}], bottom first.
export function drawBars(element, layers, { widthMs, range, unit, onClick }) {
  if (!window.Plotly) return;
  const colourOf = assignColours(layers.map(({ name }) => name).filter((name) => name !== OTHERS));
  const traces = layers.map(({ name, label, points }) => ({
    type: "bar",
    name: label,
    x: points.map(({ x }) => x),
    y: points.map(({ y }) => y),
    customdata: points.map(({ text, start, end }) => [text, start, end, name]),
    width: widthMs * 0.86,
    offset: widthMs * 0.07,
    marker: { color: colourOf(name) },
    hovertemplate: "%{customdata[0]}<extra>%{fullData.name}</extra>",
  }));
  plot(element, traces, { range, unit, barmode: "stack" });
  if (!element.onPick) element.on("plotly_click", ({ points }) => pick(element, points[0].customdata));
  element.onPick = onClick;
}

const pick = (element, [, start, end, name]) => element.onPick(name, start, end);

// lines: [{name, past, spans: [{from, to, y, text: [line of words]}]}]: what is no longer believed is dotted.
export function drawSteps(element, lines, { range, unit }) {
  if (!window.Plotly) return;
  const colourOf = assignColours([...new Set(lines.map(({ name }) => name))]);
  const traces = lines.map(({ name, past, spans }) => ({
    type: "scatter",
    mode: "lines+markers",
    connectgaps: false,
    name: escaped(name),
    opacity: past ? 0.6 : 1,
    line: { color: colourOf(name), width: past ? 2 : 3, dash: past ? "dot" : "solid" },
    marker: { size: spans.flatMap(() => [past ? 6 : 9, 1, 0]) }, // where a price begins; what a pointer finds
    x: spans.flatMap(({ from, to }) => [from, to, to]),
    y: spans.flatMap(({ y }) => [y, y, null]),
    customdata: spans.flatMap(({ text }) => Array(3).fill([text.filter(Boolean).map(escaped).join("<br>")])),
    hovertemplate: "%{customdata[0]}<extra></extra>",
  }));
  plot(element, traces, { range, unit });
}

function plot(element, traces, { range, unit, ...layout }) {
  const style = getComputedStyle(document.documentElement);
  const [font, soft, line] = ["--font", "--soft", "--line"].map((name) =>
    style.getPropertyValue(name).trim(),
  );
  const xaxis = {
    type: "date",
    range,
    fixedrange: true,
    showgrid: false,
    linecolor: line,
    tickcolor: line,
    ticks: "outside",
    nticks: element.clientWidth < NARROW_PX ? 4 : 8,
  };
  const yaxis = {
    fixedrange: true,
    rangemode: "tozero",
    gridcolor: line,
    zeroline: false,
    tickprefix: unit,
    nticks: 5,
    automargin: true,
  };
  const frame = {
    showlegend: false,
    autosize: true,
    height: 260,
    margin: { l: 52, r: 8, t: 8, b: 44 },
    paper_bgcolor: "transparent",
    plot_bgcolor: "transparent",
    font: { family: font, size: 12, color: soft },
    hovermode: "closest",
    hoverlabel: { align: "left", font: { family: font } },
    dragmode: false,
  };
  const options = { displayModeBar: false, responsive: true };
  window.Plotly.react(element, traces, { ...frame, xaxis, yaxis, ...layout }, options);
}

// Plotly reads a little markup in names; what senders wrote is shown as they wrote it.
export const escaped = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
