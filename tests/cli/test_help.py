"""What `--help` says: examples to copy, options under headings, and nothing of defaults that are empty."""

import pytest
from jsonargparse import ArgumentParser

from minibert.cli.help import HelpFormatter, readable
from minibert.cli.options import add_fields
from minibert.finetuning import arguments as finetune
from minibert.training import arguments as pretrain


def test_examples_are_lines_to_copy_and_prose_is_filled(command):
    lines = command("embed", "--help").out.splitlines()
    assert '  minibert embed all-minilm-l6-v2 "A man is eating." "Someone has lunch."' in lines
    assert '  minibert embed all-minilm-l6-v2 --input sentences.txt --query "How do I open a file?"' in lines
    assert "  minibert fetch all-minilm-l6-v2" in command("fetch", "--help").out.splitlines()


@pytest.mark.parametrize("name", ["fetch", "embed", "predict"])
def test_what_may_be_left_out_is_not_required(command, name):
    shown = " ".join(command(name, "--help").out.split())
    assert ("(required, type: str)" in shown) == (name != "fetch")  # the model is
    assert "default: )" not in shown
    assert "default: []" not in shown


@pytest.mark.parametrize(
    ("options", "groups"),
    [
        (pretrain.PretrainArguments.options(), pretrain.GROUPS),
        (finetune.FinetuneArguments.options(), finetune.GROUPS),
    ],
)
def test_every_option_stands_under_one_heading(options, groups):
    named = " ".join(groups.values()).split()
    assert sorted(named) == sorted(field.name for field in options)
    parser = ArgumentParser(formatter_class=HelpFormatter)
    add_fields(parser, options, groups)
    shown = parser.format_help()
    places = [shown.index(f"\n{title}:\n") for title in groups]
    assert places == sorted(places)
    for title, end in zip(groups, [*places[1:], len(shown)], strict=True):
        part = shown[shown.index(f"\n{title}:\n") : end]
        assert all(f"--{name}" in part for name in groups[title].split())


def test_complaints_about_anything_else_stay_as_they_are():
    for message in ("Unrecognized arguments: --x", 'Parser key "a": Expected a dict. Got value: 3'):
        assert readable(message) == message
