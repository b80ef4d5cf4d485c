"""A linear-chain conditional random field over rows of different lengths.

Source:
    Lafferty, McCallum, Pereira 2001, "Conditional Random Fields"; forward and Viterbi recursions as
    in Sutton & McCallum 2012, section 4.
"""

# B rows, L longest row, C tags; `_BC` at one position

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

# exp(-80) is the least share of a row's best tag that fp32 keeps; below it a tag counts as this.
_LEAST = math.exp(-80)


class ConditionalRandomField(nn.Module):
    """Scores of tags next to each other; moves that make no sense are impossible.

    Args:
        may_follow_CC: Whether tag j may stand right of tag i, bool, shape (C, C).
        may_start_C: Whether a row may start with a tag, bool, shape (C,).
    """

    def __init__(self, may_follow_CC: Tensor, may_start_C: Tensor) -> None:
        super().__init__()
        n_tags = len(may_start_C)
        self.transitions = nn.Parameter(torch.zeros(n_tags, n_tags))
        self.start = nn.Parameter(torch.zeros(n_tags))
        self.end = nn.Parameter(torch.zeros(n_tags))
        self.register_buffer("may_follow", may_follow_CC, persistent=False)
        self.register_buffer("may_start", may_start_C, persistent=False)

    def scores(self) -> tuple[Tensor, Tensor]:
        """Return transitions (C, C) and starts (C,), -inf where a move is impossible."""
        follow, start = self.get_buffer("may_follow"), self.get_buffer("may_start")
        transitions = self.transitions.float().masked_fill(~follow, -math.inf)
        return transitions, self.start.float().masked_fill(~start, -math.inf)

    def summed_loss(self, emissions_BLC: Tensor, tags_BL: Tensor, lengths_B: Tensor) -> Tensor:
        """Return the sum over rows of -ln p(tags of the row), in nats.

        Args:
            emissions_BLC: Score of each tag at each position; what lies behind a row's end is not
                read, but must be finite.
            tags_BL: Gold tags, int64; any tag behind a row's end.
            lengths_B: Positions of each row, 1 or more.
        """
        emissions_BLC = emissions_BLC.float()
        log_partition_B = self._log_partition(emissions_BLC, lengths_B)
        return (log_partition_B - self._path_score(emissions_BLC, tags_BL, lengths_B)).sum()

    def _log_partition(self, emissions_BLC: Tensor, lengths_B: Tensor) -> Tensor:
        transitions_CC, start_C = self.scores()
        # Sums over the tag before are a matrix product of exponentials, C times fewer than
        # exponentials of all (B, C, C) sums; the best tag is taken out first, so none overflows.
        weights_CC = transitions_CC.exp()
        alpha_BC = (start_C + emissions_BLC[:, 0]).clamp_min(-1e4)
        for position in range(1, emissions_BLC.shape[1]):
            best_B1 = alpha_BC.detach().amax(dim=1, keepdim=True)
            summed_BC = ((alpha_BC - best_B1).exp() @ weights_CC).clamp_min(_LEAST)
            next_BC = summed_BC.log() + best_B1 + emissions_BLC[:, position]
            is_inside_B1 = (position < lengths_B)[:, None]
            alpha_BC = torch.where(is_inside_B1, next_BC, alpha_BC)
        return (alpha_BC + self.end.float()).logsumexp(dim=1)

    def _path_score(self, emissions_BLC: Tensor, tags_BL: Tensor, lengths_B: Tensor) -> Tensor:
        n_positions = emissions_BLC.shape[1]
        is_inside_BL = torch.arange(n_positions, device=lengths_B.device) < lengths_B[:, None]
        chosen_BL = emissions_BLC.gather(2, tags_BL[:, :, None]).squeeze(2)
        moves_BL = self.transitions.float()[tags_BL[:, :-1], tags_BL[:, 1:]]
        last_B = tags_BL.gather(1, (lengths_B - 1)[:, None]).squeeze(1)
        return (
            (chosen_BL * is_inside_BL).sum(1)
            + (moves_BL * is_inside_BL[:, 1:]).sum(1)
            + self.start.float()[tags_BL[:, 0]]
            + self.end.float()[last_B]
        )

    @torch.no_grad()
    def best_tags(self, emissions_BLC: Tensor, lengths_B: Tensor) -> list[list[int]]:
        """Return the most likely possible tags of each row (Viterbi)."""
        transitions_CC, start_C = self.scores()
        emissions_BLC = emissions_BLC.float()
        best_BC = start_C + emissions_BLC[:, 0]
        pointers: list[Tensor] = []
        for position in range(1, emissions_BLC.shape[1]):
            reached_BC, pointer_BC = (best_BC[:, :, None] + transitions_CC).max(dim=1)
            is_inside_B1 = (position < lengths_B)[:, None]
            best_BC = torch.where(is_inside_B1, reached_BC + emissions_BLC[:, position], best_BC)
            pointers.append(pointer_BC)
        last = (best_BC + self.end.float()).argmax(dim=1).tolist()
        back_LBC = torch.stack(pointers).tolist() if pointers else []
        return [
            _walk_back(last[row], [back_LBC[p - 1][row] for p in range(int(length) - 1, 0, -1)])
            for row, length in enumerate(lengths_B)
        ]


def _walk_back(last: int, pointers: list[list[int]]) -> list[int]:
    tags = [last]
    for pointer_C in pointers:
        tags.append(pointer_C[tags[-1]])
    return tags[::-1]
