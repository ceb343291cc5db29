"""Tables, texts and models that do not fit a task: one line that says what to do, and nothing is written."""

import json

import pytest
from finetune_cases import ROWS, SENTENCES, checkpoint, write_conll, write_csv, write_squad

FEW = ["--max_steps", "1"]


@pytest.fixture
def base(tmp_path):
    return checkpoint(tmp_path / "base")


@pytest.fixture
def refuses(command, tmp_path):
    """Run a command that must fail, and return its one line."""

    def run(*argv):
        before = sorted(tmp_path.rglob("*"))
        found = command(*argv)
        assert found.code == 2, found.out
        assert len(found.err.splitlines()) == 1, found.err
        assert sorted(tmp_path.rglob("*")) == before
        return found.err

    return run


@pytest.fixture
def trained(command, base, tmp_path):
    """A model of films, in `out`."""
    write_csv(tmp_path / "films.csv")
    assert command("finetune", "base", "--data", "films.csv", "--output_dir", "out", *FEW).code == 0
    return tmp_path / "out"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([*ROWS, ("no label", "")], "row 36 of column 'label': the label is missing"),
        ([(text, 1) for text, _ in ROWS], "of the class '1': to learn a difference takes two classes"),
        ([*ROWS, ("", 1), (" ", 0)], "is an empty text (2 of 38 are)"),
        ([("", label) for _, label in ROWS], "all texts of column 'text' are empty"),
        ([(text, 0.5) for text, _ in ROWS], "classes are strings or integers"),
    ],
)
def test_tables_that_teach_nothing(refuses, base, tmp_path, rows, message):
    path = write_csv(tmp_path / "bad.csv", rows)
    error = refuses("finetune", base, "--data", path, "--eval_data", path, "--output_dir", "out", *FEW)
    assert message in error


def test_empty_texts_can_be_left_out(command, base, tmp_path):
    path = write_csv(tmp_path / "films.csv", [*ROWS, ("", 1), (" ", 0)])
    found = command("finetune", base, "--data", path, "--skip_empty", "--output_dir", "out", *FEW)
    assert found.code == 0, found.err
    assert "note: 2 rows with an empty text are left out" in found.out


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--text_column", "review"], "no column 'review'; there are text, label"),
        (["--label_column", "stars"], "no column 'stars'; there are text, label"),
        (["--text_pair_column", "second"], "no column 'second'; there are text, label"),
        (["--task", "tokens"], "no column 'tokens'; there are text, label"),
        (["--task", "question-answering"], "no column 'question'; there are text, label"),
        (["--task", "multi-label", "--label_column", "label"], "must hold a list of labels in each row"),
        (["--task", "tokens", "--text_column", "text"], "is no list of words"),
        (["--data", "nosuch.csv"], "no such file or folder"),
        (["--data", ""], "--data is missing"),
        (["--eval_split", "train[:1]"], "there is only one row to measure on (split train[:1]), but an interval"),
        (["--eval_split", "dev"], "no split 'dev'; there are train"),
        (["--train_split", "train[:0]"], "the dataset has no row"),
        (["--method", "magic"], "magic"),
        (["--method", "lora", "--lora_r", "0"], "r, the rank, must be an integer of at least 1"),
        (["--method", "lora", "--target_modules", "nothing"], "name no projection; there are query"),
        (["--method", "prompt", "--num_virtual_tokens", "40"], "leave no room: the model has 40 positions"),
        (["--max_length", "41"], "--max_length is 41, but the model has room for 40 tokens"),
        (["--method", "prompt", "--max_length", "30"], "but the model has room for 20 tokens"),
        (["--heldout", "1"], "--heldout must be between 0 and 1"),
        (["--output_dir", "films.csv"], "is a file"),
        (["--learning_rate", "-1"], "--learning_rate must be positive"),
        (["--batch_size", "0"], "--batch_size must be at least 1"),
        (["--dropout", "1"], "--dropout must be at least 0 and less than 1, or -1, but is 1"),
        (["--dropout", "-0.1"], "--dropout must be at least 0 and less than 1, or -1"),
        (["--patience", "-1"], "--patience must not be negative"),
    ],
)
def test_options_that_cannot_work(refuses, base, tmp_path, argv, message):
    write_csv(tmp_path / "films.csv")
    assert message in refuses("finetune", base, "--data", "films.csv", "--output_dir", "out", *FEW, *argv)


def test_no_result_is_overwritten_unasked(command, refuses, trained):
    before = (trained / "model.safetensors").read_bytes()
    again = ["finetune", "base", "--data", "films.csv", "--output_dir", "out", "--max_steps", "2"]
    assert "holds a run already" in refuses(*again)
    assert (trained / "model.safetensors").read_bytes() == before
    assert command(*again, "--overwrite", "--method", "lora").code == 0
    assert not (trained / "model.safetensors").exists()  # of the earlier result nothing is left
    assert (trained / "adapter_model.safetensors").exists()


@pytest.mark.parametrize(("steps", "message"), [(50, "loss"), (2, "the model's scores are not finite")])
def test_a_run_that_fails_leaves_the_earlier_result(command, trained, tmp_path, steps, message):
    before = {path.name: path.read_bytes() for path in trained.iterdir()}
    argv = ["finetune", "base", "--data", "films.csv", "--output_dir", "out", "--overwrite"]
    found = command(*argv, "--learning_rate", "1e30", "--max_steps", steps)
    assert found.code == 2
    assert message in found.err
    assert len(found.err.splitlines()) == 1
    assert {path.name: path.read_bytes() for path in trained.iterdir()} == before
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".out")]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("i loved it", 1), ("a film", 2)], "row 1 of column 'label': '2' is none of the 2 classes: 0, 1"),
        ([("i loved it", 1), ("a film", -1)], "'-1' is none of the 2 classes"),
        ([("i loved it", 1), ("a film", "")], "the label is missing"),
        ([("i loved it", "good"), ("a film", "bad")], "'good' is none of the 2 classes: 0, 1"),
        ([("i loved it", 1)], "there is only one row to measure on"),
        ([("i loved it", 1), ("", 0)], "is an empty text"),
    ],
)
def test_labels_that_the_model_does_not_know(refuses, trained, tmp_path, rows, message):
    path = write_csv(tmp_path / "other.csv", rows)
    assert message in refuses("evaluate", "out", "--data", path)


def test_an_unseen_label_is_found_before_training(refuses, base, tmp_path):
    write_csv(tmp_path / "films.csv")
    write_csv(tmp_path / "other.csv", [("i loved it", 1), ("a film", 2)])
    error = refuses("finetune", base, "--data", "films.csv", "--eval_data", "other.csv", "--output_dir", "out")
    assert "'2' is none of the 2 classes: 0, 1" in error


def test_a_checkpoint_with_other_labels(command, refuses, trained, tmp_path):
    three = [(text, ("bad", "good")[label]) for text, label in ROWS] + [("so so", "neutral"), ("fine", "neutral")] * 4
    path = write_csv(tmp_path / "three.csv", three)
    argv = ["finetune", "out", "--data", path, "--output_dir", "other", *FEW]
    error = refuses(*argv)
    assert "its head has 2 labels (0, 1), the data for classification has 3 (bad, good, neutral)" in error
    assert "--new_head" in error
    assert command(*argv, "--new_head").code == 0


def test_a_file_with_another_number_of_labels_than_its_description(refuses, trained):
    settings = json.loads((trained / "task.json").read_text())
    (trained / "task.json").write_text(json.dumps({**settings, "labels": ["a", "b", "c"]}))
    assert "the head in the file has 2 labels, not 3" in refuses("predict", "out", "a film")


@pytest.mark.parametrize("content", ["[]", "{", '{"task": "magic"}', '{"task": 3, "columns": 4}'])
def test_a_damaged_description(refuses, trained, content):
    (trained / "task.json").write_text(content)
    assert "task.json" in refuses("predict", "out", "a film")


@pytest.mark.parametrize("method", ["lora", "prompt"])
def test_an_adapter_of_another_model(command, refuses, base, tmp_path, method):
    import minibert

    write_csv(tmp_path / "films.csv")
    assert command("finetune", base, "--data", "films.csv", "--method", method, "--output_dir", "out", *FEW).code == 0
    config = minibert.BertConfig(160, 12, 1, 2, 20, max_position_embeddings=40)
    minibert.BertForMaskedLM(config).save_pretrained(tmp_path / "narrow")
    error = refuses("predict", "out", "a film", "--base", "narrow")
    assert "the adapter was made for another model" in error
    (tmp_path / "out" / "task.json").rename(tmp_path / "task.json")
    assert "an adapter without task.json" in refuses("predict", "out", "a film")
    (tmp_path / "task.json").rename(tmp_path / "out" / "task.json")
    assert "is an adapter" in refuses("finetune", "out", "--data", "films.csv", "--output_dir", "again")
    base.rename(tmp_path / "moved")
    assert "say where it is with --base" in refuses("predict", "out", "a film")
    assert command("predict", "out", "a film", "--base", "moved").code == 0


def test_models_that_are_none(refuses, base, tmp_path):
    write_csv(tmp_path / "films.csv")
    assert "no such folder, and no model of that name" in refuses("finetune", "nosuch", "--data", "films.csv")
    assert "has no head of a task: fine-tune it first" in refuses("predict", "base", "a film")
    (base / "tokenizer.json").rename(tmp_path / "tokenizer.json")
    (base / "vocab.txt").unlink(missing_ok=True)
    assert "tokenizer" in refuses("finetune", "base", "--data", "films.csv")
    checkpoint(tmp_path / "gpt", "gpt2")
    write_conll(tmp_path / "names.conll", SENTENCES * 2)
    error = refuses("finetune", "gpt", "--data", "names.conll", "--task", "tokens", "--output_dir", "out")
    assert "a gpt2 model cannot do tokens, one of bert, roberta can" in error


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "there is no text"),
        ([""], "text 0 is empty"),
        (["a film", "  "], "text 1 is empty"),
        (["a film", "--batch_size", "0"], "--batch_size must be at least 1"),
        (["--input", "nosuch.txt"], "nosuch.txt"),
        (["a film", "--pair", "b"], "the model was made for classification, which takes no --pair: leave it out"),
        (["--question", "who ?", "--context", "anna"], "classification, which takes no --question and no --context"),
        (["a film", "--choices", "good", "bad"], "classification, which takes no --choices"),
    ],
)
def test_texts_to_predict(refuses, trained, argv, message):
    assert message in refuses("predict", "out", *argv)


def test_words_without_a_label(refuses, base, tmp_path):
    row = {"tokens": ["anna", "lives"], "tags": ["B-PER"]}
    (tmp_path / "names.jsonl").write_text(json.dumps(row) + "\n" + json.dumps({**row, "tags": ["B-PER", "O"]}) + "\n")
    argv = ["--task", "tokens", "--data", "names.jsonl", "--eval_data", "names.jsonl"]
    assert "row 0 has 2 words, but 1 labels" in refuses("finetune", base, *argv, "--output_dir", "out")


def test_questions_that_are_too_long(command, refuses, base, tmp_path):
    write_squad(tmp_path / "squad.json")
    argv = ["--task", "question-answering", "--data", "squad.json", "--eval_data", "squad.json", "--output_dir", "out"]
    error = refuses("finetune", base, *argv, "--max_length", "6")
    assert "question 0 has 4 tokens, but rows of 6 have room for 0 beside the context" in error
    assert command("finetune", base, *argv, *FEW).code == 0
    error = refuses("predict", "out", "--question", "who " * 40, "--context", "anna lives in rome .")
    assert "question 0 has 40 tokens, but rows of 40 have room for 23" in error


def test_rows_that_are_too_few_to_measure_on(refuses, trained):
    for argv in (["evaluate", "out"], ["compare", "out"]):
        error = refuses(*argv, "--data", "films.csv", "--split", "train[:1]")
        assert "there is only one row to measure on (split train[:1]), but" in error
        assert "takes at least two rows" in error


def test_a_rank_beyond_the_width_is_noted(command, base, tmp_path):
    write_csv(tmp_path / "films.csv")
    argv = ["finetune", base, "--data", "films.csv", "--method", "lora", *FEW]
    assert "--lora_r 25 is more than the width of the model, 24" in command(*argv, "--lora_r", "25").out
    assert "note" not in command(*argv, "--lora_r", "24").out


def test_what_is_measured_on_training_rows_is_said(command, base, tmp_path):
    write_csv(tmp_path / "films.csv")
    write_csv(tmp_path / "other.csv", [("I  loved it", 1), ("something else", 0)])
    found = command("finetune", base, "--data", "films.csv", "--eval_data", "other.csv", "--output_dir", "out", *FEW)
    assert "note: 1 of the 2 held-out examples are among those to train on" in found.out
    found = command("finetune", base, "--data", "films.csv", "--output_dir", "divided", *FEW)
    assert "note" not in found.out


def test_answers_without_a_context(command, refuses, base, tmp_path):
    write_squad(tmp_path / "squad.json")
    argv = ["--task", "question-answering", "--data", "squad.json", "--eval_data", "squad.json"]
    assert command("finetune", base, *argv, "--output_dir", "out", *FEW).code == 0
    assert "give it with --context" in refuses("predict", "out", "--question", "who ?")
    error = refuses("predict", "out", "--question", "who ?", "--context", "anna", "--pair", "ben")
    assert "question-answering, which takes no --pair" in error
