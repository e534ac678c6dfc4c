// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "support/oracle.h"

#include <cstring>

namespace ulysses::test {

namespace {

/// One side of a tensor at one rank: finds rows, a row being the head_dim elements of (token, batch, head).
class Rows {
 public:
  Rows(const Case& run, const TensorCase& tensor, int rank, End end)
      : dims_(dimsOf(run, tensor, rank, end)),
        strides_((end == End::Input ? tensor.inputs : tensor.outputs).at(static_cast<std::size_t>(rank)).strides),
        size_(static_cast<std::int64_t>(bytesOf(tensor.type))) {}

  const Dims& dims() const { return dims_; }
  std::int64_t byteOffset(std::int64_t token, std::int64_t batch, std::int64_t head) const {
    return offsetOf(strides_, dims_, token, batch, head) * size_;
  }

 private:
  Dims dims_;
  ulyssesStrides_t strides_;
  std::int64_t size_;
};

/// y_r[position of (j, s), b, h] = x_j[s, b, first_head(r) + h]
void scatterHeads(const Case& run, const TensorCase& tensor, int rank, const std::vector<Image>& inputs,
                  Image* output) {
  const Rows to(run, tensor, rank, End::Output);
  const std::size_t rowBytes = static_cast<std::size_t>(tensor.headDim) * bytesOf(tensor.type);
  for (int sender = 0; sender < run.nRanks; ++sender) {
    const Rows from(run, tensor, sender, End::Input);
    const Image& input = inputs.at(static_cast<std::size_t>(sender));
    const auto& positions = run.partition.ranks.at(static_cast<std::size_t>(sender)).positions;
    for (std::int64_t token = 0; token < from.dims().tokens; ++token) {
      const std::int64_t position = positions[static_cast<std::size_t>(token)];
      for (std::int64_t batch = 0; batch < to.dims().batch; ++batch) {
        for (std::int64_t head = 0; head < to.dims().heads; ++head) {
          std::memcpy(output->at(to.byteOffset(position, batch, head)),
                      input.at(from.byteOffset(token, batch, firstHead(run, tensor, rank) + head)), rowBytes);
        }
      }
    }
  }
}

/// o_r[s, b, h] = the sum over the ranks j that hold h, ascending, of u_j[position of (r, s), b, h - first_head(j)]
void gatherHeads(const Case& run, const TensorCase& tensor, int rank, const std::vector<Image>& inputs, Image* output) {
  const Rows to(run, tensor, rank, End::Output);
  const std::size_t size = bytesOf(tensor.type);
  const auto& positions = run.partition.ranks.at(static_cast<std::size_t>(rank)).positions;
  std::vector<Rows> senders;
  senders.reserve(static_cast<std::size_t>(run.nRanks));
  for (int sender = 0; sender < run.nRanks; ++sender) senders.emplace_back(run, tensor, sender, End::Input);
  for (std::int64_t token = 0; token < to.dims().tokens; ++token) {
    const std::int64_t position = positions[static_cast<std::size_t>(token)];
    for (std::int64_t batch = 0; batch < to.dims().batch; ++batch) {
      for (std::int64_t head = 0; head < to.dims().heads; ++head) {
        std::vector<const std::uint8_t*> rows;
        for (int sender = 0; sender < run.nRanks; ++sender) {
          const Rows& from = senders[static_cast<std::size_t>(sender)];
          const std::int64_t local = head - firstHead(run, tensor, sender);
          if (local < 0 || local >= from.dims().heads) continue;
          rows.push_back(inputs.at(static_cast<std::size_t>(sender)).at(from.byteOffset(position, batch, local)));
        }
        std::uint8_t* row = output->at(to.byteOffset(token, batch, head));
        if (!tensor.sum) {
          std::memcpy(row, rows.at(0), static_cast<std::size_t>(tensor.headDim) * size);
          continue;
        }
        for (std::int64_t element = 0; element < tensor.headDim; ++element, row += size) {
          sumElements(tensor.type, rows, row);
          for (const std::uint8_t*& term : rows) term += size;
        }
      }
    }
  }
}

}  // namespace

void applyOracle(const Case& run, const TensorCase& tensor, int rank, const std::vector<Image>& inputs, Image* output) {
  const auto apply = run.op == ulyssesOpScatterHeads ? scatterHeads : gatherHeads;
  apply(run, tensor, rank, inputs, output);
}

}  // namespace ulysses::test
