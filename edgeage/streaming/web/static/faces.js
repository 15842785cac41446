// How a face is told: its colour, its words, its row of a table, its box on a picture.

// Told apart by those who see fewer colours (Okabe & Ito, 2008); as edgeage.drawing has them.
const COLOURS = ["#3cdc73", "#56b4e9", "#e69f00", "#f0e442", "#cc79a7", "#ff6e32"];

export const AGE_GROUPS = [
  "0-9", "10-19", "20-29", "30-39", "40-49", "50-59", "60-69", "70-79", "80-120",
];

const SVG = "http://www.w3.org/2000/svg";

export function element(tag, options = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(options)) made[name] = value;
  made.append(...children);
  return made;
}

export function colourOf(number) {
  const count = COLOURS.length;
  return COLOURS[((number % count) + count) % count];
}

export function age(face) {
  if (typeof face.age !== "number") return face.age_group ?? "unknown";
  const years = Math.round(face.age);
  const interval = face.age_interval;
  if (Array.isArray(interval)) return `${years} (${interval.map((a) => Math.round(a)).join("–")})`;
  return face.age_group ? `${years} (${plain(face.age_group)})` : `${years}`;
}

export function gender(face) {
  if (!face.gender) return "unknown";
  const share = face.gender_probability;
  return typeof share === "number" ? `${face.gender} ${percent(share)}` : face.gender;
}

export function percent(share) {
  return typeof share === "number" ? `${Math.round(100 * share)} %` : "–";
}

export function plain(group) {
  return group === "80-120" ? "80+" : group.replace("-", "–");
}

export function row(number, name, ...cells) {
  const swatch = element("span", { className: "swatch" });
  swatch.style.background = colourOf(number);
  const head = element("th", { scope: "row" }, swatch, name);
  return element("tr", {}, head, ...cells.map((text) => element("td", {}, text)));
}

export function emptyRow(text, columns) {
  return element("tr", {}, element("td", { colSpan: columns, className: "none" }, text));
}

export function drawBoxes(svg, faces, width, height) {
  const thick = Math.max(width, height) / 220;
  const size = Math.max(width, height) / 24;
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.replaceChildren(...faces.flatMap((face, place) => {
    const [left, top, right, bottom] = face.box;
    const box = { x: left, y: top, width: right - left, height: bottom - top, fill: "none" };
    const colour = colourOf(place);
    const label = shape("text", {
      x: left + thick, y: Math.max(top - 1.6 * thick, size), fill: colour, stroke: "#101418",
      "stroke-width": 0.8 * thick, "paint-order": "stroke", "font-size": size, "font-weight": 700,
      "font-family": "system-ui, sans-serif",
    });
    label.textContent = `${place + 1}`;
    return [
      shape("rect", { ...box, stroke: "#101418", "stroke-width": 2.2 * thick }),
      shape("rect", { ...box, stroke: colour, "stroke-width": thick }),
      label,
    ];
  }));
}

function shape(tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}
