// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "support/ranks_main.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <stdexcept>

#include "support/rank_runner.h"

namespace ulysses::test {

namespace {

struct Flags {
  std::string ranksAs = "threads";
  std::int64_t cases = 0;       // 0: usualCases
  std::int64_t usualCases = 0;  // 0: the test's own number
  std::uint64_t seed = 1;
  std::int64_t first = 0;
  int minRanks = 1;
  int maxRanks = 16;
};
Flags flags;                              // set once, before the tests
std::unique_ptr<ProcessRanks> processes;  // likewise

std::int64_t toNumber(const char* text) {
  char* end = nullptr;
  const std::int64_t number = std::strtoll(text, &end, 0);
  if (end == text || *end != 0) throw std::invalid_argument(std::string("not a number: ") + text);
  return number;
}

void setFlag(const std::string& name, const char* value) {
  if (name == "--ranks-as") {
    flags.ranksAs = value;
  } else if (name == "--cases") {
    flags.cases = toNumber(value);
  } else if (name == "--usual-cases") {
    flags.usualCases = toNumber(value);
  } else if (name == "--seed") {
    flags.seed = static_cast<std::uint64_t>(toNumber(value));
  } else if (name == "--first") {
    flags.first = toNumber(value);
  } else if (name == "--min-ranks") {
    flags.minRanks = static_cast<int>(toNumber(value));
  } else if (name == "--max-ranks") {
    flags.maxRanks = static_cast<int>(toNumber(value));
  } else {
    throw std::invalid_argument("unknown flag " + name);
  }
}

void parse(int argc, char** argv) {
  if (const char* cases = std::getenv("ULYSSES_TEST_CASES")) flags.cases = toNumber(cases);
  if (const char* seed = std::getenv("ULYSSES_TEST_SEED")) flags.seed = static_cast<std::uint64_t>(toNumber(seed));
  for (int at = 1; at < argc; ++at) {
    if (std::strncmp(argv[at], "--gtest_", 8) == 0) continue;
    if (at + 1 == argc) throw std::invalid_argument(std::string("no value after ") + argv[at]);
    setFlag(argv[at], argv[at + 1]);
    ++at;
  }
}

bool wants(const char* mode) { return flags.ranksAs == "all" || flags.ranksAs == mode; }

/// Leaves out the tests of modes that were not asked for.
void selectTests() {
  std::string unwanted;
  if (!wants("threads")) unwanted += "*.Threads:";
  if (!wants("processes")) unwanted += "*.Processes:";
  if (!wants("group")) unwanted += "*.Group:";
  if (unwanted.size() == std::strlen("*.Threads:*.Processes:*.Group:")) {
    throw std::invalid_argument("--ranks-as must be threads, processes, group or all, not " + flags.ranksAs);
  }
  std::string& filter = ::testing::GTEST_FLAG(filter);
  if (!unwanted.empty()) filter += (filter.find('-') == std::string::npos ? "-" : ":") + unwanted;
}

}  // namespace

RunOptions optionsOf(Profile profile, Mode mode, std::int64_t defaultCases) {
  RunOptions options;
  options.profile = profile;
  options.seed = flags.seed;
  options.first = flags.first + (flags.ranksAs == "all" ? static_cast<std::int64_t>(mode) * 100'000'000 : 0);
  options.count = flags.cases > 0 ? flags.cases : flags.usualCases > 0 ? flags.usualCases : defaultCases;
  options.minRanks = flags.minRanks;
  options.maxRanks = flags.maxRanks;
  return options;
}

void expectRight(const RunOptions& options, Mode mode) {
  Report report;
  if (mode == Mode::Threads) report = runThreads(options);
  if (mode == Mode::Group) report = runGroup(options);
  if (mode == Mode::Processes) report = processes->run(options);
  EXPECT_EQ(report.cases, options.count);
  for (const std::string& failure : report.failures) ADD_FAILURE() << failure;
}

int ranksMain(int argc, char** argv) {
  try {
    parse(argc, argv);
    if (wants("processes")) processes = std::make_unique<ProcessRanks>(flags.maxRanks);
    ::testing::InitGoogleTest(&argc, argv);
    selectTests();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
    return 2;
  }
  int status = RUN_ALL_TESTS();
  if (const std::string ends = processes ? processes->finish() : ""; !ends.empty()) {
    std::fprintf(stderr, "%s", ends.c_str());
    status = 1;
  }
  return status;
}

}  // namespace ulysses::test
