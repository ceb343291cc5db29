"""The views in JupyterLab, as a learner opens them: the notebook runs, and the widgets show their numbers."""

import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request

import numpy as np
import pytest
from browsing import elements, texts
from view_cases import bert_and_batch, trained

from minibert.view import StepThrough

SECONDS = 300  # a guard against hanging, far above what anything here needs
BEFORE = """\
import numpy as np
from view_cases import WORDS, bert_and_batch
import minibert
from minibert import ops
from minibert.data.tokenizer_wordpiece import train_wordpiece
from minibert.view import *
model, batch = bert_and_batch()
tokenizer = train_wordpiece(WORDS * 2, 60, progress=False)
config = minibert.BertConfig(
    vocab_size=60, hidden_size=6, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8
)
language_model = minibert.BertForMaskedLM(config)
"""
VIEWS = {
    "BertForPreTraining, one training step": "StepThrough(model, batch)",
    "Attention of BertForMaskedLM": "attention_view(language_model, 'the cat sat', tokenizer)",
    "What each objective makes of a text": "masks_view('the cat sat', tokenizer)",
    "Training of run": "training_view('run', 'the [MASK] saw a [MASK]')",
    "Gradient check of tanh_backward": "gradient_check_view(ops.tanh, ops.tanh_backward, np.ones((2, 3)))",
    "Logit lens of BertForMaskedLM": "logit_lens_view(language_model, 'the [MASK] sat', tokenizer)",
}  # by what stands at the top of each
READY = """
const notebook = window.jupyterapp?.shell.currentWidget;
return Boolean(notebook?.context?.isReady && notebook.sessionContext?.session?.kernel?.status === "idle");
"""
NO_NETWORK = {
    "HTTP_PROXY": "http://127.0.0.1:9",
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "NO_PROXY": "127.0.0.1,localhost",
}
SWITCHES = (
    "--no-browser --allow-root --expose-app-in-browser --ServerApp.port_retries=0 --ServerApp.ip=127.0.0.1 "
    "--LabApp.news_url=None --LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate "
    "--LabApp.extension_manager=readonly"
).split()


def wait_for(condition, what, process=None):
    """What `condition` returns as soon as that is something."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        if process is not None and process.poll() is not None:
            pytest.fail(f"{what}: JupyterLab ended with {process.returncode}")
        if found := condition():
            return found
        time.sleep(0.2)
    pytest.fail(f"{what} did not happen within {SECONDS} seconds")


@pytest.fixture
def lab(tmp_path):
    """The address of a running JupyterLab, whose folder holds `lesson.ipynb`."""
    pytest.importorskip("jupyterlab", reason="JupyterLab is not installed: it comes with the extra `lessons`")
    pytest.importorskip("anywidget", reason="the widget needs the extra `lessons`")
    import nbformat

    notebook = nbformat.v4.new_notebook(cells=[*map(nbformat.v4.new_code_cell, [BEFORE, *VIEWS.values()])])
    notebook.metadata.kernelspec = {"display_name": "Python 3", "language": "python", "name": "python3"}
    (tmp_path / "work").mkdir()
    trained(tmp_path / "work", "--vocab_size", "60")
    nbformat.write(notebook, tmp_path / "work" / "lesson.ipynb")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(8)
    folders = {f"JUPYTER_{name}_DIR": str(tmp_path / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
    environment = os.environ | NO_NETWORK | folders | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "jupyterlab", *SWITCHES, f"--ServerApp.port={port}"]
    with (tmp_path / "lab.log").open("w") as log:
        process = subprocess.Popen(
            [*command, f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={tmp_path / 'work'}"],
            env=environment, stdout=log, stderr=log, cwd=tmp_path,
        )  # fmt: skip
        try:
            wait_for(lambda: answers(f"http://127.0.0.1:{port}/api?token={token}"), "starting JupyterLab", process)
            yield f"http://127.0.0.1:{port}/lab/tree/lesson.ipynb?token={token}"
        finally:
            process.terminate()
            process.wait(SECONDS)


def answers(address):
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(address, timeout=5) as response:
            return response.status == 200
    except OSError:
        return False


@pytest.mark.slow
def test_the_widgets_show_themselves(lab, local_browser):
    browser = local_browser
    browser.get(lab)
    wait_for(lambda: browser.execute_script(READY), "opening the notebook and its kernel")
    browser.get_log("browser")  # what JupyterLab says while it starts is not about the widget
    browser.execute_script("window.jupyterapp.commands.execute('notebook:run-all-cells')")
    heads = ".minibert-view header b"
    wait_for(lambda: len(texts(browser, heads)) == len(VIEWS), "showing the widgets")
    assert texts(browser, heads) == list(VIEWS)

    model, batch = bert_and_batch()
    view = StepThrough(model, batch)
    assert texts(browser, ".minibert-view .where")[0] == f"1 / {len(view.trace)} forward"
    canvas = browser.find_element("css selector", ".minibert-view .can-pick canvas")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", canvas)
    browser.execute_script("arguments[0].focus()", canvas)
    canvas.send_keys("\ue007")  # Enter: explain the cell
    heading = texts(browser, ".minibert-view .answer h3")[0]
    top, bottom, height = browser.execute_script(
        "const box = document.querySelector('.minibert-view .answer').getBoundingClientRect();"
        "return [box.top, box.bottom, innerHeight]"
    )
    assert 0 <= top < bottom <= height  # in sight, however long the page is
    first = view.trace.records[0].output
    assert heading.startswith("y[0, 0, 0] = ")
    assert float(heading.partition(" = ")[2]) == pytest.approx(float(np.ravel(first)[0]), rel=1e-4)
    assert elements(browser, ".jp-OutputArea-output [data-mime-type='application/vnd.jupyter.stderr']") == []
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
