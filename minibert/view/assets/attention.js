// Attention: heads by layers as thumbnails, one head as lines between tokens and as a matrix.

const ROW = 22; // the height of a token, as in the style sheet
const FAINT = 0.02; // lines thinner than this are left out

class AttentionView extends View {
  constructor(root, data, buffer) {
    super();
    this.data = data;
    this.arrays = new Arrays(data.arrays, buffer);
    [this.layers, this.heads, this.length] = this.arrays.shape(0);
    this.token = null; // the query whose lines alone are shown
    this.filter = "all";
    this.large = make("div", { className: "large" });
    root.classList.add("minibert-view");
    const hint = make("p", { className: "facts" }, "Left the token that looks, right what it looks at. Choose a token for its row of numbers, which adds up to 1.");
    root.replaceChildren(this.bar(), this.thumbnails(), hint, this.large, this.tipBox());
    this.matrix = new Heatmap(this, "P", 0, (index) => this.choose(index[2]), null);
    this.matrix.selects.forEach((select) => select.remove());
    this.matrix.element.querySelector("figcaption").append(make("small", {}, "a row for each token that looks, a column for each it looks at; brightest: the largest of this head"));
    this.lines = make("div", { className: "lines" });
    this.large.append(this.lines, this.matrix.element);
    new ResizeObserver(() => this.resize()).observe(this.large);
    this.show(0, 0);
  }

  bar() {
    this.where = make("span", { className: "where" });
    const title = make("div", { className: "title" }, make("b", {}, this.data.title), this.where);
    if (new Set(this.data.sentence).size < 2) return make("header", {}, title);
    const select = make("select", { ariaLabel: "which pairs of tokens" });
    for (const [value, text] of [["all", "all tokens"], ["00", "A → A"], ["01", "A → B"], ["10", "B → A"], ["11", "B → B"]]) {
      select.append(make("option", { value }, text));
    }
    select.onchange = () => {
      this.filter = select.value;
      this.matrix.painted = null;
      this.show(this.layer, this.head);
    };
    title.insertBefore(select, this.where);
    return make("header", {}, title);
  }

  thumbnails() {
    const grid = make("div", { className: "heads" });
    grid.style.gridTemplateColumns = `auto repeat(${this.heads}, auto)`;
    this.buttons = [];
    for (let layer = 0; layer < this.layers; layer++) {
      grid.append(make("span", {}, `layer ${layer}`));
      for (let head = 0; head < this.heads; head++) {
        const label = `layer ${layer}, head ${head}`;
        const button = make("button", { title: label, ariaLabel: label, onclick: () => this.show(layer, head) }, this.small(layer, head));
        button.onkeydown = (event) => this.key(event);
        this.buttons.push(button);
        grid.append(button);
      }
    }
    return grid;
  }

  // One pixel a probability; the brightest is the head's largest.
  small(layer, head) {
    const picture = make("canvas", { width: this.length, height: this.length });
    const context = picture.getContext("2d");
    const pixels = context.createImageData(this.length, this.length);
    const values = this.values(layer, head);
    const most = Math.max(...values);
    values.forEach((value, i) => pixels.data.set([...channels(value / most), 255], 4 * i));
    context.putImageData(pixels, 0, 0);
    return picture;
  }

  values(layer, head) {
    return [...Array(this.length ** 2).keys()].map((i) => this.arrays.at(0, [layer, head, Math.floor(i / this.length), i % this.length]));
  }

  key(event) {
    const move = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!move) return;
    event.preventDefault();
    const within = (i, n) => Math.min(n - 1, Math.max(0, i));
    this.show(within(this.layer + move[0], this.layers), within(this.head + move[1], this.heads));
    this.buttons[this.layer * this.heads + this.head].focus();
  }

  show(layer, head) {
    Object.assign(this, { layer, head });
    this.buttons.forEach((button, i) => button.setAttribute("aria-pressed", i === layer * this.heads + head));
    this.where.textContent = `layer ${layer}, head ${head}`;
    this.matrix.lead = [layer, head];
    this.matrix.rescale({ min: 0, max: Math.max(...this.values(layer, head)) });
    this.mark();
    this.drawLines();
  }

  // Show the lines of one token alone, or of all again.
  choose(token) {
    this.token = token === this.token ? null : token;
    this.mark();
    this.drawLines();
  }

  mark() {
    this.matrix.mark = this.token === null ? null : [this.layer, this.head, this.token, null];
    if (this.matrix.size) this.resize();
  }

  resize() {
    this.matrix.draw(Math.min(this.large.clientWidth - 8, 520));
  }

  hides(_, [, , query, key]) {
    const { sentence } = this.data;
    return this.filter !== "all" && this.filter !== `${sentence[query]}${sentence[key]}`;
  }

  drawLines() {
    const { tokens } = this.data;
    const left = tokens.map((token, i) => {
      const button = make("button", { title: `${token}, position ${i}`, onclick: () => this.choose(i) }, token);
      button.setAttribute("aria-pressed", i === this.token);
      return button;
    });
    const right = tokens.map((token, key) => {
      const value = this.token === null ? undefined : this.probability(this.token, key);
      const shown = value === undefined ? token : `${value.toFixed(3)} ${token}`;
      return make("span", { className: value !== undefined && value < FAINT ? "faint" : "", title: `${token}, position ${key}` }, shown);
    });
    this.lines.replaceChildren(make("div", {}, ...left), this.web(), make("div", {}, ...right));
    const focused = this.token !== null && document.activeElement === document.body;
    if (focused) left[this.token].focus({ preventScroll: true });
  }

  probability(query, key) {
    const index = [this.layer, this.head, query, key];
    return this.hides(0, index) ? undefined : this.arrays.at(0, index);
  }

  web() {
    const svg = (tag, attributes) => {
      const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
      for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
      return element;
    };
    const web = svg("svg", { height: this.length * ROW, viewBox: `0 0 100 ${this.length * ROW}`, preserveAspectRatio: "none", "aria-hidden": true });
    const queries = this.token === null ? [...Array(this.length).keys()] : [this.token];
    for (const query of queries) {
      for (let key = 0; key < this.length; key++) {
        const value = this.probability(query, key);
        if (value === undefined || value < FAINT) continue;
        web.append(svg("line", { x1: 0, x2: 100, y1: (query + 0.5) * ROW, y2: (key + 0.5) * ROW,
          "stroke-width": 0.7 + 4 * value, "stroke-opacity": Math.min(1, 0.25 + value), "vector-effect": "non-scaling-stroke" }));
      }
    }
    return web;
  }

  label(_, axis, index) {
    return axis >= 2 ? this.data.tokens[index[axis]] : undefined;
  }
}
