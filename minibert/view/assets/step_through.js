// One training step, op by op. The same code runs in a page and in Jupyter (as an anywidget).

class StepThrough extends View {
  constructor(root, steps, buffer) {
    super();
    this.data = steps;
    this.arrays = new Arrays(steps.arrays, buffer);
    this.root = root;
    this.maps = [];
    this.origin = originOf(steps.steps);
    root.classList.add("minibert-view");
    root.replaceChildren(this.bar(), make("div", { className: "columns" }, this.diagram(), this.body()), this.tipBox());
    root.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.resize()).observe(this.main);
    this.go(0);
  }

  bar() {
    const { steps, title, loss } = this.data;
    const forward = steps.filter((step) => !step.back).length;
    const button = (text, label, move) => make("button", { onclick: move, ariaLabel: label, title: label }, text);
    this.slider = make("input", { type: "range", min: 0, max: steps.length - 1, value: 0, ariaLabel: "op of the step" });
    this.slider.oninput = () => this.go(Number(this.slider.value));
    this.where = make("span", { className: "where" });
    const ways = make("div", { className: "ways", ariaHidden: true }, make("span", {}, "forward →"), make("span", {}, "backward →"));
    ways.style.gridTemplateColumns = `${forward}fr ${steps.length - forward}fr`;
    return make("header", {},
      make("div", { className: "title" }, make("b", {}, title), ` loss ${format(loss)}`, this.where),
      make("div", { className: "controls" }, button("‹", "previous op", () => this.go(this.at - 1)),
        make("div", { className: "track" }, ways, this.slider), button("›", "next op", () => this.go(this.at + 1))));
  }

  diagram() {
    this.nodes = new Map();
    const tree = make("div", { className: "tree" });
    const seen = new Set();
    for (const { place } of this.data.steps) {
      const keys = place.split(".");
      for (let depth = 1; depth <= keys.length; depth++) {
        const name = keys.slice(0, depth).join(".");
        const label = keys[depth - 1];
        if (!name || seen.has(name) || label === "layers") continue;
        seen.add(name);
        const node = make("button", { title: name, onclick: () => this.goTo(name) }, /^\d+$/.test(label) ? `layer ${label}` : label);
        node.style.marginInlineStart = `${0.9 * keys.slice(0, depth - 1).filter((key) => key !== "layers").length}em`;
        this.nodes.set(name, node);
      }
    }
    tree.append(...this.nodes.values());
    this.crumb = make("summary", {});
    this.tree = tree;
    const open = (this.root.clientWidth || innerWidth) > 760;
    return make("details", { className: "diagram", open }, this.crumb, tree);
  }

  body() {
    this.main = make("main", {});
    return this.main;
  }

  // The token, or the entry of the vocabulary, that an index stands for.
  label(number, axis, index) {
    const shape = this.arrays.shape(number);
    const { tokens, vocabulary, vocab_size } = this.data;
    const [B, T] = [tokens.length, tokens[0].length];
    if (shape[axis] === vocab_size && shape.length <= 2) return vocabulary[index[axis]];
    const position = shape.length === 4 ? axis >= 2 : shape.length >= 2 && axis === 1;
    return position && shape[0] === B && shape[axis] === T ? tokens[index[0]][index[axis]] : undefined;
  }

  key(event) {
    const go = { ArrowLeft: this.at - 1, ArrowRight: this.at + 1, Home: 0, End: this.data.steps.length - 1 }[event.key];
    if (go === undefined || event.target === this.slider || event.target.tagName === "SELECT") return;
    event.preventDefault();
    this.go(go);
  }

  goTo(place) {
    const below = (step) => `${step.place}.`.startsWith(`${place}.`);
    const later = this.data.steps.findIndex((step, i) => i > this.at && below(step) && step.back === this.step.back);
    const first = this.data.steps.findIndex((step) => below(step) && step.back === this.step.back);
    this.go(later >= 0 && this.step.place.startsWith(place) ? later : first >= 0 ? first : this.data.steps.findIndex(below));
  }

  go(at) {
    this.at = Math.min(this.data.steps.length - 1, Math.max(0, at));
    this.step = this.data.steps[this.at];
    this.slider.value = this.at;
    const way = this.step.back ? "backward" : "forward";
    this.where.textContent = `${this.at + 1} / ${this.data.steps.length} ${way}`;
    this.slider.setAttribute("aria-valuetext", `${this.at + 1}, ${this.step.name}, ${this.step.place}`);
    this.root.classList.toggle("is-backward", this.step.back);
    this.tip(null);
    this.showPlace();
    this.showStep();
  }

  showPlace() {
    for (const [name, node] of this.nodes) {
      node.classList.toggle("on-the-way", `${this.step.place}.`.startsWith(`${name}.`));
      node.toggleAttribute("aria-current", name === this.step.place);
      if (name === this.step.place) this.tree.scrollTop = node.offsetTop - this.tree.clientHeight / 2;
    }
    this.crumb.textContent = this.step.place.replaceAll(".", " › ") || "the model";
  }

  showStep() {
    const { step, data } = this;
    const source = data.sources[step.name];
    this.maps = [];
    this.answer = make("section", { className: "answer stays", ariaLive: "polite" }, make("p", {}, hint(step, source)));
    this.main.replaceChildren(
      make("h2", {}, step.name, make("small", {}, step.place)),
      make("p", { className: "facts" }, facts(step)),
      make("pre", { className: "formula" }, ...flowing(source.doc)),
      this.parts(),
      this.row("in", step.inputs), this.row("on the way", step.inside), this.row("out", step.outputs), this.answer,
      make("details", { className: "source", open: true }, make("summary", {}, `${source.file}, line ${source.line}`),
        make("pre", {}, source.code)));
    this.resize();
  }

  parts() {
    const { parts } = this.step;
    if (!parts.length) return "";
    const buttons = parts.map((i) => make("button", { onclick: () => this.go(i) }, `${i + 1} ${this.data.steps[i].name}`));
    return make("p", { className: "parts" }, "It is made of: ", ...buttons);
  }

  row(title, values) {
    if (!values.length) return "";
    const shown = values.map(({ n, a, v, e }) => (a === undefined ? make("p", { className: "number" }, `${n} = ${v}`) : this.map(n, a, e, title === "in")));
    return make("section", { className: "row" }, make("h3", {}, title), make("div", {}, ...shown));
  }

  map(name, number, explanation, isInput) {
    const pick = explanation
      ? (index, value) => this.explain(name, number, explanation, index, value)
      : isInput ? null : (index, value) => this.leaveUnexplained(name, number, index, value);
    const from = this.origin.get(number);
    const link = isInput && from !== undefined && from < this.at
      ? make("button", { className: "from", onclick: () => this.go(from), title: this.data.steps[from].name }, `from ${from + 1}`) : null;
    const map = new Heatmap(this, name, number, pick, link);
    map.element.classList.toggle("can-pick", Boolean(explanation));
    this.maps.push(map);
    return map.element;
  }

  resize() {
    const width = Math.max(120, Math.min(this.main.clientWidth - 28, 560));
    for (const map of this.maps) map.draw(map.shape.length === 1 ? this.main.clientWidth - 28 : width);
  }

  explain(name, number, explanation, index, value) {
    const found = explainCell(explanation, index, this.arrays, value);
    const own = { array: number, index };
    for (const map of this.maps) map.show([own, ...found.marks].find(({ array }) => array === map.number) ?? null);
    this.answer.replaceChildren(...explanationElements(`${name}[${index.join(", ")}]`, value, found));
  }

  leaveUnexplained(name, number, index, value) {
    for (const map of this.maps) map.show(map.number === number ? { index } : null);
    this.answer.replaceChildren(make("h3", {}, `${name}[${index.join(", ")}] = ${this.arrays.text(number, value)}`),
      make("p", {}, unexplained(this.step, this.data.sources[this.step.name])));
  }
}

// A docstring whose paragraphs are as wide as the page. Lines that are indented, the formulas, keep to themselves; where
// one is too long it breaks between the formulas in it, which stand apart by several spaces, and goes on indented.
function flowing(doc) {
  const isFormula = (part) => /^ |\n /.test(part);
  return doc.split("\n\n").flatMap((part, i) => [i ? "\n\n" : "",
    ...(isFormula(part) ? part.split("\n").flatMap((line, j) => [j ? "\n" : "", formulaLine(line)]) : [part.replaceAll("\n", " ")])]);
}

function formulaLine(line) {
  const [, indent, text] = line.match(/^( *)(.*)$/);
  const element = make("span", { className: "line" }, indent, ...text.split(/( {2,})/).map((part, i) => (i % 2 ? part : make("span", {}, part))));
  element.style.setProperty("--indent", `${indent.length}ch`);
  return element;
}

// Which step made an array first; an op that only calls others made none.
function originOf(steps) {
  const made = new Map();
  steps.forEach((step, i) => step.parts.length || step.outputs.forEach(({ a }) => {
    if (a !== undefined && !made.has(a)) made.set(a, i);
  }));
  return made;
}

function facts({ ms, mflop, mb, back }) {
  const work = mflop ? `, ${format(mflop)} MFLOP` : "";
  return `${back ? "backward" : "forward"}, ${format(ms)} ms${work}, ${format(mb)} MB`;
}

function hint(step, source) {
  const { outputs, inside, back } = step;
  if (![...outputs, ...inside].some(({ e }) => e)) return unexplained(step, source);
  return back ? "Click a cell of a gradient to see the terms that add up to it." : "Click a cell of an output to see what made it.";
}

// What to do about a number that cannot be taken apart here.
function unexplained({ name, parts }, { file, line }) {
  if (parts.length) return "Step on to its parts to see what made each number.";
  return `The terms of ${name} are not written down for this page. How it computes each number stands above, and in ${file}, line ${line}.`;
}
