// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Rows B1-B4 and B7 of the fault matrix: one rank's call differs in one field. Every rank is told both ranks, the field
// and both values before a byte has moved, and the communicator goes on.
#include <gtest/gtest.h>

#include "fault/team.h"
#include "fault/texts.h"

namespace ulysses::test {

namespace {

constexpr int kRanks = 3;

struct Difference {
  const char* field;
  void (*base)(Trial&);   // at every rank
  void (*spoil)(Trial&);  // at one
  const char *usual, *other;
};

void plain(Trial&) {}

void giveTokens(Trial& t) { t.geometry.tokens = t.tokens.data(); }

void giveHeads(Trial& t) { t.geometry.queryHeads = t.queryHeads.data(); }

void gatherKv(Trial& t) {
  t.op = ulyssesOpGatherHeads;
  t.tensors[0].kind = ulyssesTensorKv;
  t.tensors[0].dtype = ulyssesFloat32;
}

void giveEnds(Trial& t) {
  t.geometry.order = ulyssesOrderZigzag;
  t.geometry.tokens = nullptr;
  t.cuSeqlens = {0, t.geometry.sequence / 2, t.geometry.sequence};
  t.geometry.cuSeqlens = t.cuSeqlens.data();
  t.geometry.nSequences = 2;
}

/// Each difference leaves a call that is valid in itself, most of them with as many bytes to and from every rank.
const Difference kDifferences[] = {
    {"operation", plain, [](Trial& t) { t.op = ulyssesOpGatherHeads; }, "scatter_heads", "gather_heads"},
    {"sequence", plain,
     [](Trial& t) {
       t.geometry.sequence += kRanks;
       t.tokens[0] += kRanks;
     },
     "72", "75"},
    {"batch", plain, [](Trial& t) { t.geometry.batch = 3; }, "2", "3"},
    {"heads", plain,
     [](Trial& t) {
       t.geometry.heads += kRanks;
       t.queryHeads[0] += kRanks;
     },
     "6", "9"},
    {"kvHeads", plain, [](Trial& t) { t.geometry.kvHeads = 3; }, "6", "3"},
    {"order", [](Trial& t) { t.geometry.tokens = nullptr; }, [](Trial& t) { t.geometry.order = ulyssesOrderZigzag; },
     "contiguous", "zigzag"},
    {"nTensors", plain, [](Trial& t) { t.nTensors = 2; }, "1", "2"},
    {"nSequences", giveEnds,
     [](Trial& t) {
       t.cuSeqlens.insert(t.cuSeqlens.begin(), 0);
       t.geometry.cuSeqlens = t.cuSeqlens.data();
       t.geometry.nSequences = 3;
     },
     "2", "3"},
    {"cuSeqlens", giveEnds, [](Trial& t) { t.cuSeqlens[1] += 6; }, "", ""},
    {"tag", [](Trial& t) { t.geometry.tag = 7; }, [](Trial& t) { t.geometry.tag = 0xabcd; }, "0x0000000000000007",
     "0x000000000000abcd"},
    {"tokens[0]", giveTokens,
     [](Trial& t) {
       ++t.tokens[0];
       --t.tokens[1];
     },
     "24", "25"},
    {"tokens[1]", giveTokens,
     [](Trial& t) {
       ++t.tokens[1];
       --t.tokens[2];
     },
     "24", "25"},
    {"tokens", giveTokens, [](Trial& t) { t.geometry.tokens = nullptr; }, "an array", "NULL"},
    {"queryHeads[1]", giveHeads,
     [](Trial& t) {
       ++t.queryHeads[1];
       --t.queryHeads[2];
     },
     "2", "3"},
    {"queryHeads", giveHeads, [](Trial& t) { t.geometry.queryHeads = nullptr; }, "an array", "NULL"},
    {"tensors[0].kind", plain, [](Trial& t) { t.tensors[0].kind = ulyssesTensorKv; }, "query", "kv"},
    {"tensors[0].dtype", [](Trial& t) { t.tensors[0].dtype = ulyssesBfloat16; },
     [](Trial& t) { t.tensors[0].dtype = ulyssesFloat16; }, "bf16", "f16"},
    {"tensors[0].headDim", plain, [](Trial& t) { t.tensors[0].headDim = 32; }, "16", "32"},
    {"tensors[0].flags", gatherKv, [](Trial& t) { t.tensors[0].flags = ULYSSES_TENSOR_SUM; }, "0", "1"},
    {"tensors[0].inputLayout", plain, [](Trial& t) { t.tensors[0].inputLayout = ulyssesLayoutBSHD; }, "sequence,batch",
     "batch,sequence"},
    {"tensors[0].outputLayout", plain, [](Trial& t) { t.tensors[0].outputLayout = ulyssesLayoutBHSD; }, "head", "head"},
    {"tensors[1].headDim", [](Trial& t) { t.nTensors = 2; }, [](Trial& t) { t.tensors[1].headDim = 8; }, "16", "8"},
};

void expectMismatch(const Rank& rank, ulyssesComm_t comm, Trial& trial, const Difference& difference, int differing) {
  const std::string what = std::string(difference.field) + " differs at rank " + std::to_string(differing);
  trial.reset();
  difference.base(trial);
  if (rank.rank() == differing) difference.spoil(trial);
  const std::int64_t start = nowNs();
  rank.expectResult(trial.call(comm), ulyssesMismatch, what);
  rank.expect(msSince(start) < 3000, what + ": not at once");
  rank.expect(trial.isUntouched(), what + ": an output was written");
  // The pair that is named: the differing rank and the lowest other one, lower rank first.
  const std::string usual = "rank " + std::to_string(differing == 0 ? 1 : 0) + " passed " + difference.usual;
  const std::string other = "rank " + std::to_string(differing) + " passed " + difference.other;
  std::vector<std::string> parts = {std::string(": ") + difference.field + ": ", identityText(rank.rank(), kRanks),
                                    " op "};
  // What "dimensions in order" stands for is said once, before the lower rank's value.
  const bool order = std::string(difference.field).ends_with("Layout");
  if (order)
    parts.insert(parts.end(), {difference.usual, difference.other, "rank " + std::to_string(differing) + " passed"});
  else
    parts.insert(parts.end(), {usual, other, "all ranks must pass the same"});
  rank.expectText(lastError(), parts, what);
}

void runDifferences(const TrialOptions& options, bool evenOnly) {
  Team team(kRanks, [&](Rank& rank) {
    const ulyssesComm_t comm = rank.join(10'000);
    Trial trial(rank.rank(), kRanks, options);
    for (const Difference& difference : kDifferences) {
      const std::string field = difference.field;
      if (!evenOnly &&
          (field.starts_with("tokens") || field.starts_with("queryHeads") || field == "sequence" || field == "heads" ||
           field == "order" || field == "nSequences" || field == "cuSeqlens" || field == "kvHeads"))
        continue;
      for (int differing = 0; differing < kRanks; ++differing) {
        // A rank that has none of a tensor has it in no layout.
        if (!evenOnly &&
            ((field.ends_with("inputLayout") && differing == 1) || (field.ends_with("outputLayout") && differing == 2)))
          continue;
        expectMismatch(rank, comm, trial, difference, differing);
        rank.expectNone(trial.exchange(comm, differing), "after " + field);
      }
    }
    rank.meet();
    (void)ulyssesCommDestroy(comm);
  });
  team.expectRight(60'000);
}

TEST(Mismatch, EveryFieldPrivateMemory) { runDifferences({}, true); }
TEST(Mismatch, EveryFieldRegisteredMemory) { runDifferences({.registered = true}, true); }

/// Rank 1 has no token and rank 2 no head: no byte goes between them, and yet they agree or know why not.
TEST(Mismatch, RanksWithoutBytes) { runDifferences({.tokens = {24, 0, 12}, .heads = {2, 1, 0}}, false); }

}  // namespace

}  // namespace ulysses::test
