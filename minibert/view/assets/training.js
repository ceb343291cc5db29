// A training run: curves, the gradients of its layers, and what each saved step predicts.

class TrainingView extends View {
  constructor(root, data, buffer) {
    super();
    this.data = data;
    this.arrays = new Arrays(data.arrays, buffer);
    const lines = [...data.charts.flatMap(({ series }) => series), ...data.layers];
    this.last = Math.max(...lines.map(({ x }) => this.arrays.at(x, [this.arrays.shape(x)[0] - 1])));
    this.step = this.last;
    this.where = make("span", { className: "where" });
    root.classList.add("minibert-view");
    this.main = make("main", {}, this.curves(), this.gradients(), this.predictions());
    root.replaceChildren(make("header", {}, make("div", { className: "title" }, make("b", {}, data.title), this.where)), this.main);
    new ResizeObserver(() => this.resize()).observe(this.main);
    this.resize();
    this.point(this.last);
    if (this.places) this.save(this.saved.length - 1);
  }

  curves() {
    this.charts = this.data.charts.map((chart, i) => new LineChart(this, chart, i ? 150 : 260));
    this.charts[0].element.classList.add("wide");
    const every = this.data.every > 1 ? ` One of ${this.data.every} logged steps is drawn.` : "";
    return make("section", { className: "row" }, make("h3", {}, "curves"),
      hintLine(`Point at a step, or choose a chart and use the arrow keys: all charts show its values.${every}`),
      make("div", { className: "charts" }, ...this.charts.map(({ element }) => element)));
  }

  gradients() {
    const { layers } = this.data;
    const section = make("section", { className: "row" }, make("h3", {}, "norm of the gradient, layer by layer"));
    if (!layers.length) {
      section.append(hintLine("The log of this run does not hold them. Every new run of minibert pretrain logs them: train again to see them."));
      return section;
    }
    const every = layers.map((layer) => new LineChart(this, { title: layer.name, series: [layer], log: true }, 66));
    const range = rangeOf(every.flatMap(({ lines }) => lines), [], true);
    every.forEach((chart) => chart.setScale(range));
    this.charts.push(...every);
    section.append(hintLine("Of one step each, before clipping; one scale for all, logarithmic. The squares add up to the square of the whole gradient's norm."),
      make("div", { className: "charts layers" }, ...every.map(({ element }) => element)));
    return section;
  }

  predictions() {
    const { saved } = this.data;
    const section = make("section", { className: "row" }, make("h3", {}, "what each saved step predicts"));
    if (!saved) {
      section.append(hintLine("Nothing is saved yet: weights are written at each evaluation."));
      return section;
    }
    this.saved = [...Array(this.arrays.shape(saved.steps)[0]).keys()].map((i) => this.arrays.at(saved.steps, [i]));
    this.slider = make("input", { type: "range", min: 0, max: this.saved.length - 1, ariaLabel: "saved step" });
    this.slider.oninput = () => this.save(Number(this.slider.value));
    const button = (text, label, move) => make("button", { onclick: () => this.save(this.at + move), ariaLabel: label, title: label }, text);
    this.label = make("p", { className: "saved-step", ariaLive: "polite" });
    this.sentence = make("p", { className: "sentence" });
    this.places = saved.places.map((place) => this.place(place));
    const most = Math.max(...this.places.flatMap(({ chart }) => rangeOf(chart.lines, [], false)));
    this.places.forEach(({ chart }) => chart.setScale([0, most]));
    if (this.saved.length < 3) section.append(hintLine("A run keeps its two newest checkpoints. --save_every 250 --save_total_limit 0 keeps one for every 250 steps."));
    section.append(make("div", { className: "controls" }, button("‹", "saved step before", -1), make("div", { className: "track" }, this.slider), button("›", "next saved step", 1)),
      this.label, this.sentence, make("div", { className: "charts" }, ...this.places.map(({ element }) => element)));
    return section;
  }

  // Of one mask, or of what comes next: the best tokens, and how those of the end came to be the best.
  place(place) {
    const { tokens } = this.data.saved;
    const title = place.at < tokens.length ? `the mask at position ${place.at}` : "the next token";
    const chart = new LineChart({ arrays: this.arrays, last: this.saved.at(-1), step: this.saved[0], point: (step) => this.save(this.saved.indexOf(step)) },
      { title: "probability", series: place.followed }, 120);
    const table = make("table", {});
    const element = make("div", { className: "place" }, make("h3", {}, title), make("div", { className: "terms" }, table), chart.element);
    return { place, table, chart, element };
  }

  save(at) {
    this.at = Math.min(this.saved.length - 1, Math.max(0, at));
    this.slider.value = this.at;
    this.slider.setAttribute("aria-valuetext", `step ${this.saved[this.at]}`);
    this.label.textContent = `step ${this.saved[this.at]}, saved step ${this.at + 1} of ${this.saved.length}`;
    const best = new Map(this.places.map(({ place, table, chart }) => {
      const found = place.tokens.map((token, i) => ({ token, p: this.arrays.at(place.probs, [this.at, i]) }))
        .sort((a, b) => b.p - a.p).slice(0, this.data.top);
      table.replaceChildren(...found.map(probabilityRow));
      chart.view.step = this.saved[this.at];
      if (chart.cursor) chart.point(chart.view.step);
      return [place.at, found[0].token];
    }));
    const { tokens } = this.data.saved;
    const words = [...tokens.keys(), ...(best.has(tokens.length) ? [tokens.length] : [])];
    this.sentence.replaceChildren(...words.flatMap((i) => [best.has(i) ? make("mark", {}, best.get(i)) : tokens[i], " "]));
  }

  point(step) {
    this.step = step;
    this.where.textContent = `step ${step}`;
    for (const chart of this.charts) chart.point(step);
  }

  resize() {
    for (const chart of [...this.charts, ...(this.places ?? []).map((place) => place.chart)]) {
      chart.draw(Math.max(160, chart.element.clientWidth));
    }
  }
}

function probabilityRow({ token, p }) {
  const bar = make("i", { className: "positive" });
  bar.style.width = `${100 * p}%`;
  const row = make("tr", {}, make("th", {}, token), make("td", { className: "value" }, format(p)), make("td", { className: "bar" }, bar));
  Object.assign(row.dataset, { token, value: p });
  return row;
}

function hintLine(text) {
  return make("p", { className: "facts" }, text);
}
