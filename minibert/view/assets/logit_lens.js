// The logit lens: a grid of layers by positions; the cell at hand in detail.

class LogitLensView extends View {
  constructor(root, data, buffer) {
    super();
    this.data = data;
    this.arrays = new Arrays(data.arrays, buffer);
    [this.rows, this.length, this.most] = this.arrays.shape(this.data.top);
    this.answer = make("section", { className: "answer", ariaLive: "polite" });
    root.classList.add("minibert-view");
    const what = data.causal ? "what the model, if that layer were its last, would say comes next"
      : "what the model, if that layer were its last, would say stands there";
    const hint = `A column for each position of the text, a row for each layer: ${what}, and how probable it is. ` +
      "Bright is probable, ✓ is what the text says. Choose a cell; arrow keys move.";
    root.replaceChildren(make("header", {}, make("div", { className: "title" }, make("b", {}, data.title), this.place())),
      make("p", { className: "facts" }, hint), this.grid(), this.answer);
    this.choose(this.rows - 1, data.start);
    new ResizeObserver(() => this.reveal()).observe(this.scroller);
  }

  place() {
    this.where = make("span", { className: "where" });
    return this.where;
  }

  name(row) {
    return row ? `layer ${row - 1}` : "embeddings";
  }

  grid() {
    const places = [...Array(this.length).keys()];
    const head = make("tr", {}, make("th", {}, "text"), ...places.map((t) =>
      make("th", { title: `position ${t}` }, make("span", {}, this.word(this.data.ids[t])), make("small", {}, String(t)))));
    this.cells = [...Array(this.rows).keys()].map((row) => places.map((t) => this.cell(row, t)));
    const body = this.cells.map((cells, row) => make("tr", {}, make("th", {}, this.name(row)),
      ...cells.map((cell) => make("td", {}, cell))));
    const table = make("table", { ariaLabel: "predictions, layers by positions", onkeydown: (event) => this.key(event) },
      make("thead", {}, head), make("tbody", {}, ...body));
    this.scroller = make("div", { className: "lens" }, table);
    return this.scroller;
  }

  cell(row, t) {
    const id = this.arrays.at(this.data.top, [row, t, 0]);
    const p = this.arrays.at(this.data.probs, [row, t, 0]);
    const right = id === this.data.targets[t];
    const label = `${this.name(row)}, position ${t}, ${this.word(this.data.ids[t])}: ${this.word(id)}, probability ${p.toFixed(2)}${right ? ", right" : ""}`;
    const cell = make("button", { tabIndex: -1, title: label, ariaLabel: label, onclick: () => this.choose(row, t) },
      make("span", {}, this.word(id)), make("small", {}, `${right ? "✓ " : ""}${p.toFixed(2)}`));
    const shade = channels(p);
    cell.style.background = `rgb(${shade.join()})`;
    cell.style.color = isBright(shade) ? "#000" : "#fff";
    return cell;
  }

  key(event) {
    const to = { ArrowUp: [this.row - 1, this.position], ArrowDown: [this.row + 1, this.position],
      ArrowLeft: [this.row, this.position - 1], ArrowRight: [this.row, this.position + 1],
      Home: [this.row, 0], End: [this.row, this.length - 1] }[event.key];
    if (!to) return;
    event.preventDefault();
    const within = (i, n) => Math.min(n - 1, Math.max(0, i));
    this.choose(within(to[0], this.rows), within(to[1], this.length));
    this.cells[this.row][this.position].focus();
    this.reveal();
  }

  // Scroll the grid so that the cell at hand stands in its middle, and is not under the names of the layers.
  reveal() {
    const [cell, frame] = [this.cells[this.row][this.position], this.scroller].map((element) => element.getBoundingClientRect());
    this.scroller.scrollLeft += cell.left + cell.width / 2 - frame.left - frame.width / 2;
  }

  choose(row, t) {
    const before = this.cells[this.row]?.[this.position];
    if (before) Object.assign(before, { tabIndex: -1, ariaPressed: "false" });
    Object.assign(this, { row, position: t });
    Object.assign(this.cells[row][t], { tabIndex: 0, ariaPressed: "true" });
    this.where.textContent = `${this.name(row)}, position ${t}`;
    this.answer.replaceChildren(
      make("h3", {}, `${this.name(row)}, position ${t}, ${this.word(this.data.ids[t])}`),
      make("p", { className: "entropy" }, `entropy ${format(this.arrays.at(this.data.entropy, [row, t]))} nats; ` +
        `if all tokens were as probable it would be ${format(this.data.most_entropy)}`),
      make("div", { className: "large" }, this.best(row, t), this.rise(t)));
  }

  // The most probable tokens of the cell.
  best(row, t) {
    const lines = [...Array(this.most).keys()].map((k) => {
      const id = this.arrays.at(this.data.top, [row, t, k]);
      return this.line(this.word(id), this.arrays.at(this.data.probs, [row, t, k]), id === this.data.targets[t] ? "✓" : "");
    });
    return make("table", { className: "best" }, make("caption", {}, `the ${this.most} most probable tokens`), ...lines);
  }

  // How the model's answer at this position comes about, layer by layer.
  rise(t) {
    const answer = this.word(this.arrays.at(this.data.top, [this.rows - 1, t, 0]));
    const lines = [...Array(this.rows).keys()].map((row) => {
      const line = this.line(this.name(row), this.arrays.at(this.data.answer, [row, t]), "");
      line.classList.toggle("here", row === this.row);
      return line;
    });
    return make("table", { className: "rise" }, make("caption", {}, `“${answer}”, the answer of the last layer, in each layer`), ...lines);
  }

  line(name, p, mark) {
    const bar = make("i", { className: "positive" });
    bar.style.width = `${100 * p}%`;
    return make("tr", {}, make("th", {}, name), make("td", { className: "value" }, format(p)),
      make("td", { className: "bar" }, bar), make("td", {}, mark));
  }
}

// Does black text read better on a colour than white? (WCAG's relative luminance)
function isBright(colour) {
  const [r, g, b] = colour.map((c) => (c / 255) ** 2.2);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.18;
}
