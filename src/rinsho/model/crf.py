"""A linear-chain conditional random field over rows of different lengths.

Source:
    Lafferty, McCallum, Pereira 2001, "Conditional Random Fields"; forward and Viterbi recursions as
    in Sutton & McCallum 2012, section 4.
"""

# B rows, L longest row, C tags; `_BC` at one position

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

# Scores of a tag more than this below the best one of its position count as this: exp(-60) times
# the weakest move that is learned is still a normal number in fp32.
_DEEPEST = -60.0


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
        log_partition_B = _LogPartition.apply(
            emissions_BLC, *self.scores(), self.end.float(), lengths_B
        )
        return (log_partition_B - self._path_score(emissions_BLC, tags_BL, lengths_B)).sum()

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


class _LogPartition(torch.autograd.Function):
    """The logarithm of the sum over all rows of tags; its gradient is what each tag's share is.

    Forward and backward recursion in scaled probabilities (Rabiner 1989, section V.A): four small
    operations a position where automatic differentiation needs some twenty.
    """

    @staticmethod
    def forward(
        ctx: Any,
        emissions_BLC: Tensor,
        transitions_CC: Tensor,
        start_C: Tensor,
        end_C: Tensor,
        lengths_B: Tensor,
    ) -> Tensor:
        best_BL1 = emissions_BLC.amax(dim=2, keepdim=True)
        weights_LBC = (emissions_BLC - best_BL1).clamp_min(_DEEPEST).exp().transpose(0, 1)
        moves_CC, ends_C = transitions_CC.exp(), end_C.exp()
        reached_BC = start_C.exp().expand(weights_LBC.shape[1:])
        alphas, scales = list[Tensor](), list[Tensor]()
        for weights_BC in weights_LBC.unbind():
            reached_BC = reached_BC * weights_BC
            scale_B1 = reached_BC.sum(dim=1, keepdim=True)
            alphas.append(reached_BC / scale_B1)
            scales.append(scale_B1)
            reached_BC = alphas[-1] @ moves_CC
        alpha_LBC, scale_LB1 = torch.stack(alphas), torch.stack(scales)
        rows_B = torch.arange(len(lengths_B))
        ended_B = (alpha_LBC[lengths_B - 1, rows_B] * ends_C).sum(1)
        is_inside_LB = torch.arange(len(alphas))[:, None] < lengths_B
        per_position_LB = scale_LB1.squeeze(2).log() + best_BL1.squeeze(2).T
        ctx.save_for_backward(
            alpha_LBC, weights_LBC / scale_LB1, moves_CC, ends_C / ended_B[:, None], is_inside_LB
        )
        return (per_position_LB * is_inside_LB).sum(0) + ended_B.log()

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        alpha_LBC, weights_LBC, moves_CC, ends_BC, is_inside_LB = ctx.saved_tensors
        is_last_LB1 = (is_inside_LB & ~is_inside_LB.roll(-1, 0))[:, :, None]
        is_last_LB1[-1] = is_inside_LB[-1, :, None]
        beta_BC, betas = ends_BC, list[Tensor]()
        behind_CC = moves_CC.T.contiguous()
        for position in range(len(alpha_LBC) - 1, -1, -1):
            beta_BC = torch.where(is_last_LB1[position], ends_BC, beta_BC)
            betas.append(beta_BC)
            beta_BC = (beta_BC * weights_LBC[position]) @ behind_CC
        beta_LBC = torch.stack(betas[::-1])
        shares_LB1 = (is_inside_LB * grad_outputs[0])[:, :, None]
        tag_LBC = alpha_LBC * beta_LBC * shares_LB1
        arrived_LBC = weights_LBC * beta_LBC * shares_LB1
        pairs_CC = alpha_LBC[:-1].flatten(0, 1).T @ arrived_LBC[1:].flatten(0, 1)
        last_C = (tag_LBC * is_last_LB1).sum((0, 1))
        return tag_LBC.transpose(0, 1), moves_CC * pairs_CC, tag_LBC[0].sum(0), last_C, None


def _walk_back(last: int, pointers: list[list[int]]) -> list[int]:
    tags = [last]
    for pointer_C in pointers:
        tags.append(pointer_C[tags[-1]])
    return tags[::-1]
