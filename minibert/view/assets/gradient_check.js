// A gradient check: of each gradient what backward says, what differences say, and how far they are apart.

class GradientCheckView extends View {
  constructor(root, data, buffer) {
    super();
    this.data = data;
    this.arrays = new Arrays(data.arrays, buffer);
    this.maps = [];
    const wrong = data.gradients.filter((gradient) => gradient.wrong);
    const verdict = wrong.length ? `✗ wrong: ${wrong.map(({ name }) => name).join(", ")}` : "✓ every gradient is right";
    root.classList.add("minibert-view");
    this.main = make("main", {}, ...data.gradients.map((gradient) => this.row(gradient)));
    root.replaceChildren(
      make("header", {}, make("div", { className: "title" }, make("b", {}, data.title), make("span", { className: "verdict" }, verdict))),
      make("p", { className: "facts" }, `An error above ${data.tolerance} is a mistake. Click a cell to compare its numbers.`),
      this.main, this.tipBox());
    new ResizeObserver(() => this.resize()).observe(this.main);
    for (const gradient of data.gradients) this.choose(gradient, gradient.worst);
  }

  row(gradient) {
    const { name, wrong, of } = gradient;
    const summary = wrong ? `✗ ${wrong} of ${of} elements are wrong` : `✓ all ${of} elements are right`;
    gradient.maps = [["by backward", gradient.analytic], ["by differences", gradient.numeric], ["relative error", gradient.error]]
      .map(([title, number]) => new Heatmap(this, title, number, (index) => this.choose(gradient, index), null));
    this.maps.push(...gradient.maps);
    gradient.answer = make("section", { className: "answer", ariaLive: "polite" });
    return make("section", { className: "row" }, make("h3", {}, `${name}: ${summary}`),
      make("div", {}, ...gradient.maps.map((map) => map.element)), gradient.answer);
  }

  choose(gradient, index) {
    const value = (number) => format(this.arrays.at(number, index));
    const worst = index.join() === gradient.worst.join() ? ", the worst" : "";
    const line = (name, number) => make("tr", {}, make("th", {}, name), make("td", { className: "value" }, value(number)));
    gradient.answer.replaceChildren(make("h3", {}, `${gradient.name}[${index.join(", ")}]${worst}`),
      make("table", {}, line("by backward", gradient.analytic), line("by differences", gradient.numeric), line("relative error", gradient.error)));
    for (const map of gradient.maps) map.show({ index });
  }

  resize() {
    for (const map of this.maps) map.draw(Math.max(120, Math.min(this.main.clientWidth - 28, 360)));
  }

  label() {
    return undefined;
  }
}
