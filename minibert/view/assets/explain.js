// What made the number in a cell: the explanations of minibert/view/explain.py, evaluated.
// Each returns { formula, terms: [{ where, parts: [[name, value]], value }], total, marks: [{ array, index }] };
// in a mark, null stands for all indices of an axis.

const evaluate = { sum: evaluateSum, terms: evaluateTerms, elementwise: evaluateElementwise, softmax: evaluateSoftmax,
  lookup: evaluateLookUp, scatter: evaluateScatter };

function explainCell(spec, index, arrays, value) {
  return evaluate[spec.kind](spec, index, arrays, value);
}

function evaluateSum({ out, over, factors, plus, scale }, index, arrays) {
  const at = Object.fromEntries([...out].map((letter, axis) => [letter, index[axis]]));
  const sizes = [...over].map((letter) => {
    const { a, letters } = factors.find((factor) => factor.letters.includes(letter));
    return arrays.shape(a)[letters.indexOf(letter)];
  });
  const terms = [];
  for (const place of product(sizes)) {
    const here = { ...at, ...Object.fromEntries([...over].map((letter, i) => [letter, place[i]])) };
    const parts = factors.map(({ n, a, letters }) => [n, arrays.at(a, [...letters].map((l) => here[l]))]);
    const value = parts.reduce((made, [, v]) => made * v, scale);
    const where = [...over].map((l, i) => `${l} = ${place[i]}`).join(", ");
    terms.push({ where, parts: parts.length > 1 ? parts : [], value });
  }
  const marks = factors.map(({ a, letters }) => ({ array: a, index: [...letters].map((l) => at[l] ?? null) }));
  if (plus) {
    const i = [...plus.letters].map((l) => at[l]);
    const value = arrays.at(plus.a, i);
    terms.push({ where: `+ ${plus.n}`, parts: [], value, apart: true });
    marks.push({ array: plus.a, index: i });
  }
  const names = factors.map(({ n, letters }) => `${n}[${[...letters].map((l) => at[l] ?? l).join(", ")}]`);
  const factor = scale === 1 ? "" : `${format(scale)} · `;
  const formula = `${factor}Σ${[...over].join(",")} ${names.join(" · ")}${plus ? ` + ${plus.n}[${at[plus.letters]}]` : ""}`;
  return { formula, terms, total: add(terms), marks };
}

function evaluateTerms({ formula, terms }, index, arrays) {
  const list = terms.map(({ n, a }) => ({ where: n, parts: [], value: arrays.broadcast(a, index), apart: true }));
  return { formula, terms: list, total: add(list), marks: marksAt(terms, index, arrays) };
}

function evaluateElementwise({ formula, values }, index, arrays, value) {
  const terms = values.map(({ n, a }) => ({ where: n, parts: [], value: arrays.broadcast(a, index), apart: true }));
  return { formula, terms, total: value, made: true, marks: marksAt(values, index, arrays) };
}

function evaluateSoftmax({ scores }, index, arrays) {
  const row = index.slice(0, -1);
  const j = index.at(-1);
  const n = arrays.shape(scores.a).at(-1);
  const values = [...Array(n).keys()].map((i) => arrays.at(scores.a, [...row, i]));
  const most = Math.max(...values);
  const exps = values.map((s) => (most === -Infinity ? 0 : Math.exp(s - most)));
  const sum = exps.reduce((a, b) => a + b, 0) || 1;
  const terms = values.map((s, i) => ({ where: `j = ${i}`, parts: [[scores.n, s], ["e^(s - max)", exps[i]]],
    value: exps[i] / sum, here: i === j }));
  const formula = `softmax: e^(s[${j}] - max s) / Σj e^(s[j] - max s); the row adds up to 1`;
  return { formula, terms, total: exps[j] / sum, row: true, marks: [{ array: scores.a, index: [...row, null] }] };
}

function evaluateLookUp({ ids, table }, index, arrays, value) {
  const id = arrays.at(ids.a, index.slice(0, -1));
  const place = [id, index.at(-1)];
  const terms = [{ where: `${table.n}[${place.join(", ")}]`, parts: [], value: arrays.at(table.a, place), apart: true }];
  const marks = [{ array: ids.a, index: index.slice(0, -1) }, { array: table.a, index: [id, null] }];
  return { formula: `row ${id} of the table, because ids[${index.slice(0, -1).join(", ")}] = ${id}`, terms,
    total: terms[0].value, marks };
}

function evaluateScatter({ ids, dy, before }, [row, column], arrays) {
  const terms = [];
  for (let n = 0; n < arrays.shape(ids.a)[0]; n++) {
    if (arrays.at(ids.a, [n]) === row) terms.push({ where: `n = ${n}`, parts: [], value: arrays.at(dy.a, [n, column]) });
  }
  if (before) {
    terms.push({ where: `+ ${before.n}`, parts: [], value: arrays.at(before.a, [row, column]), apart: true });
  }
  const formula = `Σ over the places n where row ${row} was looked up of dy[n, ${column}]${before ? ` + ${before.n}` : ""}`;
  return { formula, terms, total: add(terms), marks: [] };
}

function add(terms) {
  return terms.reduce((sum, { value }) => sum + value, 0);
}

function marksAt(list, index, arrays) {
  return list.map(({ a }) => {
    const shape = arrays.shape(a);
    return { array: a, index: shape.map((n, axis) => (n === 1 ? 0 : index[axis + index.length - shape.length])) };
  });
}

function* product(sizes) {
  const index = sizes.map(() => 0);
  if (sizes.some((n) => n === 0)) return;
  for (;;) {
    yield [...index];
    let axis = sizes.length - 1;
    while (axis >= 0 && ++index[axis] === sizes[axis]) index[axis--] = 0;
    if (axis < 0) return;
  }
}
