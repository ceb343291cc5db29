// Draw a view into an element: in a page, and in Jupyter as an anywidget.

export function start(root, data, buffer) {
  const views = { step_through: StepThrough, attention: AttentionView, gradient_check: GradientCheckView,
    masks: MasksView, logit_lens: LogitLensView, training: TrainingView };
  return new views[data.view](root, data, buffer);
}

function render({ model, el }) {
  const bytes = model.get("numbers");
  start(el, JSON.parse(model.get("steps")), bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}

export default { render };
