// An array as coloured cells. Brightness grows with the number, so it reads in greyscale as well.

const COLOURS = [[0, 32, 77], [49, 68, 107], [102, 105, 112], [149, 143, 120], [203, 186, 105], [255, 234, 70]]; // cividis

function channels(share) {
  const x = Math.min(1, Math.max(0, share)) * (COLOURS.length - 1);
  const i = Math.min(COLOURS.length - 2, Math.floor(x));
  return COLOURS[i].map((c, k) => Math.round(c + (x - i) * (COLOURS[i + 1][k] - c)));
}

class Heatmap {
  // view: { arrays, label(number, axis, index), tip(text, box) }, pick(index) or null: what a click on a cell does.
  constructor(view, name, number, pick, origin) {
    Object.assign(this, { view, name, number, pick });
    this.shape = view.arrays.shape(number);
    this.lead = this.shape.slice(0, -2).map((_, axis) => view.arrays.shown(number, axis)[0]);
    this.rows = this.shape.length > 1 ? view.arrays.shown(number, this.shape.length - 2) : [0];
    this.columns = this.shape.length ? view.arrays.shown(number, this.shape.length - 1) : [0];
    this.cursor = [0, 0];
    this.mark = null;
    this.scale = view.arrays.described[number]; // { min, max }: what is darkest and brightest
    this.element = make("figure", { className: pick ? "map can-pick" : "map" });
    this.element.append(this.caption(origin), this.canvas());
    if (this.shape.length) this.element.append(this.legend());
  }

  caption(origin) {
    const caption = make("figcaption", {}, make("b", {}, this.name), " ", make("span", {}, `(${this.shape.join(", ")})`));
    this.selects = this.lead.map((_, axis) => {
      const indices = this.view.arrays.shown(this.number, axis);
      const select = make("select", { ariaLabel: `${this.name}, index of axis ${axis}` });
      for (const i of indices) select.append(make("option", { value: i }, String(i)));
      select.onchange = () => this.show({ index: [...this.lead.with(axis, Number(select.value)), null, null] }, true);
      if (indices.length > 1) caption.append(" ", select);
      return select;
    });
    const [all, here] = [this.shape.slice(-2), [this.rows.length, this.columns.length].slice(-this.shape.length || 2)];
    if (this.shape.length && all.some((n, i) => n > here[i])) {
      caption.append(make("small", {}, `${here.join(" × ")} of ${all.join(" × ")} shown`));
    }
    if (origin) caption.append(" ", origin);
    return caption;
  }

  canvas() {
    const area = make("canvas", { tabIndex: 0, ariaLabel: `${this.name}, shape ${this.shape.join(" by ")}` });
    area.setAttribute("role", "application");
    area.onpointermove = (event) => this.point(this.cellAt(event));
    area.onpointerleave = area.onblur = () => this.view.tip(null);
    area.onclick = (event) => this.choose(this.cellAt(event));
    area.onkeydown = (event) => this.key(event);
    this.area = area;
    return make("div", { className: "cells" }, area);
  }

  legend() {
    const bar = make("i", {});
    bar.style.background = `linear-gradient(90deg, ${COLOURS.map((c) => `rgb(${c.join()})`).join()})`;
    this.ends = [make("span", {}), make("span", {})];
    this.rescale(this.scale);
    return make("div", { className: "legend" }, this.ends[0], bar, this.ends[1]);
  }

  rescale({ min, max }) {
    Object.assign(this, { scale: { min, max }, painted: null });
    [min, max].forEach((value, i) => (this.ends[i].textContent = this.view.arrays.text(this.number, value)));
  }

  draw(width) {
    const [rows, columns] = [this.rows.length, this.columns.length];
    const size = Math.max(5, Math.min(18, Math.floor(width / columns)));
    const ratio = globalThis.devicePixelRatio || 1;
    Object.assign(this.area, { width: columns * size * ratio, height: rows * size * ratio });
    Object.assign(this.area.style, { width: `${columns * size}px`, height: `${rows * size}px` });
    this.size = size;
    this.paint(this.area.getContext("2d"), ratio);
  }

  paint(context, ratio) {
    const [width, height] = [this.columns.length * this.size, this.rows.length * this.size];
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    context.imageSmoothingEnabled = false;
    context.drawImage(this.picture(), 0, 0, width, height);
    if (this.size > 7) {
      for (let c = 1; c <= this.columns.length; c++) context.clearRect(c * this.size - 1, 0, 1, height);
      for (let r = 1; r <= this.rows.length; r++) context.clearRect(0, r * this.size - 1, width, 1);
    }
    if (this.mark) this.outline(context);
  }

  // The slab with one pixel a cell, painted once. What is infinite, as a hidden score, or no number, is grey.
  picture() {
    const key = this.lead.join();
    if (this.painted?.key === key) return this.painted.picture;
    const { min, max } = this.scale;
    const picture = make("canvas", { width: this.columns.length, height: this.rows.length });
    const context = picture.getContext("2d");
    const pixels = context.createImageData(picture.width, picture.height);
    let at = 0;
    for (let r = 0; r < this.rows.length; r++) {
      for (let c = 0; c < this.columns.length; c++, at += 4) {
        const value = this.value(r, c);
        const share = max > min ? (value - min) / (max - min) : 0.5;
        pixels.data.set(Number.isFinite(value) ? [...channels(share), 255] : [128, 128, 128, 120], at);
      }
    }
    context.putImageData(pixels, 0, 0);
    this.painted = { key, picture };
    return picture;
  }

  outline(context) {
    const [r0, r1] = this.range(this.rows, this.mark.at(-2) ?? (this.shape.length > 1 ? null : 0));
    const [c0, c1] = this.range(this.columns, this.shape.length ? this.mark.at(-1) : 0);
    if (r0 < 0 || c0 < 0) return;
    for (const [line, style] of [[5, "#000"], [2, "#fff"]]) {
      Object.assign(context, { lineWidth: line, strokeStyle: style });
      const s = this.size;
      context.strokeRect(c0 * s + 1, r0 * s + 1, (c1 - c0 + 1) * s - 2, (r1 - r0 + 1) * s - 2);
    }
  }

  range(indices, index) {
    return index === null ? [0, indices.length - 1] : [indices.indexOf(index), indices.indexOf(index)];
  }

  // Outline what `mark` names (null: every index of an axis), on the slab it lies in.
  show(mark, redraw) {
    if (!mark && !this.mark) return;
    this.mark = mark && !redraw ? mark.index : null;
    mark?.index.slice(0, -2).forEach((i, axis) => {
      if (i === null || !this.view.arrays.shown(this.number, axis).includes(i)) return;
      this.lead[axis] = i;
      this.selects[axis].value = i;
    });
    this.paint(this.area.getContext("2d"), globalThis.devicePixelRatio || 1);
  }

  index(r, c) {
    return [...this.lead, this.rows[r], this.columns[c]].slice(this.shape.length > 1 ? 0 : -this.shape.length || 2);
  }

  value(r, c) {
    const index = this.index(r, c);
    return this.view.hides(this.number, index) ? undefined : this.view.arrays.at(this.number, index);
  }

  cellAt(event) {
    const box = this.area.getBoundingClientRect();
    const cell = (at, count) => Math.min(count - 1, Math.max(0, Math.floor(at / this.size)));
    return [cell(event.clientY - box.top, this.rows.length), cell(event.clientX - box.left, this.columns.length)];
  }

  point([r, c]) {
    this.cursor = [r, c];
    const index = this.index(r, c);
    const names = index.map((i, axis) => this.view.label(this.number, axis, index)).filter(Boolean);
    const box = this.area.getBoundingClientRect();
    const value = this.view.arrays.text(this.number, this.value(r, c));
    this.view.tip(`${this.name}[${index.join(", ")}] = ${value}${names.length ? `  ${names.join(" → ")}` : ""}`,
      box.left + (c + 1) * this.size, box.top + (r + 1) * this.size);
  }

  choose([r, c]) {
    this.point([r, c]);
    if (!this.pick) return;
    this.view.tip(null); // it would cover the answer
    this.pick(this.index(r, c), this.value(r, c));
  }

  key(event) {
    const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    const move = moves[event.key];
    if (!move && event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    event.stopPropagation();
    if (!move) return this.choose(this.cursor);
    const [r, c] = [this.cursor[0] + move[0], this.cursor[1] + move[1]];
    this.point([Math.min(this.rows.length - 1, Math.max(0, r)), Math.min(this.columns.length - 1, Math.max(0, c))]);
  }
}

// What every view has: a box that follows the pointer.
class View {
  tipBox() {
    this.tipElement = make("div", { className: "tip", hidden: true });
    this.tipElement.setAttribute("role", "status");
    return this.tipElement;
  }

  tip(text, x, y) {
    this.tipElement.hidden = text === null;
    if (text === null) return;
    this.tipElement.textContent = text;
    const width = this.tipElement.offsetWidth;
    Object.assign(this.tipElement.style, { left: `${Math.max(4, Math.min(x, innerWidth - width - 8))}px`, top: `${y + 4}px` });
  }

  // The token of an id, if the data name it; white space that can be seen.
  word(id) {
    const token = this.data.words[id] ?? String(id);
    return token.trim() ? token : token.replaceAll(" ", "␣").replaceAll("\n", "⏎");
  }

  // Is the number at an index left out of the picture?
  hides() {
    return false;
  }
}

function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}
