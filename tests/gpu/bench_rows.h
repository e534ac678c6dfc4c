// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// The rows of gpu_bench's tables, which are Markdown, so that they can be kept under docs as they are printed. Each
// verifies its case and prints one row; what throws has printed none.
#pragma once
#include "gpu/bench_case.h"
#include "path/cuda/cuda_runtime.h"

namespace ulysses::test {

/// An exchange beside a copy of the same bytes and the permutation.
inline constexpr const char* kExchangeHeader =
    "| case | P | S | MiB | us | copy us | of copy | target | permutation us | passes | times ours | target |\n"
    "|---|---|---|---|---|---|---|---|---|---|---|---|\n";
void runExchange(CudaRuntime& runtime, const BenchCase& run);

/// Small exchanges in the replay of a graph of many.
inline constexpr const char* kGraphHeader =
    "| case | P | S | KiB | exchanges a graph | us an exchange | target |\n"
    "|---|---|---|---|---|---|---|\n";
void runGraph(CudaRuntime& runtime, const BenchCase& run);

/// Exchanges while multiplications run on a stream of their own.
inline constexpr const char* kBesideHeader =
    "| case | P | S | exchanges | alone ms | GEMMs | alone ms | together ms | of the shorter hidden |\n"
    "|---|---|---|---|---|---|---|---|---|\n";
void runBesideGemms(CudaRuntime& runtime, const BenchCase& run);

/// "| case | P | S | ": how every row begins. It says when times are not what the head of the tables says.
std::string startOf(const BenchCase& run, bool withLaunches = false);

}  // namespace ulysses::test
