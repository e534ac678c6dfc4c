# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
"""The attention operator, with torch's kernel as local attention: values and gradients are those of one process."""

from __future__ import annotations

import time

import pytest
import torch
import torch.nn.functional as F
import ulysses_torch as ulysses
from reference import token_shard, whole
from ulysses_torch.geometry import token_positions

TOLERANCES = {torch.float64: 1e-12, torch.float32: 2e-5, torch.bfloat16: 2e-2, torch.float16: 4e-3}


def sees(sequence, causal, cu_seqlens):
    """[S, S]: whether token i sees token j; None: all do."""
    at = torch.arange(sequence)
    mask = torch.ones(sequence, sequence, dtype=torch.bool)
    if causal:
        mask &= at[None] <= at[:, None]
    if cu_seqlens is not None:
        document = torch.bucketize(at, torch.tensor(cu_seqlens), right=True)
        mask &= document[None] == document[:, None]
    return mask if causal or cu_seqlens is not None else None


def one_process(layout, q, k, v, scale, mask):
    """Torch's own function on the whole sequence, in the tensors' type, with an ordinary mask; and the LSE in float64."""
    order = "bhsd" if "b" in layout else "hsd"
    query, key, value = (x.permute(*(layout.index(axis) for axis in order)) for x in (q, k, v))
    group = query.shape[-3] // key.shape[-3]
    key, value = key.repeat_interleave(group, -3), value.repeat_interleave(group, -3)
    out = F.scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=scale)
    scores = query.double() @ key.double().mT * (scale or q.shape[-1] ** -0.5)
    lse = (scores if mask is None else scores.masked_fill(~mask, -torch.inf)).logsumexp(-1, keepdim=True)
    back = [order.index(axis) for axis in layout]
    return out.permute(*back), lse.permute(*back).squeeze(-1)


def check(rank, ranks, options):
    settings = {"heads": 4, "kv_heads": 4, "dtype": torch.float32, "layout": "bshd", "causal": False, "scale": None,
                "batch": 2, "dims": (16, 16), "tokens": None, "cu_seqlens": None, "local": "torch", "head_groups": 0} | options  # fmt: skip
    heads, kv_heads, dtype, layout, causal, scale, batch, dims, tokens, cu_seqlens, local, head_groups = settings.values()
    sequence = sum(tokens) if tokens else 20 * ranks
    geometry = ulysses.Geometry(sequence, batch, heads, kv_heads, tokens=tokens)
    wholes = [whole(layout, sequence, batch, h, d, dtype, seed=i).requires_grad_()
              for i, (h, d) in enumerate([(heads, dims[0]), (kv_heads, dims[0]), (kv_heads, dims[1])])]  # fmt: skip
    target = whole(layout, sequence, batch, heads, dims[1], dtype, seed=9)
    want, want_lse = one_process(layout, *wholes, scale, sees(sequence, causal, cu_seqlens))
    want.backward(target)

    shards = [token_shard(x.detach(), layout, geometry, ranks, rank).requires_grad_() for x in wholes]
    out, lse = ulysses.attention(
        *shards, local=local, causal=causal, scale=scale, layout=layout, tokens=tokens, cu_seqlens=cu_seqlens,
        head_groups=head_groups, return_lse=True,
    )  # fmt: skip
    out.backward(token_shard(target, layout, geometry, ranks, rank))

    tolerance = TOLERANCES[dtype]
    assert out.dtype == dtype and lse.dtype == torch.float32 and not lse.requires_grad
    own = token_shard(want.detach(), layout, geometry, ranks, rank)
    torch.testing.assert_close(out, own, atol=tolerance, rtol=tolerance)
    want_lse = token_shard(want_lse.unsqueeze(-1), layout, geometry, ranks, rank).squeeze(-1).float()
    lse_tolerance = 1e-5 if dtype.itemsize > 2 else 1e-3  # torch adds up rounded exponentials there
    torch.testing.assert_close(lse, want_lse.detach(), atol=lse_tolerance, rtol=lse_tolerance)
    for x, shard in zip(wholes, shards):
        own = token_shard(x.grad, layout, geometry, ranks, rank)
        error = (shard.grad.double() - own.double()).norm() / max(own.double().norm(), 1e-9)
        assert error <= tolerance, f"relative error {error:.2e}, at most {tolerance:.0e}"


@pytest.mark.parametrize("dtype", TOLERANCES, ids=str)
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("heads, kv_heads", [(4, 4), (8, 4), (4, 1), (6, 1)])
def test_values_and_gradients(team, dtype, causal, heads, kv_heads):
    team(2).run(check, {"dtype": dtype, "causal": causal, "heads": heads, "kv_heads": kv_heads})


@pytest.mark.parametrize("ranks, options", [
    (1, {"causal": True}),
    (2, {"scale": 0.3, "causal": True}),
    (2, {"layout": "sbhd", "causal": True}),
    (2, {"layout": "bhsd", "heads": 8, "kv_heads": 2}),
    (2, {"layout": "shd", "batch": 1, "causal": True}),
    (2, {"dims": (16, 24), "causal": True}),
    (2, {"dims": (24, 8), "kv_heads": 1}),
    (2, {"cu_seqlens": (0, 7, 7, 30, 40), "causal": True}),
    (2, {"cu_seqlens": (0, 25, 40), "kv_heads": 2}),
    (2, {"tokens": (11, 30), "causal": True}),
    (2, {"tokens": (0, 30)}),
    (2, {"heads": 8, "kv_heads": 4, "head_groups": 2, "causal": True}),
    (4, {"heads": 8, "kv_heads": 2, "causal": True}),
    (4, {"heads": 7, "kv_heads": 7, "tokens": (5, 0, 1, 9)}),
])  # fmt: skip
def test_options(team, ranks, options):
    team(ranks).run(check, {"dtype": torch.float64} | options)


@pytest.mark.parametrize("local", ["builtin", "oracle"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_the_librarys_own(team, local, dtype):
    team(2).run(check, {"local": local, "dtype": dtype, "causal": True, "kv_heads": 2, "cu_seqlens": (0, 15, 40)})


def check_zigzag(rank, ranks):
    geometry = ulysses.Geometry(8 * ranks, 1, 4, 4, order="zigzag")
    q, k, v = (whole("bshd", 8 * ranks, 1, 4, 8, seed=i) for i in range(3))
    at = token_positions(geometry, ranks, rank)
    got = ulysses.attention(q[:, at], k[:, at], v[:, at], local="torch", causal=True, order="zigzag")
    want, _ = one_process("bshd", q, k, v, None, sees(8 * ranks, True, None))
    torch.testing.assert_close(got, want[:, at])


def test_zigzag(team):
    team(2).run(check_zigzag)


def check_refused(rank, ranks):
    """Options that torch's kernel has not, with the library's: they reach it."""
    q, k, v = (whole("bshd", 16, 1, 4, 8, seed=rank * 3 + i).requires_grad_() for i in range(3))
    options = {"window": (5, 0), "sinks": torch.arange(4.0), "slopes": [0.5, 0.25, 0.125, 0.0]}
    got = ulysses.attention(q, k, v, **options)
    torch.testing.assert_close(got, ulysses.attention(q, k, v, local="oracle", **options), atol=1e-5, rtol=1e-5)
    assert not torch.allclose(got, ulysses.attention(q, k, v), atol=1e-2)
    got.sum().backward()  # an expanded gradient
    assert all(x.grad.isfinite().all() for x in (q, k, v))
    text = {"window": r"window=\(5, 0\)", "sinks": "sinks", "slopes": "slopes"}
    for name, value in options.items():
        with pytest.raises(ulysses.NotSupportedError, match=f"{text[name]}: torch's kernel has none.*local='builtin'"):
            ulysses.attention(q, k, v, local="torch", **{name: value})
    assert ulysses.attention(q, k, v, local="torch").isfinite().all(), "and it goes on"


def test_what_torchs_kernel_has_not_is_refused(team):
    team(2).run(check_refused)


def check_views(rank, ranks):
    """The callback gets the operator's own memory, at most a view of it."""
    x = whole("bshd", 16, 2, 4, 8, seed=rank)
    seen = []

    def local(problem):
        storages = {t.untyped_storage().data_ptr() for t in (problem.query, problem.key, problem.value)}
        seen.append((problem.query.shape, problem.key.shape, len(storages), problem.scale, problem.window))
        problem.output.copy_(problem.value)
        problem.lse.fill_(3)

    output, lse = ulysses.attention(x, x[:, :, :4], x, local=local, scale=2, return_lse=True)
    assert torch.equal(output, x) and (lse == 3).all()
    shape = (2, 4 // ranks, 16 * ranks, 8)
    assert seen == [(shape, shape, 3, 2.0, (-1, -1))]


def test_a_function_of_your_own(team):
    team(2).run(check_views)


class _Broken(Exception):
    pass


def check_raises(rank, ranks, backward, who):
    """An exception in one rank's callback: itself there, RemoteInvalidError at the other, at once; then it goes on."""
    q = whole("bshd", 16, 1, 4, 8, seed=rank).requires_grad_()

    def local(problem):
        if rank == who and problem.backward == backward:
            raise _Broken("on purpose")
        ulysses.torch_attention(problem)

    start = time.monotonic()
    expected, text = (_Broken, "on purpose") if rank == who else (ulysses.RemoteInvalidError, f"rank {who}.*local attention")
    with pytest.raises(expected, match=text):
        ulysses.attention(q, q, q, local=local).sum().backward()
    assert time.monotonic() - start < 10
    assert ulysses.attention(q, q, q, local="torch").isfinite().all(), "and it goes on"


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("who", [0, 1])
def test_an_exception_in_the_callback(team, backward, who):
    team(2).run(check_raises, backward, who)


def check_mistakes(rank, ranks):
    good = torch.ones(1, 8, 4, 16)
    cases = [
        (lambda: ulysses.attention(good, good, good, local="flash"), "want one of builtin, oracle, torch"),
        (lambda: ulysses.attention(good, good, good, scale=0), "scale=0"),
        (lambda: ulysses.attention(good, good[..., :8], good), "key has head_dim 8, query has 16"),
        (lambda: ulysses.attention(good, good, good.bfloat16()), "bfloat16, query is torch.float32"),
        (lambda: ulysses.attention(good, good, good, sinks=[0.0]), "sinks has 1 values"),
        (lambda: ulysses.attention(good, good, good, window=(-2, 0)), "windowLeft=-2"),
        (lambda: ulysses.attention(good, good, good, head_groups=3), "headGroups=3: want a divisor"),
        (lambda: ulysses.attention(good.double(), good.double(), good.double()), "built-in local attention takes f32"),
        (lambda: ulysses.attention(good[0], good, good), "3 dimensions"),
        (lambda: ulysses.attention(good, good, good, layout="bsdh"), "ends with d"),
    ]
    for index, (call, text) in enumerate(cases):
        with pytest.raises(ValueError, match=text):
            call()
        # At one rank only: the other must not wait for the deadline.
        with pytest.raises(ulysses.RemoteInvalidError if rank == 0 else ValueError):
            call() if rank == 1 else ulysses.attention(good, good, good)
        assert ulysses.attention(good, good, good).sum() == good.sum(), f"after case {index} it goes on"
    with pytest.raises(ulysses.MismatchError, match="causal"):
        ulysses.attention(good, good, good, causal=rank == 1)


def test_mistakes_are_told_to_the_peers(team):
    start = time.monotonic()
    team(2).run(check_mistakes)
    assert time.monotonic() - start < 30


def check_blocks(rank, ranks):
    """A training loop takes its memory in its first steps: workspace, outputs and gradients are in the same few blocks."""
    addresses = set()
    for _ in range(20):
        q = whole("bshd", 64, 1, 4, 32, seed=rank).requires_grad_()
        out = ulysses.attention(q, q.detach(), q.detach(), local="torch", causal=True)
        out.sum().backward()
        addresses |= {out.data_ptr(), q.grad.data_ptr()}
    assert len(addresses) <= 6, addresses


def test_memory_is_used_again(team):
    team(2).run(check_blocks)
