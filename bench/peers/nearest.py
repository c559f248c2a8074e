"""The texts nearest to each question, by wordllama: the mean of static word vectors, a model of 16 MB in its package.

Gets the path of a JSON file, {"texts", "questions", "limit"}. Prints, for each question, the positions of its nearest
texts and how near the first is.
"""

import json
import sys
from pathlib import Path

import numpy
import wordllama
from safetensors.numpy import load_file
from tokenizers import Tokenizer

FOLDER = Path(wordllama.__file__).parent
STEP = 256


class Model:
    """Its own loader looks for the tokenizer on the network."""

    def __init__(self) -> None:
        self.tokenizer = Tokenizer.from_file(str(FOLDER / "tokenizers" / "l2_supercat_tokenizer_config.json"))
        self.tokenizer.no_padding()
        self.tokenizer.no_truncation()
        weights = load_file(FOLDER / "weights" / "l2_supercat_256.safetensors")
        self.words = next(iter(weights.values())).astype(numpy.float32)

    def embed(self, texts: list[str]) -> numpy.ndarray:
        vectors = numpy.zeros((len(texts), self.words.shape[1]), numpy.float32)
        for place, encoded in enumerate(self.tokenizer.encode_batch(texts, add_special_tokens=False)):
            if encoded.ids:
                vectors[place] = self.words[encoded.ids].mean(0)
        return vectors / numpy.maximum(numpy.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)


def main() -> None:
    given = json.loads(Path(sys.argv[1]).read_text())
    model = Model()
    texts, questions = model.embed(given["texts"]), model.embed(given["questions"])
    found: list[tuple[list[int], float]] = []
    for start in range(0, len(questions), STEP):
        likeness = questions[start : start + STEP] @ texts.T
        best = numpy.argsort(-likeness, axis=1)[:, : given["limit"]]
        found += [(places.tolist(), float(row[places[0]])) for places, row in zip(best, likeness, strict=True)]
    print(json.dumps(found))


if __name__ == "__main__":
    main()
