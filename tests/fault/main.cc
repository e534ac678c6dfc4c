// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cerrno>

#include "fault/census.h"

namespace ulysses::test {

namespace {

/// After every test: no child of ours is left, dead or alive, and nothing where files could be left.
class NothingLeft : public testing::EmptyTestEventListener {
 public:
  void OnTestStart(const testing::TestInfo&) override { before_ = temporaryEntries(); }
  void OnTestEnd(const testing::TestInfo& test) override {
    for (const std::string& entry : temporaryEntries())
      EXPECT_TRUE(before_.contains(entry)) << test.name() << " left " << entry;
    EXPECT_TRUE(waitpid(-1, nullptr, WNOHANG) == -1 && errno == ECHILD) << test.name() << " left a process";
  }

 private:
  std::set<std::string> before_;
};

}  // namespace

}  // namespace ulysses::test

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  ulysses::test::ownTemporaryFolders();
  testing::UnitTest::GetInstance()->listeners().Append(new ulysses::test::NothingLeft);
  return RUN_ALL_TESTS();
}
