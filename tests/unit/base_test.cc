// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// The small parts: results, environment, deadlines, descriptors, texts.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <set>
#include <string>

#include "base/check.h"
#include "base/clock.h"
#include "base/env.h"
#include "base/text.h"
#include "base/unique_fd.h"
#include "error_of.h"

namespace ulysses::test {
namespace {

TEST(Status, EveryResultHasANameAndATextOfItsOwn) {
  std::set<std::string> names, texts;
  for (std::int32_t value = 0; value <= 13; ++value) {
    names.insert(nameOf(static_cast<Result>(value)));
    texts.insert(textOf(static_cast<Result>(value)));
  }
  EXPECT_EQ(names.size(), 14u);
  EXPECT_EQ(texts.size(), 14u);
  EXPECT_EQ(names.count("Unknown"), 0u);
  EXPECT_STREQ(nameOf(Result::RemoteLost), "RemoteLost");
  EXPECT_STREQ(textOf(Result::Timeout), "deadline passed");
  EXPECT_STREQ(nameOf(static_cast<Result>(14)), "Unknown");
  EXPECT_STREQ(textOf(static_cast<Result>(-1)), "unknown result");
}

TEST(Status, ErrnoIsNamedAndWantOfMemoryToldApart) {
  EXPECT_EQ(errorOf([] { raiseErrno("open", ENOENT); }),
            "SystemError: open failed: No such file or directory (errno 2)");
  EXPECT_EQ(errorOf([] { raiseErrno("mmap", ENOMEM); }), "OutOfMemory: mmap failed: Cannot allocate memory (errno 12)");
}

/// Sets ULYSSES_PLAN_CACHE for one test.
class Env : public testing::Test {
 protected:
  void TearDown() override { unsetenv(kName); }
  static std::int64_t read(const char* value) {
    setenv(kName, value, 1);
    return env::integer(kName, 64, 1, 65536);
  }
  static std::string error(const char* value) {
    return errorOf([&] { read(value); });
  }
  static constexpr const char* kName = "ULYSSES_PLAN_CACHE";
};

TEST_F(Env, ReadsNumbersInRange) {
  EXPECT_EQ(env::integer(kName, 64, 1, 65536), 64);
  EXPECT_EQ(read(""), 64);  // empty is unset
  EXPECT_EQ(read("1"), 1);
  EXPECT_EQ(read("65536"), 65536);
}

TEST_F(Env, RefusesTheRestWithNameValueRangeAndDefault) {
  EXPECT_EQ(
      error("0"),
      "InvalidArgument: environment variable ULYSSES_PLAN_CACHE=0: want a whole number in 1 .. 65536; unset it for "
      "the default 64");
  for (const char* value : {"65537", "-1", "12k", "1.5", "ten", " ", "0x10", "99999999999999999999"})
    EXPECT_NE(error(value).find(std::string("ULYSSES_PLAN_CACHE=") + value + ": want"), std::string::npos) << value;
}

TEST_F(Env, TextIsNullWhenEmpty) {
  EXPECT_EQ(env::text(kName), nullptr);
  setenv(kName, "", 1);
  EXPECT_EQ(env::text(kName), nullptr);
  setenv(kName, "x", 1);
  EXPECT_STREQ(env::text(kName), "x");
}

TEST_F(Env, TableIsCompleteAndItsNamesAreUnique) {
  std::set<std::string> names;
  for (const env::Variable& variable : env::table()) {
    EXPECT_EQ(std::string(variable.name).rfind("ULYSSES_", 0), 0u);
    for (const char* part : {variable.defaultText, variable.values, variable.help}) EXPECT_STRNE(part, "");
    names.insert(variable.name);
  }
  EXPECT_EQ(names.size(), env::table().size());
  EXPECT_NE(errorOf([] { env::integer("ULYSSES_NO_SUCH", 0, 0, 1); }).find("not in the table"), std::string::npos);
}

TEST(EnvNames, AMisspeltOneIsToldTheNearest) {
  EXPECT_NE(env::unknownText("ULYSSES_TIMOUT_MS").find("is ULYSSES_TIMEOUT_MS meant?"), std::string::npos);
  EXPECT_NE(env::unknownText("ULYSSES_DEBUGG").find("is ULYSSES_DEBUG meant?"), std::string::npos);
  for (const env::Variable& variable : env::table()) EXPECT_EQ(env::unknownText(variable.name), "");
  for (const char* foreign : {"PATH", "ULYSSES", "ulysses_debug", "ULYSSES_TEST_SEED"})
    EXPECT_EQ(env::unknownText(foreign), "") << foreign;
}

TEST(DeadlineTest, PassesWithTime) {
  EXPECT_TRUE(Deadline().passed());
  EXPECT_EQ(Deadline().leftMs(100), 0);
  const Deadline far = Deadline::inMs(std::int64_t{1} << 40);  // the longest that can be configured
  EXPECT_FALSE(far.passed());
  EXPECT_EQ(far.leftMs(250), 250);
  const Deadline soon = Deadline::inMs(10'000);
  EXPECT_GT(soon.leftMs(60'000), 0);
  EXPECT_LE(soon.leftMs(60'000), 10'000);
  const Deadline now = Deadline::inMs(0);
  EXPECT_TRUE(now.passed());
  EXPECT_EQ(now.leftMs(100), 0);
}

bool isOpen(int fd) { return fcntl(fd, F_GETFD) >= 0; }

TEST(UniqueFdTest, ClosesWhatItOwnsOnce) {
  const int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), other = open("/dev/null", O_RDONLY | O_CLOEXEC);
  {
    UniqueFd first(fd);
    UniqueFd second(std::move(first));
    EXPECT_FALSE(first);  // NOLINT(bugprone-use-after-move): the moved-from state is what is tested
    EXPECT_EQ(second.get(), fd);
    EXPECT_TRUE(isOpen(fd));
    second = UniqueFd(other);
    EXPECT_FALSE(isOpen(fd));
    EXPECT_TRUE(isOpen(other));
  }
  EXPECT_FALSE(isOpen(other));
}

TEST(UniqueFdTest, ResetCloses) {
  UniqueFd fd(open("/dev/null", O_RDONLY | O_CLOEXEC));
  const int number = fd.get();
  fd.reset();
  EXPECT_FALSE(fd);
  EXPECT_FALSE(isOpen(number));
}

TEST(Text, IsCutAndTerminated) {
  char out[4] = {'x', 'x', 'x', 'x'};
  copyText(out, "ab");
  EXPECT_STREQ(out, "ab");
  copyText(out, "abcdef");
  EXPECT_STREQ(out, "abc");
  copyText(out, "");
  EXPECT_STREQ(out, "");
}

TEST(Text, IsNotTrustedToBeTerminated) {
  const char full[3] = {'a', 'b', 'c'}, half[3] = {'a', '\0', 'c'};
  EXPECT_EQ(textFrom(full), "abc");
  EXPECT_EQ(textFrom(half), "a");
}

}  // namespace
}  // namespace ulysses::test
