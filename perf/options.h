// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// The command line of ulysses_perf, parsed and checked.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "data_type.h"
#include "error.h"
#include "ulysses_coll.h"

namespace ulysses::perf {

enum class Operation { kScatterHeads, kGatherHeads, kQkv, kAttention };
enum class Memory { kRegistered, kPlain, kCuda };
enum class FloorKernel { kByBytes, kStreamX8, kPlainX4 };

struct Options {
  Operation operation = Operation::kScatterHeads;
  int ranks = 2;
  int64_t sequence = 8192, batch = 1, heads = 32, kvHeads = 0, headDim = 128, valueHeadDim = 0;
  const DataType* type = nullptr;
  ulyssesLayout_t layout = ulyssesLayoutSBHD;
  std::string layoutName;  // as given: thd is sbhd with batch 1
  ulyssesSequenceOrder_t order = ulyssesOrderContiguous;
  std::vector<int64_t> tokens, queryHeads;
  ulyssesTensorKind_t tensorKind = ulyssesTensorQuery;
  bool backward = false;
  Memory memory = Memory::kRegistered;
  bool consume = false, fresh = true, check = true, pin = true;
  int64_t minBytes = 0, maxBytes = 0;  // 0: no sweep
  double factor = 2;
  int iterations = 0;  // 0: by size
  int warmups = -1;    // -1: by iterations
  bool compareFloor = false, comparePermute = false, compareMpi = false, compareStrict = false;
  FloorKernel floorKernel = FloorKernel::kByBytes;
  // attention only
  bool causal = false, compareTorch = false, compareDeepspeed = false;
  int64_t windowLeft = -1, windowRight = -1;  // -1: no bound
  int threads = 1, headGroups = 0;            // of each rank; 0: the library chooses
  std::string python = "build/venv/bin/python";
  std::string attentionPeer = "perf/attention_peer.py";
  bool explain = false;
  int explainRank = -1;                                    // -1: every rank
  std::string simulateFile;                                // empty: run here
  ulyssesCluster_t cluster = ULYSSES_CLUSTER_INITIALIZER;  // what it describes
  std::string jsonFile, csvFile;
  int64_t timeoutMs = 0;  // 0: the library's default
  int watchdogS = 300;
  bool peerLines = false;
  std::string peerName;
  std::string mpirun = "mpirun.openmpi";
  std::string launcher;  // that started this process as `rank` of `ranks`; empty: none, the tool starts its own
  int rank = 0;
  int localRank = -1;  // among those of this host, as a launcher says; -1: it does not, or there is none
  std::string attach;  // only in the MPI helper: the tool's shared area

  std::vector<std::string> arguments;  // as given, for the helper and the reports
};

// nullopt: --help or --version was answered. Throws InputError.
std::optional<Options> parseOptions(int argc, const char* const* argv);

const char* operationName(Operation operation);
const char* orderName(ulyssesSequenceOrder_t order);
const char* memoryName(Memory memory);

}  // namespace ulysses::perf
