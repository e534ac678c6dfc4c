// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// The lines are for a shell: a shell runs them here, with the tool that ULYSSES_PERF names, on random exchanges. Where
// a line has no remark the tool must make the very plan that the line was made of: in all when the
// line names the layout that the strides were made by, else (a rank with little of a tensor has it in several layouts)
// in split and bytes.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>

#include "plan/reproduction.h"
#include "plan_case.h"

namespace ulysses::test {
namespace {

struct Answer {
  int status;
  std::string text;
};

Answer runInShell(const std::string& command) {
  Answer answer{};
  std::FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  if (!pipe) return {-1, "popen failed"};
  char part[4096];
  for (size_t bytes = 0; (bytes = std::fread(part, 1, sizeof part, pipe)) > 0;) answer.text.append(part, bytes);
  answer.status = WEXITSTATUS(pclose(pipe));
  return answer;
}

/// Tensors whose strides have a name, which it returns, at times Q, K and V; drawCase gives free ones.
std::string makeNamed(PlanCase& run, Rng& rng) {
  const int form = static_cast<int>(rng.between(0, 2));
  Strides (*const layout)(const Shape&) = form == 0 ? sbhd : form == 1 ? bshd : bhsd;
  const bool qkv = rng.chance(50);
  for (int rank = 0; rank < run.nRanks; ++rank) {
    std::vector<TensorSpec>& tensors = run.tensors[static_cast<std::size_t>(rank)];
    tensors.resize(1);
    if (qkv) {
      TensorSpec query = tensors[0];
      query.kind = TensorKind::Query;
      query.type = DataType::F32;
      query.sum = false;
      TensorSpec kv = query;
      kv.kind = TensorKind::Kv;
      kv.sum = run.operation == Operation::GatherHeads && run.partition.kvShared;
      tensors = {query, kv, kv};
    }
    for (TensorSpec& tensor : tensors) {
      tensor.sum = tensor.sum && run.partition.kvShared;  // the tool asks for sums only where there are any
      const Shape sequence = sequenceShape(run, tensor, rank), heads = headShape(run, tensor, rank);
      const bool scatter = run.operation == Operation::ScatterHeads;
      tensor.input = layout(scatter ? sequence : heads);
      tensor.output = layout(scatter ? heads : sequence);
    }
  }
  return form == 0 ? "sbhd" : form == 1 ? "bshd" : "bhsd";
}

/// The tool with --explain-rank put where a shell still reads it.
std::string explaining(const char* tool, std::string line, int rank) {
  line.replace(0, std::string("ulysses_perf").size(), std::string(tool) + " --explain-rank " + std::to_string(rank));
  return line;
}

TEST(Reproduction, TheToolTakesEveryLine) {
  const char* tool = std::getenv("ULYSSES_PERF");
  if (!tool) GTEST_SKIP() << "ULYSSES_PERF names no ulysses_perf";
  int exact = 0, nearest = 0, whole = 0;
  for (std::uint64_t seed = 0; seed < 240; ++seed) {
    Rng rng(seed, 1, 2);
    PlanCase run = drawCase(1 + static_cast<int>(seed % 8), seed);
    const std::string layout = seed % 2 == 0 ? makeNamed(run, rng) : "free";
    const int rank = static_cast<int>(rng.between(0, run.nRanks - 1));
    const auto plan = run.planOf(rank);
    const std::string line = reproductionLine(*plan, rng.pick({ReproMemory::Plain, ReproMemory::Registered}));
    const Answer answer = runInShell(explaining(tool, line, rank));
    ASSERT_EQ(answer.status, 0) << "seed " << seed << ": " << line << "\n" << answer.text;
    const bool isExact = line.find('#') == std::string::npos;
    isExact ? ++exact : ++nearest;
    if (!isExact) continue;
    const std::string own = explain(*plan), theirs = answer.text.substr(answer.text.find('\n') + 1);
    const bool sameName = line.find("--layout " + layout) != std::string::npos;
    const size_t head = sameName ? std::string::npos : own.find(" in all;");
    whole += sameName;
    EXPECT_EQ(theirs.substr(0, head), (own + "\n").substr(0, head)) << "seed " << seed << ": " << line;
  }
  std::printf("%d lines exact (%d plans compared as a whole), %d nearest\n", exact, whole, nearest);
  EXPECT_GT(exact, 60);
  EXPECT_GT(nearest, 60);
  EXPECT_GT(whole, 40);
}

}  // namespace
}  // namespace ulysses::test
