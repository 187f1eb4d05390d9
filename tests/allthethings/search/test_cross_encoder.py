"""A query and passages are read in pairs, as cross-encoders are trained to read them."""

from __future__ import annotations

from pathlib import Path

import pytest

from allthethings.search.cross_encoder import MAX_TOKENS, BadModel, CrossEncoder
from allthethings.search.reranking import GRAPHS, Files, files_in
from tests.allthethings.search import tiny_cross_encoder

WORDS = ["lamp", "tower", "sea", "bread", "oven"]


def loaded(folder: Path) -> CrossEncoder:
    files = files_in(folder)
    assert files is not None
    return CrossEncoder(files.graph, files.tokenizer)


def matches(query: str, text: str) -> float:
    """What the tiny model gives."""
    asked, told = query.split(), text.split()
    both = sum(word == other for word in asked for other in told if word in WORDS)
    return both - 0.01 * (len(asked) + len(told) + 3)


def test_each_text_is_scored_with_the_query(tmp_path: Path) -> None:
    """Texts of many lengths, so that they are padded, and run in another order than they came."""
    model = loaded(tiny_cross_encoder.write(tmp_path, WORDS))
    texts = [" ".join((WORDS * 30)[number:end]) for number in range(3) for end in range(3, 120, 9)]
    query = "lamp lamp oven and"
    assert model.scores(query, texts) == pytest.approx([matches(query, text) for text in texts])
    assert model.scores(query, []) == []


def test_the_query_comes_first(tmp_path: Path) -> None:
    """Word pieces of the query have type 0, those of the text 1: words of either alone count for
    nothing."""
    model = loaded(tiny_cross_encoder.write(tmp_path, WORDS))
    assert model.scores("lamp lamp", ["sea"]) == pytest.approx([-0.06])
    assert model.scores("sea", ["lamp lamp"]) == pytest.approx([-0.06])


def test_a_model_without_token_types_gets_none(tmp_path: Path) -> None:
    inputs = ["attention_mask", "input_ids"]
    model = loaded(tiny_cross_encoder.write(tmp_path, WORDS, inputs=inputs))
    assert model.scores("lamp", ["sea", "sea tower"]) == [5.0, 6.0]


def test_a_model_in_onnx_is_read(tmp_path: Path) -> None:
    model = loaded(tiny_cross_encoder.write_onnx(tmp_path, WORDS))
    assert model.scores("lamp", ["sea", "sea tower oven"]) == [5.0, 7.0]


def test_what_is_too_long_is_cut_off_at_the_longer_one(tmp_path: Path) -> None:
    model = loaded(tiny_cross_encoder.write(tmp_path, WORDS))
    [score] = model.scores("lamp " * 3, ["tower " * 2_000 + "lamp"])
    assert score == pytest.approx(-0.01 * MAX_TOKENS)
    [score] = model.scores("tower " * 2_000 + "lamp", ["lamp " * 3])
    assert score == pytest.approx(-0.01 * MAX_TOKENS)


def test_another_kind_of_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadModel, match="one number for each pair"):
        loaded(tiny_cross_encoder.write(tmp_path / "labels", WORDS, labels=3))
    with pytest.raises(BadModel, match="one number for each pair"):
        loaded(tiny_cross_encoder.write(tmp_path / "numbers", WORDS, value=float("nan")))
    more = [*tiny_cross_encoder.INPUTS, "bbox"]
    with pytest.raises(BadModel, match="asks for bbox"):
        loaded(tiny_cross_encoder.write(tmp_path / "inputs", WORDS, inputs=more))
    folder = tiny_cross_encoder.write(tmp_path / "damaged", WORDS)
    (folder / "openvino_model.xml").write_text("<net")
    with pytest.raises(RuntimeError):
        loaded(folder)


@pytest.mark.parametrize("name", GRAPHS)
def test_a_folder_is_read_as_hubs_have_it(tmp_path: Path, name: str) -> None:
    graph = tmp_path / name
    graph.parent.mkdir(exist_ok=True)
    graph.touch()
    assert files_in(tmp_path) is None
    (tmp_path / "tokenizer.json").touch()
    assert files_in(tmp_path) == Files(graph, tmp_path / "tokenizer.json")
    graph.unlink()
    assert files_in(tmp_path) is None
