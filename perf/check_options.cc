// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "check_options.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <numeric>

#include "shared.h"

namespace ulysses::perf {
namespace {

void checkCounts(const Options& options) {
  if (options.layoutName == "thd" && options.batch != 1) {
    throw InputError(fmt::format("--batch {}: the packed layout thd has no batch; use --batch 1 or another --layout",
                                 options.batch));
  }
  if (!options.tokens.empty()) {
    if (options.minBytes != 0) throw InputError("--tokens: a sweep (-b) splits tokens equally; leave one of them out");
    const int64_t total = std::accumulate(options.tokens.begin(), options.tokens.end(), int64_t{0});
    if (static_cast<int>(options.tokens.size()) != options.ranks || total != options.sequence) {
      throw InputError(
          fmt::format("--tokens: {} counts that add up to {}; give --ranks {} of them that add up to --seq {}",
                      options.tokens.size(), total, options.ranks, options.sequence));
    }
  }
  if (!options.queryHeads.empty() && static_cast<int>(options.queryHeads.size()) != options.ranks) {
    throw InputError(fmt::format("--query-heads: {} counts; give one for each of --ranks {}", options.queryHeads.size(),
                                 options.ranks));
  }
  if (options.explainRank >= options.ranks) {
    throw InputError(
        fmt::format("--explain-rank {}: there is no such rank; use 0 to {}", options.explainRank, options.ranks - 1));
  }
}

// Sizes are products of what was given; the library counts in 64 bits, and so must every product here.
void checkProducts(const Options& options) {
  const int64_t widest = std::max(options.headDim, options.valueHeadDim);
  int64_t bytes = 8 * 3;  // the widest type, Q and K and V
  for (const int64_t factor : {std::max<int64_t>(options.sequence, 1), std::max<int64_t>(options.batch, 1),
                               options.heads, widest, int64_t{options.ranks}}) {
    if (__builtin_mul_overflow(bytes, factor, &bytes)) {
      throw InputError("--seq --batch --heads --head-dim: their product exceeds 64 bits; use smaller ones");
    }
  }
}

// What concerns exchanges only, or attention only.
void checkAttention(const Options& options) {
  const bool isAttention = options.operation == Operation::kAttention;
  const auto refuse = [](bool given, const char* option, const char* why) {
    if (given) throw InputError(fmt::format("{}: {}", option, why));
  };
  const char* const exchanges = "not for attention; leave it out";
  refuse(isAttention && options.minBytes != 0, "-b", exchanges);
  refuse(isAttention && (options.explain || !options.simulateFile.empty()), "--explain, --simulate", exchanges);
  refuse(isAttention && !options.csvFile.empty(), "--csv", "not for attention; use --json");
  refuse(isAttention && (options.compareFloor || options.comparePermute || options.compareMpi), "--compare",
         "of attention: torch, deepspeed");
  refuse(isAttention && !options.launcher.empty() && (options.compareTorch || options.compareDeepspeed), "--compare",
         "torch and deepspeed run in processes of their own, which cannot be below a launcher; start ulysses_perf by "
         "itself, with --ranks");
  const char* const attention = "for attention only; leave it out";
  refuse(!isAttention && (options.compareTorch || options.compareDeepspeed), "--compare torch, deepspeed", attention);
  refuse(!isAttention && (options.causal || options.windowLeft >= 0 || options.windowRight >= 0 ||
                          options.threads != 1 || options.headGroups != 0),
         "--causal, --window, --threads, --head-groups", attention);
  const ulyssesDataType_t type = options.type->id;
  refuse(isAttention && type != ulyssesFloat32 && type != ulyssesFloat16 && type != ulyssesBfloat16, "--dtype",
         "attention takes f32, f16 and bf16");
}

// What needs memory of the host.
void checkDeviceMemory(const Options& options) {
  if (options.memory != Memory::kCuda) return;
  if (options.operation == Operation::kAttention)
    throw InputError("--memory cuda: attention takes host memory; use registered or plain");
  if (options.compareMpi)
    throw InputError("--memory cuda: --compare mpi moves host memory; use --compare floor,permute");
  if (options.floorKernel != FloorKernel::kByBytes)
    throw InputError("--memory cuda: --floor-kernel is of host memory, the floor here is a copy by CUDA; leave it out");
}

}  // namespace

void checkWritable(const char* option, const std::string& path) {
  if (path.empty()) return;
  const bool existed = access(path.c_str(), F_OK) == 0;
  std::FILE* file = std::fopen(path.c_str(), "a");
  if (file == nullptr) {
    throw InputError(
        fmt::format("{} {}: cannot be written: {}; give another file", option, path, std::strerror(errno)));
  }
  std::fclose(file);
  if (!existed) (void)unlink(path.c_str());
}

void findRanks(Options& options, int ranksGiven) {
  options.ranks = ranksGiven > 0 ? ranksGiven : options.ranks;
  if (!options.attach.empty()) return;  // the MPI helper takes its ranks from mpirun
  ulyssesLauncher_t launcher{};
  const ulyssesResult_t result = ulyssesGetLauncher(&launcher);
  if (result == ulyssesInvalidUsage) return;  // nobody started this process as a rank
  if (result != ulyssesSuccess) throw InputError(ulyssesGetLastError(nullptr));
  if (ranksGiven > 0) {
    throw InputError(fmt::format(
        "--ranks {}: {} started this process as rank {} of {}, and each of these would start {} more; leave "
        "--ranks out to measure between the launcher's ranks, or start ulysses_perf once, by itself",
        ranksGiven, launcher.name, launcher.rank, launcher.nRanks, ranksGiven));
  }
  if (launcher.nRanks > kMaxRanks) {
    throw InputError(fmt::format("{} started {} ranks; use at most {}", launcher.name, launcher.nRanks, kMaxRanks));
  }
  options.launcher = launcher.name;
  options.rank = launcher.rank;
  options.localRank = launcher.localRank;
  options.ranks = launcher.nRanks;
}

void checkOptions(const Options& options) {
  const bool isHelper = !options.attach.empty();  // it does run under mpirun, and writes no file
  checkCounts(options);
  checkProducts(options);
  checkAttention(options);
  checkDeviceMemory(options);
  if (options.operation == Operation::kQkv && options.tensorKind != ulyssesTensorQuery) {
    throw InputError("--tensor kv: qkv has both kinds of tensors; leave it out");
  }
  if (isHelper) return;
  if (!options.launcher.empty() && options.compareMpi) {
    throw InputError(
        fmt::format("--compare mpi: starts ranks of its own by mpirun, which cannot be below {}; start ulysses_perf by "
                    "itself, with --ranks {}",
                    options.launcher, options.ranks));
  }
  if (options.rank != 0) return;  // rank 0 writes the files
  checkWritable("--json", options.jsonFile);
  checkWritable("--csv", options.csvFile);
}

}  // namespace ulysses::perf
