// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// What fills and compares memory of gpu_bench, on the GPU: through the host it would take minutes. Bytes are multiples
// of 16, as are addresses. They return CUDA's result.
#pragma once
#include <cstddef>
#include <cstdint>

namespace ulysses::test {

/// Random numbers, all finite and none 0, of 2^-15 to 2 in size, whether bf16 or float: what is all zeros costs a
/// GPU less power than what is real.
int launchFill(std::byte* data, std::int64_t bytes, std::uint64_t seed, void* stream);

/// Adds to the counter how many words of 16 bytes differ.
int launchCompare(const std::byte* one, const std::byte* other, std::int64_t bytes, unsigned long long* counter,
                  void* stream);

}  // namespace ulysses::test
