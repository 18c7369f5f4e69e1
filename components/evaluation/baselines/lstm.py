"""A classifier of before: a bidirectional LSTM (Hochreiter and Schmidhuber 1997; Graves and Schmidhuber 2005) over word
vectors, whose largest outputs a linear layer reads (Conneau et al. 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

from components.evaluation.baselines.baseline import TuningData
from components.evaluation.baselines.word_vectors import SIZE, WordVectors
from components.evaluation.baselines.words import words
from components.tasks.metrics import rank_key, score
from components.tasks.task import Text, parts

HIDDEN, DROPOUT, BATCH, RATE = 64, 0.3, 32, 2e-3
EPOCHS, PATIENCE = 8, 2
LONGEST = 128
"""Words of a text that are read: an LSTM takes one after the other, which is what makes it slow."""


class Network(nn.Module):
    """Logits [rows, labels] of rows of words."""

    def __init__(self, vectors: np.ndarray, labels: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(len(vectors), SIZE, padding_idx=0)
        self.embedding.weight.data.copy_(torch.from_numpy(vectors))
        self.lstm = nn.LSTM(SIZE, HIDDEN, batch_first=True, bidirectional=True)
        self.dropout, self.output = nn.Dropout(DROPOUT), nn.Linear(2 * HIDDEN, labels)

    def forward(self, rows: Sequence[Tensor]) -> Tensor:
        lengths = torch.tensor([len(row) for row in rows])
        x = self.dropout(self.embedding(pad_sequence(list(rows), batch_first=True)))
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        outputs, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True, padding_value=-torch.inf)
        return self.output(self.dropout(outputs.max(dim=1).values))


@dataclass(frozen=True)
class LstmChoice:
    """A setting. `epochs`: passes over the training rows until the validation rows were answered best."""

    epochs: int

    def metrics(self) -> dict[str, float]:
        """As numbers, for a metrics file."""
        return {"epochs": self.epochs}

    def __str__(self) -> str:
        return f"{HIDDEN} cells in each direction, {self.epochs} epochs"


@dataclass(frozen=True)
class Lstm:
    """A trained network, and the setting it was chosen with."""

    vectors: WordVectors
    network: Network
    choice: LstmChoice
    title = "bidirectional LSTM over skip-gram word vectors"

    @classmethod
    def tuned(cls, data: TuningData) -> Lstm:
        """Trained on the training rows until the task's first metric on the validation rows gets no better.

        One seed and one thread give the same network. Leaves PyTorch's generator as it was."""
        vectors = WordVectors.of([words(text) for text in data.train.every_text], data.seed)
        metric, held = data.task.metrics[0], data.validation
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(data.seed)
            network = Network(vectors.matrix, len(data.task.labels))
            optimizer = torch.optim.Adam(network.parameters(), RATE)
            rows, targets = numbered(vectors, data.train.texts), torch.from_numpy(data.train.targets)
            best, reached = cls(vectors, network, LstmChoice(0)), -np.inf
            for epoch in range(1, EPOCHS + 1):
                for batch in torch.randperm(len(rows)).split(BATCH):
                    loss = cross_entropy(network.train()([rows[number] for number in batch]), targets[batch])
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
                trained = cls(vectors, network, LstmChoice(epoch))
                found = rank_key(metric, score(metric, held.targets, trained.predict(held.texts)))
                if found > reached:
                    best, reached = cls(vectors, deepcopy(network), trained.choice), found
                elif epoch - best.choice.epochs >= PATIENCE:
                    break
        return best

    @torch.inference_mode()
    def predict(self, texts: Sequence[Text]) -> np.ndarray:
        """The number of each text's likeliest label."""
        network, found = self.network.eval(), []
        rows = numbered(self.vectors, texts)
        for first in range(0, len(rows), BATCH):
            found.append(network(rows[first : first + BATCH]).argmax(dim=1))
        answers: np.ndarray = torch.cat(found).numpy()
        return answers

    def megabytes(self) -> float:
        """Of its weights, the word vectors among them."""
        return sum(weight.nbytes for weight in self.network.parameters()) / 1e6


def numbered(vectors: WordVectors, texts: Sequence[Text]) -> list[Tensor]:
    """The words of each row as rows of the matrix, cut; two texts with a 0 between them, and 0 where there are none."""
    rows = [[number for part in parts(text) for number in (0, *vectors.numbers_of(part)[:LONGEST])] for text in texts]
    return [torch.tensor(row[1:] or [0]) for row in rows]
