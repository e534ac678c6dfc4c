// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "base/format.h"
#include "plan/plan.h"

namespace ulysses {
namespace {

using Text = std::string;

template <typename... Args>
void add(Text& text, fmt::format_string<Args...> line, Args&&... args) {
  text += formatText(line, std::forward<Args>(args)...);
}

void addSplit(Text& text, const Plan& plan) {
  const Geometry& g = plan.geometry();
  const Distribution& d = plan.distribution();
  add(text, "{} rank {}/{}: sequence {} batch {} heads {} kv_heads {} order {} imbalance {:.3f}\n",
      nameOf(plan.operation()), plan.rank(), g.nRanks, g.sequence, g.batch, g.heads, g.kvHeads, nameOf(g.order),
      d.heads.imbalance());
  const size_t r = static_cast<size_t>(plan.rank());
  add(text, "  holds {} tokens (", d.tokens.tokens[r]);
  for (const TokenRun& run : d.tokens.of(plan.rank())) add(text, " {}..{}", run.global, run.global + run.count - 1);
  add(text, " ), query heads {}..{}, kv heads {}..{}\n", d.heads.query[r].begin, d.heads.query[r].end() - 1,
      d.heads.kv[r].begin, d.heads.kv[r].end() - 1);
}

void addCopy(Text& text, const Copy& copy) {
  add(text, "    tensor {}: {} B as {} x {} x {} x {} runs of {} B, from +{} strides", copy.tensor, copy.bytes(),
      copy.n[0], copy.n[1], copy.n[2], copy.n[3], copy.runBytes, copy.srcOffset);
  for (const int64_t stride : copy.srcStride) add(text, " {}", stride);
  add(text, ", to +{} strides", copy.dstOffset);
  for (const int64_t stride : copy.dstStride) add(text, " {}", stride);
  add(text, "\n");
}

void addSource(Text& text, const Plan& plan, int source, std::span<const Copy> copies) {
  if (plan.receivesFrom(source).empty()) return;
  add(text, "  from rank {}: {} B\n", source, plan.bytesFrom(source));
  for (int64_t i = plan.firstReceive(source); i < plan.firstReceive(source + 1); ++i) {
    addCopy(text, copies[static_cast<size_t>(i)]);
    if (const int32_t unit = plan.receives()[static_cast<size_t>(i)].unit; unit >= 0)
      add(text, "      summand of kv head {}, one of {}\n", plan.sumUnits()[static_cast<size_t>(unit)].box.seqGroup,
          plan.sumUnits()[static_cast<size_t>(unit)].sourceCount);
  }
}

}  // namespace

std::string explain(const Plan& plan) {
  Text text;
  addSplit(text, plan);
  add(text, "  receives {} B in all; each byte is read once and written once\n", plan.bytesReceived());
  std::vector<Strides> strides;  // the peers' are assumed to be this rank's; an exchange uses the real ones
  for (const TensorSpec& tensor : plan.tensors()) strides.push_back(tensor.input);
  std::vector<Copy> copies(plan.receives().size());
  for (int source = 0; source < plan.nRanks(); ++source) {
    plan.bindSource(source, strides, copies);
    addSource(text, plan, source, copies);
  }
  return text;
}

}  // namespace ulysses
