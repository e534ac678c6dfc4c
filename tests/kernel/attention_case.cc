// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "attention_case.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "kernels/half.h"

namespace ulysses::attention::test {
namespace {

constexpr std::byte kGap{0xA5};

size_t sizeOf(ulyssesDataType_t dtype) { return dtype == ulyssesFloat32 ? 4 : 2; }

/// About normal, of variance 1.
double normal(Rng& rng) {
  double sum = 0;
  for (int i = 0; i < 4; ++i) sum += static_cast<double>(rng.between(-1000000, 1000000)) * 1e-6;
  return sum * std::sqrt(0.75);
}

void drawMask(Rng& rng, Case& drawn) {
  ulyssesLocalAttention_t& problem = drawn.problem;
  const int64_t tokens = problem.sequence;
  problem.causal = rng.chance(50);
  problem.windowLeft = rng.chance(60) ? ULYSSES_ATTENTION_ANY : rng.between(0, tokens + 1);
  problem.windowRight = rng.chance(60) ? ULYSSES_ATTENTION_ANY : rng.between(0, tokens + 1);
  if (rng.chance(10)) problem.windowLeft = INT64_MAX;
  if (rng.chance(10)) problem.windowRight = INT64_MAX;
  if (rng.chance(60)) return;
  // Sequences may be empty; now and then some tokens are in none, and see nothing.
  const int64_t first = rng.chance(30) ? rng.between(0, tokens) : 0;
  const int64_t last = rng.chance(30) ? rng.between(first, tokens) : tokens;
  drawn.cuSeqlens = {first, last};
  for (int64_t i = rng.between(0, 6); i > 0; --i) drawn.cuSeqlens.push_back(rng.between(first, last));
  std::sort(drawn.cuSeqlens.begin(), drawn.cuSeqlens.end());
}

}  // namespace

Tensor::Tensor(ulyssesDataType_t dtype, std::array<int64_t, 4> shape)
    : dtype_(dtype), shape_(shape), strides_{shape[1] * shape[2] * shape[3], shape[2] * shape[3], shape[3], 1} {
  bytes_.assign(static_cast<size_t>(shape[0] * strides_[0]) * sizeOf(dtype), kGap);
}

Tensor::Tensor(Rng& rng, ulyssesDataType_t dtype, std::array<int64_t, 4> shape) : dtype_(dtype), shape_(shape) {
  std::array<size_t, 3> order = {0, 1, 2};
  for (size_t i = 2; i > 0; --i)
    std::swap(order[i], order[static_cast<size_t>(rng.between(0, static_cast<int64_t>(i)))]);
  strides_[3] = 1;
  int64_t size = shape[3];
  for (const size_t axis : order) {
    strides_[axis] = size + (rng.chance(40) ? rng.between(1, 20) : 0);
    size = strides_[axis] * std::max<int64_t>(shape[axis], 1);
  }
  bytes_.assign(static_cast<size_t>(size) * sizeOf(dtype), kGap);
}

size_t Tensor::offset(int64_t s, int64_t b, int64_t h, int64_t d) const {
  return static_cast<size_t>(s * strides_[0] + b * strides_[1] + h * strides_[2] + d) * sizeOf(dtype_);
}

double Tensor::get(int64_t s, int64_t b, int64_t h, int64_t d) const {
  uint32_t bits = 0;
  std::memcpy(&bits, &bytes_[offset(s, b, h, d)], sizeOf(dtype_));
  if (dtype_ == ulyssesFloat32) return std::bit_cast<float>(bits);
  const auto half = static_cast<uint16_t>(bits);
  return dtype_ == ulyssesFloat16 ? kernels::floatFromFloat16(half) : kernels::floatFromBfloat16(half);
}

void Tensor::set(int64_t s, int64_t b, int64_t h, int64_t d, double value) {
  const auto single = static_cast<float>(value);
  uint32_t bits = std::bit_cast<uint32_t>(single);
  if (dtype_ == ulyssesFloat16) bits = kernels::float16FromFloat(single);
  if (dtype_ == ulyssesBfloat16) bits = std::isnan(single) ? 0x7FC0 : kernels::bfloat16FromFloat(single);
  std::memcpy(&bytes_[offset(s, b, h, d)], &bits, sizeOf(dtype_));
}

ulyssesLocalTensor_t Tensor::view(int64_t head) {
  return {bytes_.data() + offset(0, 0, head, 0), strides_[0], strides_[1], strides_[2]};
}

bool Tensor::gapsIntact() const {
  std::vector<std::byte> copy = bytes_;
  for (int64_t s = 0; s < shape_[0]; ++s)
    for (int64_t b = 0; b < shape_[1]; ++b)
      for (int64_t h = 0; h < shape_[2]; ++h)
        std::fill_n(copy.begin() + static_cast<std::ptrdiff_t>(offset(s, b, h, 0)),
                    static_cast<size_t>(shape_[3]) * sizeOf(dtype_), kGap);
  return std::all_of(copy.begin(), copy.end(), [](std::byte value) { return value == kGap; });
}

ulyssesLocalAttention_t Case::of(bool backward, int64_t first, int64_t count) {
  ulyssesLocalAttention_t part = problem;
  const int64_t group = problem.heads / problem.kvHeads, head = first * group;
  part.backward = backward;
  part.heads = count * group;
  part.kvHeads = count;
  if (!cuSeqlens.empty()) {
    part.cuSeqlens = cuSeqlens.data();
    part.nSequences = static_cast<int64_t>(cuSeqlens.size()) - 1;
  }
  if (!sinks.empty()) part.sinks = sinks.data() + head;
  if (!slopes.empty()) part.slopes = slopes.data() + head;
  part.query = query.view(head);
  part.key = key.view(first);
  part.value = value.view(first);
  part.output = output.view(head);
  part.lse = backward ? lse.view(head) : computedLse.view(head);
  part.outputGradient = outputGradient.view(head);
  part.delta = delta.view(head);
  part.queryGradient = queryGradient.view(head);
  part.keyGradient = keyGradient.view(first);
  part.valueGradient = valueGradient.view(first);
  if (!sinkGradients.empty()) part.sinkGradients = sinkGradients.data() + head;
  return part;
}

std::string Case::text() const {
  std::string text = "dtype " + std::to_string(problem.dtype) + ", S " + std::to_string(problem.sequence) + ", B " +
                     std::to_string(problem.batch) + ", H " + std::to_string(problem.heads) + "/" +
                     std::to_string(problem.kvHeads) + ", D " + std::to_string(problem.headDim) + "/" +
                     std::to_string(problem.vHeadDim) + ", scale " + std::to_string(problem.scale) + ", causal " +
                     std::to_string(problem.causal) + ", window " + std::to_string(problem.windowLeft) + ".." +
                     std::to_string(problem.windowRight) + (sinks.empty() ? "" : ", sinks") +
                     (slopes.empty() ? "" : ", slopes") + ", cu";
  for (const int64_t at : cuSeqlens) text += " " + std::to_string(at);
  return text;
}

Case randomCase(Rng& rng, ulyssesDataType_t dtype, int64_t longest) {
  Case drawn{};
  ulyssesLocalAttention_t& problem = drawn.problem;
  problem.size = sizeof problem;
  problem.sequence = rng.chance(5) ? 0 : rng.between(1, longest);
  problem.batch = rng.chance(3) ? 0 : rng.between(1, 2);
  problem.kvHeads = rng.between(1, 3);
  problem.heads = problem.kvHeads * rng.pick<int64_t>({1, 1, 2, 3});
  problem.headDim = rng.chance(50) ? rng.between(1, 80) : rng.pick<int64_t>({16, 32, 64, 128});
  problem.vHeadDim = rng.chance(50) ? problem.headDim : rng.between(1, 80);
  problem.dtype = dtype;
  problem.scale = rng.chance(5) ? 0 : (rng.chance(10) ? -1 : 1) / std::sqrt(static_cast<double>(problem.headDim));
  problem.threads = static_cast<int32_t>(rng.between(1, 3));
  drawMask(rng, drawn);
  const auto floats = [&](int percent) {
    std::vector<float> values(rng.chance(percent) ? static_cast<size_t>(problem.heads) : 0);
    for (float& value : values) value = static_cast<float>(normal(rng));
    return values;
  };
  drawn.sinks = floats(30);
  drawn.slopes = floats(30);
  // Not so steep that a probability is 0 in float and not in double: 0 times infinity is NaN.
  for (float& slope : drawn.slopes) slope = std::abs(slope) * 20 / (20 + static_cast<float>(problem.sequence));
  drawn.sinkGradients = drawn.sinks;
  const auto tensor = [&](int64_t heads, int64_t width, ulyssesDataType_t type) {
    return Tensor(rng, type, {problem.sequence, problem.batch, heads, width});
  };
  const auto filled = [&](int64_t heads, int64_t width) {
    Tensor values = tensor(heads, width, dtype);
    values.fill([&](auto...) { return normal(rng); });
    return values;
  };
  drawn.query = filled(problem.heads, problem.headDim);
  drawn.key = filled(problem.kvHeads, problem.headDim);
  drawn.value = filled(problem.kvHeads, problem.vHeadDim);
  drawn.outputGradient = filled(problem.heads, problem.vHeadDim);
  for (Tensor* statistics : {&drawn.lse, &drawn.delta, &drawn.computedLse})
    *statistics = tensor(problem.heads, 1, ulyssesFloat32);
  drawn.output = tensor(problem.heads, problem.vHeadDim, dtype);
  drawn.queryGradient = tensor(problem.heads, problem.headDim, dtype);
  drawn.keyGradient = tensor(problem.kvHeads, problem.headDim, dtype);
  drawn.valueGradient = tensor(problem.kvHeads, problem.vHeadDim, dtype);
  return drawn;
}

}  // namespace ulysses::attention::test
