// Values over the steps of training, as lines. What tells lines apart is their stroke, not a colour alone.

const STROKES = ["", "7 4", "2 3"]; // of the first line, the second, ...
const SMALL = 90; // a chart this high has two ticks only

class LineChart {
  // view: { arrays, last, point(step) }; chart: { title, series: [{ name, x, y }], levels: [{ name, value }], log }.
  // x and y are arrays; a chart with a `range` has the scale of others beside it.
  constructor(view, chart, height, range) {
    Object.assign(this, { view, height, levels: [] }, chart);
    this.lines = chart.series.map(({ name, x, y }) => ({ name, points: pointsOf(view.arrays, x, y) }));
    this.margin = { left: 54, right: 10, top: 6, bottom: height > SMALL ? 20 : 6 };
    this.setScale(range ?? rangeOf(this.lines, this.levels, this.log));
    this.values = make("span", { className: "values" });
    this.svg = svg("svg", { tabindex: 0, height, role: "img", "aria-label": `${this.title}: move with the arrow keys` });
    this.svg.addEventListener("pointermove", (event) => this.view.point(this.stepAt(event)));
    this.svg.addEventListener("pointerdown", (event) => this.view.point(this.stepAt(event)));
    this.svg.addEventListener("keydown", (event) => this.key(event));
    this.element = make("figure", { className: "chart" },
      make("figcaption", {}, make("b", {}, this.title), " ", this.values), this.svg);
  }

  setScale([low, high]) {
    this.of = this.log ? Math.log10 : (value) => value;
    const room = 0.04 * (this.of(high) - this.of(low)) || 0.5;
    [this.low, this.high] = [this.of(low) - room, this.of(high) + room];
    if (!this.log && low >= 0) this.low = Math.max(0, this.low);
    this.ticks = this.log ? powers(low, high) : evenTicks(this.low, this.high);
  }

  x(step) {
    const { left, right } = this.margin;
    return left + ((this.width - left - right) * step) / Math.max(1, this.view.last);
  }

  y(value) {
    const { top, bottom } = this.margin;
    return top + ((this.height - top - bottom) * (this.high - this.of(value))) / (this.high - this.low);
  }

  draw(width) {
    this.width = width;
    this.svg.setAttribute("viewBox", `0 0 ${width} ${this.height}`);
    this.cursor = svg("g", { class: "cursor" });
    this.svg.replaceChildren(...this.grid(), ...this.lines.flatMap((line, i) => this.line(line, i)),
      ...this.levels.flatMap((level, i) => this.level(level, i)), this.cursor); // a level's name is not crossed out
    this.point(this.view.step);
  }

  grid() {
    const { left, right } = this.margin;
    const shown = this.height > SMALL ? this.ticks : [this.ticks[0], this.ticks.at(-1)].slice(0, this.ticks.length);
    const marks = shown.flatMap((tick) => [
      svg("line", { class: "grid", x1: left, x2: this.width - right, y1: this.y(tick), y2: this.y(tick) }),
      svgText(left - 5, this.y(tick) + 4, "end", short(tick))]);
    if (this.height <= SMALL) return marks;
    const steps = evenTicks(0, this.view.last).filter((step) => Number.isInteger(step));
    return [...marks, ...steps.map((step) => svgText(this.x(step), this.height - 4, step ? "middle" : "start", short(step)))];
  }

  level({ name, value }, i) {
    const y = this.y(value);
    return [svg("line", { class: "level", x1: this.margin.left, x2: this.width - this.margin.right, y1: y, y2: y, "stroke-dasharray": STROKES[1 + i] }),
      svgText(this.width - this.margin.right - 2, y - 4, "end", `${name} ${format(value)}`)];
  }

  // The last of two lines, held out, is the one that counts: it is strong, with a dot at each value.
  line({ points }, i) {
    const alone = this.lines.length === 1;
    const strong = alone || i === this.lines.length - 1 || this.lines.length > 2;
    const path = points.map(({ step, value }, n) => `${n ? "L" : "M"}${this.x(step).toFixed(1)} ${this.y(value).toFixed(1)}`).join("");
    const dash = this.lines.length > 2 ? STROKES[i % STROKES.length] : "";
    const dots = (strong && !alone) || points.length === 1 ? points : [];
    return [svg("path", { class: strong ? "strong" : "weak", d: path, "stroke-dasharray": dash }),
      ...(dots.length > 80 ? [] : dots).map(({ step, value }) => svg("circle", { class: "dot", cx: this.x(step), cy: this.y(value), r: 2.5 }))];
  }

  // Say what each line's value is at a step, or at the logged step nearest to it, and mark it.
  point(step) {
    const found = this.lines.map(({ name, points }) => ({ name, ...nearest(points, step) }));
    this.values.replaceChildren(...found.map(({ name, step: at, value }, i) => {
      const label = found.length > 1 ? `${name} ` : "";
      const sample = found.length > 1 ? [this.sample(i), " "] : [];
      const shown = make("span", {}, ...sample, `${label}${format(value)}${at === step ? "" : ` (step ${at})`}`);
      Object.assign(shown.dataset, { name, step: at, value });
      return shown;
    }));
    const { top, bottom } = this.margin;
    this.cursor.replaceChildren(
      svg("line", { x1: this.x(step), x2: this.x(step), y1: top, y2: this.height - bottom }),
      ...found.map(({ step: at, value }) => svg("circle", { cx: this.x(at), cy: this.y(value), r: 3.5 })));
  }

  // How a line looks, beside its name.
  sample(i) {
    const weak = this.lines.length === 2 && i === 0;
    const picture = svg("svg", { class: "sample", width: 22, height: 8, "aria-hidden": true });
    picture.append(svg("path", { class: weak ? "weak" : "strong", d: "M0 4L22 4", "stroke-dasharray": this.lines.length > 2 ? STROKES[i] : "" }));
    return picture;
  }

  stepAt(event) {
    const box = this.svg.getBoundingClientRect();
    const { left, right } = this.margin;
    const share = (event.clientX - box.left - left) / (this.width - left - right);
    const step = Math.min(1, Math.max(0, share)) * this.view.last;
    const close = this.lines.map(({ points }) => nearest(points, step).step);
    return close.reduce((best, other) => (Math.abs(other - step) < Math.abs(best - step) ? other : best));
  }

  key(event) {
    const steps = [...new Set(this.lines.flatMap(({ points }) => points.map(({ step }) => step)))].sort((a, b) => a - b);
    const at = steps.findLastIndex((step) => step <= this.view.step);
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: steps.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.view.point(steps[Math.min(steps.length - 1, Math.max(0, to))]);
  }
}

// The points of a line; on a logarithmic scale there is no place for 0, and NaN has none on any.
function pointsOf(arrays, x, y) {
  return [...Array(arrays.shape(x)[0]).keys()].map((i) => ({ step: arrays.at(x, [i]), value: arrays.at(y, [i]) }))
    .filter(({ value }) => Number.isFinite(value));
}

function rangeOf(lines, levels, log) {
  const values = [...lines.flatMap(({ points }) => points), ...levels].map(({ value }) => value).filter((value) => !log || value > 0);
  return values.length ? [Math.min(...values), Math.max(...values)] : [log ? 1 : 0, 1];
}

function nearest(points, step) {
  return points.reduce((best, point) => (Math.abs(point.step - step) < Math.abs(best.step - step) ? point : best), points[0]);
}

// Round numbers, about four of them, between two.
function evenTicks(low, high) {
  const rough = (high - low) / 4 || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const width = power * [1, 2, 5, 10].find((factor) => factor * power >= rough * 0.999);
  const first = Math.ceil(low / width - 1e-9);
  return [...Array(Math.floor(high / width + 1e-9) - first + 1).keys()].map((i) => Number(((first + i) * width).toPrecision(10)));
}

// Powers of ten between two numbers; if there are not two, the numbers themselves.
function powers(low, high) {
  const found = [];
  for (let power = Math.ceil(Math.log10(low)); power <= Math.log10(high); power++) found.push(10 ** power);
  return found.length > 1 ? found : low === high ? [low] : [low, high];
}

function short(value) {
  return Math.abs(value) >= 1e4 || (value !== 0 && Math.abs(value) < 1e-2) ? value.toExponential(1).replace(".0e", "e").replace("e+", "e") : String(Number(value.toPrecision(3)));
}

function svg(tag, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

function svgText(x, y, anchor, content) {
  const element = svg("text", { x, y, "text-anchor": anchor });
  element.textContent = content;
  return element;
}
