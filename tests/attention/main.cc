// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "attention/main.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

namespace ulysses::test {

AttentionFlags attentionFlags;

namespace {

bool setFlag(const std::string& name, const char* value) {
  if (name == "--cases")
    attentionFlags.cases = std::atoll(value);
  else if (name == "--seed")
    attentionFlags.seed = static_cast<std::uint64_t>(std::atoll(value));
  else if (name == "--first")
    attentionFlags.first = std::atoll(value);
  else
    return false;
  return true;
}

}  // namespace

}  // namespace ulysses::test

int main(int argc, char** argv) {
  using ulysses::test::setFlag;
  ::testing::InitGoogleTest(&argc, argv);
  if (const char* cases = std::getenv("ULYSSES_TEST_CASES")) setFlag("--cases", cases);
  if (const char* seed = std::getenv("ULYSSES_TEST_SEED")) setFlag("--seed", seed);
  for (int at = 1; at < argc; at += 2)
    if (at + 1 == argc || !setFlag(argv[at], argv[at + 1])) {
      std::fprintf(stderr, "%s: want --cases N, --seed S, --first I\n", argv[at]);
      return 2;
    }
  return RUN_ALL_TESTS();
}
