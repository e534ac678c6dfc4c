// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <limits>
#include <numeric>

#include "check_options.h"
#include "cluster.h"
#include "parse.h"
#include "shared.h"

namespace ulysses::perf {
namespace {

constexpr int64_t kAnyMost = std::numeric_limits<int64_t>::max();
constexpr int64_t kLargestDimension = int64_t{1} << 40;

// The options of one command line while it is parsed. Integers go straight into the Options.
class Parser {
 public:
  explicit Parser(Options& options) : options_(options) {}
  void describe(CLI::App& app);
  void finish();  // words to values

 private:
  template <typename Integer>
  void addInteger(CLI::App& app, const std::string& flags, Integer& target, int64_t least, int64_t most,
                  const std::string& help) {
    const std::string name = flags.substr(flags.rfind(',') + 1);
    app.add_option_function<std::string>(
        flags,
        [&target, name, least, most](const std::string& text) {
          target = static_cast<Integer>(parseInteger(name, text, least, most));
        },
        help);
  }
  void describeShape(CLI::App& app);
  void describeAttention(CLI::App& app);
  void describeMeasurement(CLI::App& app);
  void describeComparison(CLI::App& app);
  void describeOutput(CLI::App& app);
  void finishComparison();
  void finishAttention();
  void finishSweep();
  void finishCluster();

  Options& options_;
  bool sequenceGiven_ = false;
  int ranks_ = 0;  // 0: not given
  std::string window_;
  std::string operation_, type_ = "bf16", layout_ = "sbhd", order_ = "contiguous", tokens_, queryHeads_, tensor_ = "q";
  std::string memory_ = "registered", minBytes_, maxBytes_, factor_ = "2", compare_, floorKernel_ = "auto";
};

void Parser::describe(CLI::App& app) {
  app.add_option("operation", operation_, "scatter_heads, gather_heads, qkv (Q, K and V in one exchange) or attention");
  addInteger(app, "--ranks", ranks_, 1, kMaxRanks,
             "local ranks to start, rank r on core r mod cores [2]; not below a launcher");
  describeShape(app);
  describeAttention(app);
  describeMeasurement(app);
  describeComparison(app);
  describeOutput(app);
}

void Parser::describeShape(CLI::App& app) {
  app.add_option_function<std::string>(
         "--seq",
         [this](const std::string& text) {
           options_.sequence = parseInteger("--seq", text, 0, kLargestDimension);
           sequenceGiven_ = true;
         },
         "tokens of the whole sequence [8192]")
      ->group("Shape");
  addInteger(app, "--batch", options_.batch, 0, kLargestDimension, "batch [1]");
  addInteger(app, "--heads", options_.heads, 1, kLargestDimension, "query heads [32]");
  addInteger(app, "--kv-heads", options_.kvHeads, 1, kLargestDimension, "KV heads; divides --heads [as --heads]");
  addInteger(app, "--head-dim", options_.headDim, 1, kLargestDimension, "head_dim of Q and K [128]");
  addInteger(app, "--v-head-dim", options_.valueHeadDim, 1, kLargestDimension, "head_dim of V [as --head-dim]");
  app.add_option("--dtype", type_, "element type: " + dataTypeNames() + " [bf16]");
  app.add_option("--layout", layout_, "order of dimensions: sbhd, bshd, bhsd or thd [sbhd]");
  app.add_option("--order", order_, "contiguous, or zigzag (load-balanced causal) [contiguous]");
  app.add_option("--tokens", tokens_, "tokens of each rank, such as 100,0,28 [equal]");
  app.add_option("--query-heads", queryHeads_, "query heads of each rank, such as 20,12 [the default split]");
  app.add_option("--tensor", tensor_, "scatter_heads, gather_heads: a query (q) or a KV (kv) tensor [q]");
  app.add_flag("--backward", options_.backward, "the adjoint: scatter for gather, gather (with sum) for scatter");
}

void Parser::describeAttention(CLI::App& app) {
  app.add_flag("--causal", options_.causal, "a token sees those up to itself")->group("Attention");
  app.add_option("--window", window_, "a token sees so many to its left and right, as in 1024,0; -1: no bound");
  addInteger(app, "--threads", options_.threads, 1, 1024,
             "of each rank [1]; with more than 1 ranks are not bound to cores");
  addInteger(app, "--head-groups", options_.headGroups, 1, 1 << 20,
             "heads travel in so many groups [the library chooses]");
  app.add_option("--python", options_.python, "that has torch and DeepSpeed, for --compare [build/venv/bin/python]");
  app.add_option("--peer-script", options_.attentionPeer, "what it runs [perf/attention_peer.py]");
}

void Parser::describeMeasurement(CLI::App& app) {
  app.add_option("--memory", memory_,
                 "registered (peers map it), plain (private, staged) or cuda (of a GPU) [registered]");
  app.add_flag("--consume", options_.consume, "the timed part reads the outputs once, as attention does");
  app.add_flag("--fresh,!--no-fresh", options_.fresh,
               "rewrite inputs before every timed iteration, as the layer before does (default)");
  app.add_flag("--pin,!--no-pin", options_.pin, "bind rank r to core r mod cores (default)");
  app.add_option("-b,--min-bytes", minBytes_, "sweep from this many bytes received by a rank, by growing --seq");
  app.add_option("-e,--max-bytes", maxBytes_, "sweep to this many [as -b]");
  app.add_option("-f,--factor", factor_, "step factor of the sweep [2]");
  addInteger(app, "-n,--iters", options_.iterations, 1, 1000000, "timed iterations [12 to 1000 by size]");
  addInteger(app, "-w,--warmup,--warm", options_.warmups, 0, 1000000, "warm-up iterations [a tenth of -n, at least 2]");
  addInteger(app, "-c,--check", options_.check, 0, 1, "verify every element before and after timing [1]");
  addInteger(app, "--timeout-ms", options_.timeoutMs, 1, kAnyMost, "the library's deadline for one operation [600000]");
  addInteger(app, "--watchdog", options_.watchdogS, 1, 1000000, "end when no rank gets on for this many seconds [300]");
}

void Parser::describeComparison(CLI::App& app) {
  app.add_option("--compare", compare_,
                 "in the same run, interleaved: list of floor, permute, mpi; of attention: torch, deepspeed");
  app.add_flag("--compare-strict", options_.compareStrict, "fail when a comparison cannot be made");
  app.add_option("--floor-kernel", floorKernel_, "of the floor: pull-nt-x8, pull-x4 or auto (by bytes) [auto]");
  app.add_option("--mpirun", options_.mpirun, "Open MPI's launcher, for --compare mpi [mpirun.openmpi]");
}

void Parser::describeOutput(CLI::App& app) {
  app.add_flag("--explain", options_.explain,
               "print the plan (what goes where) instead of running it; with --simulate also both prices");
  addInteger(app, "--explain-rank", options_.explainRank, 0, kMaxRanks - 1, "the plan of this rank only");
  app.add_option("--simulate", options_.simulateFile,
                 "predict the exchange on the cluster that this JSON file describes; runs nothing");
  app.add_option("--json", options_.jsonFile, "write results to this file as JSON");
  app.add_option("--csv", options_.csvFile, "write results to this file as CSV");
  app.add_flag("--peer-lines", options_.peerLines, "print RESULT lines as the programs of peers/ do, no table");
  app.add_option("--peer-name", options_.peerName, "name in those lines [ulysses-MEMORY]");
  app.add_option("--attach", options_.attach, "")->group("");  // how the tool calls its MPI helper
}

void Parser::finishComparison() {
  options_.floorKernel = parseChoice<FloorKernel>(
      "--floor-kernel", floorKernel_,
      {{"auto", FloorKernel::kByBytes}, {"pull-nt-x8", FloorKernel::kStreamX8}, {"pull-x4", FloorKernel::kPlainX4}});
  if (compare_.empty()) return;
  for (const std::string& name : splitList(compare_)) {
    bool Options::*const chosen = parseChoice<bool Options::*>("--compare", name,
                                                               {{"floor", &Options::compareFloor},
                                                                {"permute", &Options::comparePermute},
                                                                {"mpi", &Options::compareMpi},
                                                                {"torch", &Options::compareTorch},
                                                                {"deepspeed", &Options::compareDeepspeed}});
    options_.*chosen = true;
  }
}

void Parser::finishAttention() {
  if (options_.threads > 1) options_.pin = false;
  if (window_.empty()) return;
  const std::vector<std::string> sides = splitList(window_);
  if (sides.size() != 2) throw InputError("--window " + window_ + ": want two numbers, as in 1024,0");
  options_.windowLeft = parseInteger("--window", sides[0], -1, kLargestDimension);
  options_.windowRight = parseInteger("--window", sides[1], -1, kLargestDimension);
}

void Parser::finishSweep() {
  options_.factor = parseFactor("-f", factor_);
  if (minBytes_.empty() && maxBytes_.empty()) return;
  if (minBytes_.empty()) throw InputError("-e " + maxBytes_ + ": a sweep needs its start too; add -b");
  if (sequenceGiven_) throw InputError("-b " + minBytes_ + ": a sweep chooses --seq by itself; leave one of them out");
  options_.minBytes = parseBytes("-b", minBytes_);
  options_.maxBytes = maxBytes_.empty() ? options_.minBytes : parseBytes("-e", maxBytes_);
  if (options_.maxBytes < options_.minBytes) {
    throw InputError(fmt::format("-e {}: less than -b {}; exchange them", maxBytes_, minBytes_));
  }
}

void Parser::finishCluster() {
  if (options_.simulateFile.empty()) return;
  if (ranks_ > 0) throw InputError("--ranks: with --simulate the file says how many there are; leave it out");
  if (!compare_.empty()) throw InputError("--compare: --simulate runs nothing to compare with; leave one of them out");
  if (!options_.csvFile.empty()) throw InputError("--csv: --simulate writes JSON only; use --json");
  options_.cluster = readCluster("--simulate", options_.simulateFile);
  options_.ranks = options_.cluster.hosts * options_.cluster.ranksPerHost;
}

void Parser::finish() {
  if (operation_.empty())
    throw InputError("no operation given; use scatter_heads, gather_heads, qkv or attention (see --help)");
  options_.operation = parseChoice<Operation>("operation", operation_,
                                              {{"scatter_heads", Operation::kScatterHeads},
                                               {"gather_heads", Operation::kGatherHeads},
                                               {"qkv", Operation::kQkv},
                                               {"attention", Operation::kAttention}});
  options_.type = findDataType(type_);
  if (options_.type == nullptr) {
    throw InputError(fmt::format("--dtype {}: no such type; use one of {}", type_, dataTypeNames()));
  }
  options_.layout = parseChoice<ulyssesLayout_t>("--layout", layout_,
                                                 {{"sbhd", ulyssesLayoutSBHD},
                                                  {"bshd", ulyssesLayoutBSHD},
                                                  {"bhsd", ulyssesLayoutBHSD},
                                                  {"thd", ulyssesLayoutSBHD}});
  options_.layoutName = layout_;
  options_.order = parseChoice<ulyssesSequenceOrder_t>(
      "--order", order_, {{"contiguous", ulyssesOrderContiguous}, {"zigzag", ulyssesOrderZigzag}});
  options_.tensorKind = parseChoice<ulyssesTensorKind_t>(
      "--tensor", tensor_, {{"q", ulyssesTensorQuery}, {"query", ulyssesTensorQuery}, {"kv", ulyssesTensorKv}});
  options_.memory = parseChoice<Memory>(
      "--memory", memory_, {{"registered", Memory::kRegistered}, {"plain", Memory::kPlain}, {"cuda", Memory::kCuda}});
  if (!tokens_.empty()) {
    options_.tokens = parseIntegers("--tokens", tokens_);
    if (!sequenceGiven_)
      options_.sequence = std::accumulate(options_.tokens.begin(), options_.tokens.end(), int64_t{0});
  }
  if (!queryHeads_.empty()) options_.queryHeads = parseIntegers("--query-heads", queryHeads_);
  if (options_.kvHeads == 0) options_.kvHeads = options_.heads;
  if (options_.valueHeadDim == 0) options_.valueHeadDim = options_.headDim;
  findRanks(options_, ranks_);
  if (options_.explainRank >= 0) options_.explain = true;
  if (options_.peerName.empty()) options_.peerName = std::string("ulysses-") + memoryName(options_.memory);
  finishComparison();
  finishAttention();
  finishSweep();
  finishCluster();
}

}  // namespace

std::optional<Options> parseOptions(int argc, const char* const* argv) {
  Options options;
  CLI::App app{
      "Time the fused all-to-all of Ulysses sequence parallelism between local processes, every element verified.",
      "ulysses_perf"};
  app.set_version_flag("--version", fmt::format("ulysses_perf {}.{}.{}", ULYSSES_VERSION_MAJOR, ULYSSES_VERSION_MINOR,
                                                ULYSSES_VERSION_PATCH));
  Parser parser(options);
  parser.describe(app);
  options.arguments.assign(argv, argv + argc);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& answered) {
    app.exit(answered);
    return std::nullopt;
  } catch (const CLI::ParseError& error) {
    throw InputError(fmt::format("{} (see --help)", error.what()));
  }
  parser.finish();
  checkOptions(options);
  return options;
}

const char* operationName(Operation operation) {
  switch (operation) {
    case Operation::kScatterHeads:
      return "scatter_heads";
    case Operation::kGatherHeads:
      return "gather_heads";
    case Operation::kQkv:
      return "qkv";
    case Operation::kAttention:
      return "attention";
  }
  return "?";
}

const char* orderName(ulyssesSequenceOrder_t order) { return order == ulyssesOrderZigzag ? "zigzag" : "contiguous"; }

const char* memoryName(Memory memory) {
  switch (memory) {
    case Memory::kRegistered:
      return "registered";
    case Memory::kPlain:
      return "plain";
    case Memory::kCuda:
      return "cuda";
  }
  return "?";
}

}  // namespace ulysses::perf
