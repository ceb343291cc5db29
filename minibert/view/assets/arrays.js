// Arrays that came as boxes of float32 in one buffer: see minibert/view/windows.py.

class Arrays {
  constructor(described, buffer) {
    this.described = described;
    this.numbers = new Float32Array(buffer);
    this.boxes = described.map((array) => array.boxes.map((box) => this.open(box)));
  }

  open({ axes, offset }) {
    const find = axes.map((axis) => {
      if (typeof axis === "number") return (i) => (i < axis ? i : -1);
      const places = new Map(axis.map((index, place) => [index, place]));
      return (i) => places.get(i) ?? -1;
    });
    return { find, sizes: axes.map((axis) => (typeof axis === "number" ? axis : axis.length)), offset };
  }

  shape(number) {
    return this.described[number].shape;
  }

  // The indices of an axis that are shown.
  shown(number, axis) {
    const indices = this.described[number].shown[axis];
    return typeof indices === "number" ? [...Array(indices).keys()] : indices;
  }

  // One number; undefined if the page does not hold it.
  at(number, index) {
    for (const { find, sizes, offset } of this.boxes[number]) {
      let place = 0;
      for (let axis = 0; axis < find.length && place >= 0; axis++) {
        const i = find[axis](index[axis]);
        place = i < 0 ? -1 : place * sizes[axis] + i;
      }
      if (place >= 0) return this.numbers[offset + place];
    }
    return undefined;
  }

  // The number at the place of `index` in an array that is broadcast to it: axes are aligned at the end.
  broadcast(number, index) {
    const shape = this.shape(number);
    const skip = index.length - shape.length;
    return this.at(number, shape.map((n, axis) => (n === 1 ? 0 : index[axis + skip])));
  }

  text(number, value) {
    const { dtype } = this.described[number];
    return dtype === "bool" ? (value ? "True" : "False") : /int/.test(dtype) ? String(value) : format(value);
  }
}

function format(value, missing = "?") {
  if (value === undefined) return missing;
  if (!Number.isFinite(value)) return value > 0 ? "∞" : value < 0 ? "-∞" : "NaN";
  if (value === 0) return "0";
  const size = Math.abs(value);
  return size >= 1e-4 && size < 1e6 ? value.toPrecision(5) : value.toExponential(4);
}
