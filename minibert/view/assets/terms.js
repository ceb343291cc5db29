// The terms that add up to a number, the largest first.

const SHOWN_TERMS = 12;

function explanationElements(name, value, { formula, terms, total, made, row }) {
  const sorted = terms.filter((term) => !term.apart);
  if (!row) sorted.sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
  const apart = terms.filter((term) => term.apart);
  const table = make("table", {});
  const fill = (count) => {
    const rest = sorted.slice(count);
    const most = Math.max(...terms.map((term) => Math.abs(term.value)), 1e-30);
    table.replaceChildren(...header(terms), ...sorted.slice(0, count).map((term) => termRow(term, most)));
    if (rest.length) table.append(termRow({ where: `${rest.length} more`, parts: [], value: add(rest), rest: true }, most));
    table.append(...apart.map((term) => termRow(term, most)));
    if (!made) table.append(termRow({ where: row ? "here" : "sum", parts: [], value: total, total: true }, most));
  };
  const here = sorted.findIndex((term) => term.here);
  fill(row ? Math.max(SHOWN_TERMS, here + 1) : SHOWN_TERMS);
  const all = make("button", { onclick: () => { fill(sorted.length); all.remove(); } }, `all ${sorted.length} terms`);
  const heading = make("h3", {}, `${name} = ${format(value)}`);
  const elements = [heading, make("p", { className: "sum" }, formula), make("div", { className: "terms" }, table)];
  return sorted.length > SHOWN_TERMS ? [...elements, all] : elements;
}

function termRow({ where, parts, value, total, rest, here }, most) {
  const bar = make("i", { className: value < 0 ? "negative" : "positive" });
  bar.style.width = `${Math.min(100, (100 * Math.abs(value)) / most)}%`;
  const line = make("tr", { className: total ? "total" : rest ? "rest" : here ? "here" : "" },
    make("th", {}, where),
    make("td", { className: "value" }, format(parts[0]?.[1], "")),
    make("td", { className: "value" }, format(parts[1]?.[1], "")),
    make("td", { className: "value" }, format(value)),
    make("td", { className: "bar" }, total || rest || value === 0 ? "" : bar));
  line.dataset.value = value;
  return line;
}

// What the columns of factors are called; no header if nothing was multiplied.
function header(terms) {
  const names = terms.find((term) => term.parts.length > 1)?.parts.map(([name]) => name);
  return names ? [make("tr", {}, make("th", {}), ...names.map((name) => make("th", { className: "value" }, name)))] : [];
}
