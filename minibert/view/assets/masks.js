// What each objective makes of the same text; a button goes on to the next draw.

const FATES = ["hidden", "random", "kept"];

class MasksView extends View {
  constructor(root, data, buffer) {
    super();
    this.data = data;
    this.arrays = new Arrays(data.arrays, buffer);
    this.parts = []; // functions of the draw, each shows a part of the page
    root.classList.add("minibert-view");
    this.main = make("main", {}, ...this.masking(), this.causal(), ...this.pairs());
    root.replaceChildren(this.bar(), this.main, this.tipBox());
    new ResizeObserver(() => this.matrix.draw(Math.min(this.main.clientWidth - 8, 400))).observe(this.main);
    this.show(0);
    this.choose(Math.floor((this.arrays.shape(data.causal.ids)[0] - 1) / 2));
  }

  bar() {
    const title = make("div", { className: "title" }, make("b", {}, this.data.title));
    if (!this.parts.length) return make("header", {}, title);
    this.where = make("span", { className: "where", ariaLive: "polite" });
    const go = (text, step) => make("button", { className: "draw", onclick: () => this.show(this.draw + step) }, text);
    title.append(go("‹ the one before", -1), go("another draw ›", 1), this.where);
    return make("header", {}, title);
  }

  show(draw) {
    const { draws } = this.data;
    this.draw = (draw + draws) % draws;
    if (this.where) this.where.textContent = `draw ${this.draw + 1} of ${draws}`;
    for (const part of this.parts) part(this.draw);
  }

  section(title, text, ...content) {
    return make("section", { className: "row objective" }, make("h2", {}, title), make("p", {}, text), ...content);
  }

  // Masked tokens, and whole words -------------------------------------------------------------

  masking() {
    const { masking, mask_rate } = this.data;
    if (!masking) return [];
    const share = `${Number((100 * mask_rate).toPrecision(3))} %`;
    return [
      this.hiding("Masked tokens", `${share} of the ${masking.ordinary} tokens, rounded, are chosen. Of the chosen ones 80 % become ` +
        `${this.word(masking.mask)}, 10 % a random token, 10 % stay as they are. The model must tell what stood there.`, masking.tokens),
      this.hiding("Whole words", "The same share, but words are chosen: all pieces of a word or none. What becomes of a piece is drawn for each piece alone.",
        masking.words),
    ];
  }

  hiding(title, text, { inputs, labels }) {
    const list = make("ol", { className: "tokens chosen" });
    const counts = make("p", { className: "facts counts", ariaLive: "polite" });
    const [draws, length] = this.arrays.shape(inputs);
    const fates = (draw) => [...Array(length).keys()].map((t) => this.fate(inputs, labels, draw, t)).filter(Boolean);
    const all = [...Array(draws).keys()].flatMap(fates);
    this.parts.push((draw) => {
      list.replaceChildren(...[...Array(length).keys()].map((t) => this.card(inputs, labels, draw, t)));
      counts.textContent = `In this draw ${tally(fates(draw))}. In all ${draws} draws ${tally(all)}.`;
    });
    return this.section(title, text, list, counts);
  }

  // What became of a token: hidden, random, kept; undefined if it was not chosen.
  fate(inputs, labels, draw, t) {
    const [input, label] = [this.arrays.at(inputs, [draw, t]), this.arrays.at(labels, [draw, t])];
    return label < 0 ? undefined : input === this.data.masking.mask ? "hidden" : input === label ? "kept" : "random";
  }

  card(inputs, labels, draw, t) {
    const fate = this.fate(inputs, labels, draw, t);
    const token = make("b", {}, this.word(this.arrays.at(inputs, [draw, t])));
    const card = make("li", { className: this.data.masking.continues[t] ? "continues" : "" }, token);
    if (!fate) return card;
    card.classList.add(fate);
    card.append(make("small", {}, fate), make("small", { className: "label" }, `label ${this.word(this.arrays.at(labels, [draw, t]))}`));
    return card;
  }

  // The next token -----------------------------------------------------------------------------

  causal() {
    const { ids, seen, labels } = this.data.causal;
    const length = this.arrays.shape(ids)[0];
    const others = this.data.masking ? "Above, every position sees every other. Here nothing" : "Nothing";
    this.buttons = [...Array(length).keys()].map((t) => make("button", { onclick: () => this.choose(t) }, this.word(this.arrays.at(ids, [t]))));
    this.says = make("p", { className: "says", ariaLive: "polite" });
    this.matrix = new Heatmap(this, "may see", seen, ([row]) => this.choose(row), null);
    this.matrix.element.querySelector(".legend").remove();
    this.matrix.element.querySelector("figcaption").append(make("small", {}, "a row for each position that looks; bright: it may look there"));
    this.labels = [...Array(length).keys()].map((t) => this.arrays.at(labels, [t]));
    const list = make("ol", { className: "tokens causal", onkeydown: (event) => this.key(event) }, ...this.buttons.map((button) => make("li", {}, button)));
    return this.section("Next token", `${others} is hidden or drawn: a position sees itself and what stands before it, ` +
      "and its label is the next token. Choose a position.", list, this.says, this.matrix.element);
  }

  choose(t) {
    const { seen } = this.data.causal;
    const before = [];
    this.buttons.forEach((button, s) => {
      const visible = this.arrays.at(seen, [t, s]) === 1;
      if (visible) before.push(button.textContent);
      button.className = visible ? "seen" : s === t + 1 ? "next" : "unseen";
      button.tabIndex = s === t ? 0 : -1;
      button.ariaPressed = String(s === t);
      button.title = `position ${s}: ${visible ? "seen" : s === t + 1 ? "to be predicted" : "not seen"}`;
    });
    this.position = t;
    const label = this.labels[t] < 0 ? "and has no label: nothing follows." : `and its label is “${this.word(this.labels[t])}”.`;
    this.says.textContent = `Position ${t} sees “${before.join(" ")}”, ${label}`;
    this.matrix.mark = [t, null];
    if (this.matrix.size) this.matrix.show({ index: [t, null] });
  }

  key(event) {
    const last = this.buttons.length - 1;
    const to = { ArrowLeft: this.position - 1, ArrowRight: this.position + 1, Home: 0, End: last }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.choose(Math.min(last, Math.max(0, to)));
    this.buttons[this.position].focus();
  }

  // Pairs of sentences -------------------------------------------------------------------------

  pairs() {
    const { masking, pairs } = this.data;
    if (!masking) return [];
    const title = "Next sentence";
    if (!pairs) return [this.section(title, "This objective needs several documents, at least one of them of two sentences: give a list of texts.")];
    const label = make("p", { className: "says", ariaLive: "polite" });
    const list = make("ol", { className: "tokens" });
    const documents = make("div", { className: "documents" });
    this.parts.push((draw) => {
      const pair = pairs.draws[draw];
      label.textContent = pair.label ? "Label 1: B is random, from another document." : "Label 0: B follows A.";
      list.replaceChildren(...pair.ids.map((id, t) => make("li", { className: pair.segments[t] ? "second" : "first" },
        make("b", {}, this.word(id)), make("small", {}, String(pair.segments[t])))));
      documents.replaceChildren(...this.documents(pair));
    });
    const text = "B follows A in its document, or is taken from another one; each happens half of the time. " +
      "The model must tell which. Below each token stands its segment.";
    return [this.section(title, text, label, list, documents)];
  }

  // The documents, with the tokens of A and B marked.
  documents(pair) {
    let place = 0;
    const part = (at) => ["A", "B"].find((name) => pair[name][0] <= at && at < pair[name][1]);
    return this.data.pairs.documents.map((sentences, number) => {
      const runs = []; // [part, tokens], one after the other
      for (const id of sentences.flat()) {
        const name = part(place++);
        if (!runs.length || runs.at(-1)[0] !== name) runs.push([name, []]);
        runs.at(-1)[1].push(this.word(id));
      }
      const pieces = runs.flatMap(([name, tokens]) => {
        const text = tokens.join(" ").replaceAll(" ##", "");
        return [name ? make("mark", { className: name }, make("sup", {}, name), text) : text, " "];
      });
      return make("p", {}, make("small", {}, `document ${number + 1} `), ...pieces);
    });
  }

  label(_, axis, index) {
    return this.word(this.arrays.at(this.data.causal.ids, [index[axis]]));
  }
}

// "3 are chosen: 2 hidden, 1 random, 0 kept"
function tally(fates) {
  const counts = FATES.map((fate) => `${fates.filter((f) => f === fate).length} ${fate}`);
  return `${fates.length} ${fates.length === 1 ? "is" : "are"} chosen: ${counts.join(", ")}`;
}
