// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "support/rank_case.h"

#include <algorithm>
#include <cstdio>

#include "support/oracle.h"

namespace ulysses::test {

namespace {

/// Strides that are not to be read: the layout says it all.
constexpr ulyssesStrides_t kUnread = {-1, 3, -5, 7};

/// "element (token 1, batch 0, head 2, 5)", or that none lies at this byte.
std::string placeOf(std::int64_t byte, const ulyssesStrides_t& strides, const Dims& dims, std::int64_t elementBytes) {
  for (std::int64_t token = 0; token < dims.tokens; ++token) {
    for (std::int64_t batch = 0; batch < dims.batch; ++batch) {
      for (std::int64_t head = 0; head < dims.heads; ++head) {
        const std::int64_t distance = byte - offsetOf(strides, dims, token, batch, head) * elementBytes;
        if (distance < 0 || distance >= dims.headDim * elementBytes) continue;
        return "element (token " + std::to_string(token) + ", batch " + std::to_string(batch) + ", head " +
               std::to_string(head) + ", " + std::to_string(distance / elementBytes) + ")";
      }
    }
  }
  return "no element lies there: a guard or a gap";
}

const Side& sideOf(const TensorCase& tensor, End end, int rank) {
  return (end == End::Input ? tensor.inputs : tensor.outputs).at(static_cast<std::size_t>(rank));
}

}  // namespace

RankCase::RankCase(const Case& run, const Images& inputs, int rank, RankMemory* memory)
    : run_(&run), inputs_(&inputs), rank_(rank), geometry_(run.geometry.toC()) {
  const auto self = static_cast<std::size_t>(rank);
  for (std::size_t index = 0; index < run.tensors.size(); ++index) {
    const TensorCase& tensor = run.tensors[index];
    const Image& input = inputs.at(index).at(self);
    Placed placed = {nullptr, nullptr, outputImage(run, index, rank)};
    placed.input = memory->place(input, sideOf(tensor, End::Input, rank).registered);
    placed.output = memory->place(placed.outputBefore, sideOf(tensor, End::Output, rank).registered);
    tensors_.push_back(descriptor(tensor, input, placed));
    placed_.push_back(std::move(placed));
  }
}

ulyssesTensor_t RankCase::descriptor(const TensorCase& tensor, const Image& input, const Placed& placed) const {
  const Side& from = sideOf(tensor, End::Input, rank_);
  const Side& to = sideOf(tensor, End::Output, rank_);
  ulyssesTensor_t descriptor = {};
  descriptor.input = placed.input + input.base;
  descriptor.output = placed.output + placed.outputBefore.base;
  descriptor.headDim = tensor.headDim;
  descriptor.dtype = tensor.type;
  descriptor.kind = tensor.kind;
  descriptor.inputLayout = from.layout;
  descriptor.outputLayout = to.layout;
  descriptor.inputStrides = from.layout == ulyssesLayoutStrided ? from.strides : kUnread;
  descriptor.outputStrides = to.layout == ulyssesLayoutStrided ? to.strides : kUnread;
  descriptor.flags = tensor.sum ? ULYSSES_TENSOR_SUM : 0;
  return descriptor;
}

ulyssesResult_t RankCase::exchange(ulyssesComm_t comm) const {
  const auto call = run_->op == ulyssesOpScatterHeads ? ulyssesScatterHeads : ulyssesGatherHeads;
  return call(&geometry_, tensors_.data(), static_cast<int>(tensors_.size()), comm, nullptr);
}

ulyssesResult_t RankCase::start(ulyssesComm_t comm, ulyssesRequest_t* request) const {
  // Structs and arrays are read during the call only: these copies are gone when the bytes move.
  const GeometrySpec spec = run_->geometry;
  const ulyssesGeometry_t geometry = spec.toC();
  const std::vector<ulyssesTensor_t> tensors = tensors_;
  const auto call = run_->op == ulyssesOpScatterHeads ? ulyssesScatterHeadsStart : ulyssesGatherHeadsStart;
  return call(&geometry, tensors.data(), static_cast<int>(tensors.size()), comm, nullptr, request);
}

std::string RankCase::difference() const {
  for (std::size_t index = 0; index < placed_.size(); ++index) {
    const TensorCase& tensor = run_->tensors[index];
    const std::string who = "rank " + std::to_string(rank_) + " tensor " + std::to_string(index);
    const std::size_t size = bytesOf(tensor.type);
    const Image& input = (*inputs_)[index][static_cast<std::size_t>(rank_)];
    std::string found = differenceOf(input, placed_[index].input, sideOf(tensor, End::Input, rank_).strides,
                                     dimsOf(*run_, tensor, rank_, End::Input), size);
    if (!found.empty()) return who + ": the input was changed: " + found;

    Image expected = placed_[index].outputBefore;
    applyOracle(*run_, tensor, rank_, (*inputs_)[index], &expected);
    found = differenceOf(expected, placed_[index].output, sideOf(tensor, End::Output, rank_).strides,
                         dimsOf(*run_, tensor, rank_, End::Output), size);
    if (!found.empty()) return who + ": the output is wrong: " + found;
  }
  return "";
}

Image RankCase::readBack(std::size_t tensor, End end) const {
  Image image = end == End::Input ? (*inputs_)[tensor][static_cast<std::size_t>(rank_)] : placed_[tensor].outputBefore;
  std::copy_n(raw(tensor, end), image.bytes.size(), image.bytes.begin());
  return image;
}

std::uint8_t* RankCase::raw(std::size_t tensor, End end) const {
  return end == End::Input ? placed_.at(tensor).input : placed_.at(tensor).output;
}

std::string differenceOf(const Image& expected, const std::uint8_t* actual, const ulyssesStrides_t& strides,
                         const Dims& dims, std::size_t elementBytes) {
  const auto at = std::mismatch(expected.bytes.begin(), expected.bytes.end(), actual);
  if (at.first == expected.bytes.end()) return "";
  const auto byte = at.first - expected.bytes.begin() - static_cast<std::int64_t>(expected.base);
  char values[64];
  std::snprintf(values, sizeof(values), " is 0x%02x, expected 0x%02x; ", *at.second, *at.first);
  return "byte " + std::to_string(byte) + values +
         placeOf(byte, strides, dims, static_cast<std::int64_t>(elementBytes));
}

}  // namespace ulysses::test
