// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// The log. The environment is read once a process, so every test logs in a child of its own; this process never logs.
#include "base/log.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <regex>
#include <sstream>
#include <thread>

#include "base/own_file.h"

namespace ulysses::test {
namespace {

using log::Level;
using log::Subsystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::MatchesRegex;
using Environment = std::vector<std::pair<std::string, std::string>>;

std::vector<std::string> linesOf(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::string contentsOf(const std::string& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

/// A folder for one test.
class Log : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "ulysses_log_XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  /// What a child with that environment writes to standard error while it runs `body`.
  std::vector<std::string> run(const Environment& environment, const std::function<void()>& body) {
    const std::string file = folder_ + "/stderr";
    const pid_t child = fork();
    if (child == 0) {
      for (const auto& [name, value] : environment) setenv(name.c_str(), value.c_str(), 1);
      const int fd = open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
      dup2(fd, STDERR_FILENO);
      body();
      _exit(0);
    }
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    child_ = child;
    return linesOf(contentsOf(file));
  }

  std::string folder_;
  pid_t child_ = 0;
};

void logEach() {
  log::showVersion(10203);
  log::warn(Subsystem::Env, "a warning {}", 1);
  log::info(Subsystem::Plan, "an info {}", 2);
  log::info({Subsystem::Path, "rank 1/2 comm demo"}, "another {}", 3);
  log::trace(Subsystem::Exchange, "a trace {}", 4);
  log::showVersion(10203);
}

std::vector<std::string> endsOf(const std::vector<std::string>& lines) {
  std::vector<std::string> ends;  // without time, host and pid
  for (const std::string& line : lines) ends.push_back(std::regex_replace(line, std::regex("^\\S+ \\S+ "), ""));
  return ends;
}

TEST_F(Log, EachLevelShowsItsOwn) {
  const std::string version = "VERSION INIT libulysses_coll 1.2.3", warning = "WARN ENV a warning 1";
  const std::string info = "INFO PLAN an info 2", other = "INFO PATH rank 1/2 comm demo: another 3";
  EXPECT_THAT(endsOf(run({}, logEach)), ElementsAre(warning));
  EXPECT_THAT(endsOf(run({{"ULYSSES_DEBUG", "NONE"}}, logEach)), ElementsAre());
  EXPECT_THAT(endsOf(run({{"ULYSSES_DEBUG", "VERSION"}}, logEach)), ElementsAre(version));
  EXPECT_THAT(endsOf(run({{"ULYSSES_DEBUG", "warn"}}, logEach)), ElementsAre(warning));
  EXPECT_THAT(endsOf(run({{"ULYSSES_DEBUG", "INFO"}}, logEach)), ElementsAre(version, warning, info, other));
  EXPECT_THAT(endsOf(run({{"ULYSSES_DEBUG", "Trace"}}, logEach)),
              ElementsAre(version, warning, info, other, "TRACE EXCHANGE a trace 4"));
}

TEST_F(Log, LineBeginsWithTimeHostAndPid) {
  const auto lines = run({}, logEach);
  ASSERT_EQ(lines.size(), 1u);
  char host[256] = {};
  gethostname(host, sizeof host - 1);
  EXPECT_TRUE(std::regex_match(lines[0], std::regex("\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{6}Z .*")))
      << lines[0];
  EXPECT_THAT(lines[0], HasSubstr("Z " + std::string(host) + ":" + std::to_string(child_) + " WARN ENV a warning 1"));
}

TEST_F(Log, SubsystemsSelectInfoAndTraceButNoWarning) {
  const auto ends = [&](const char* subsystems) {
    return endsOf(run({{"ULYSSES_DEBUG", "TRACE"}, {"ULYSSES_DEBUG_SUBSYS", subsystems}}, [] {
      log::warn(Subsystem::Env, "w");
      log::info(Subsystem::Plan, "p");
      log::trace(Subsystem::Exchange, "x");
    }));
  };
  EXPECT_THAT(ends("PLAN"), ElementsAre("WARN ENV w", "INFO PLAN p"));
  EXPECT_THAT(ends("^PLAN"), ElementsAre("WARN ENV w", "TRACE EXCHANGE x"));
  EXPECT_THAT(ends("exchange,plan"), ElementsAre("WARN ENV w", "INFO PLAN p", "TRACE EXCHANGE x"));
  EXPECT_THAT(ends("INIT"), ElementsAre("WARN ENV w"));
}

TEST(LogChoice, ListsAreRead) {
  constexpr auto bit = [](Subsystem s) { return static_cast<std::uint32_t>(s); };
  const auto mask = [](const char* text) { return log::choose(nullptr, text).subsystems; };
  EXPECT_EQ(mask(nullptr), log::kAllSubsystems);
  EXPECT_EQ(mask("ALL"), log::kAllSubsystems);
  EXPECT_EQ(mask("INIT,TOPO"), bit(Subsystem::Init) | bit(Subsystem::Topo));
  EXPECT_EQ(mask("^INIT,TOPO"), log::kAllSubsystems & ~(bit(Subsystem::Init) | bit(Subsystem::Topo)));
  EXPECT_EQ(mask("^ALL"), 0u);
  EXPECT_EQ(mask("MEMORY,,"), bit(Subsystem::Memory));
}

TEST(LogChoice, UnknownWordsAreToldWithTheCandidates) {
  const log::Choice choice = log::choose("LOUD", "PLAN,NETWORK");
  EXPECT_EQ(choice.level, Level::Warn);
  EXPECT_EQ(choice.subsystems, static_cast<std::uint32_t>(Subsystem::Plan));
  EXPECT_EQ(choice.complaint,
            "ULYSSES_DEBUG=LOUD: want one of NONE, VERSION, WARN, INFO, TRACE; taken as WARN; "
            "ULYSSES_DEBUG_SUBSYS=PLAN,NETWORK: NETWORK is no subsystem; there are INIT, BOOTSTRAP, ENV, MEMORY, PLAN, "
            "EXCHANGE, PATH, TOPO, ALL");
  EXPECT_EQ(log::choose("TRACE", "INIT").complaint, "");
}

TEST_F(Log, UnknownWordsAreWarnedAboutOnce) {
  const auto lines = run({{"ULYSSES_DEBUG", "INFO"}, {"ULYSSES_DEBUG_SUBSYS", "NETWORK"}}, [] {
    log::info(Subsystem::Plan, "p");
    log::info(Subsystem::Plan, "p");
  });
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_THAT(lines[0], HasSubstr("WARN ENV ULYSSES_DEBUG_SUBSYS=NETWORK: NETWORK is no subsystem"));
}

TEST_F(Log, TracesOnlyWhenAskedForAndOfWhatWasAskedFor) {
  const auto answer = [](const char* level, const char* subsystems) {
    const pid_t child = fork();
    if (child == 0) {
      setenv("ULYSSES_DEBUG", level, 1);
      setenv("ULYSSES_DEBUG_SUBSYS", subsystems, 1);
      if (log::traces(Subsystem::Exchange)) _exit(9);  // before the environment was read
      log::start();
      _exit(log::traces(Subsystem::Exchange));
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WEXITSTATUS(status);
  };
  EXPECT_EQ(answer("TRACE", "ALL"), 1);
  EXPECT_EQ(answer("TRACE", "PLAN"), 0);
  EXPECT_EQ(answer("INFO", "ALL"), 0);
}

TEST_F(Log, GoesToAFileOfOurOwn) {
  const Environment environment = {{"ULYSSES_DEBUG_FILE", folder_ + "/%h.%p.log"}};
  EXPECT_TRUE(run(environment, logEach).empty());
  char host[256] = {};
  gethostname(host, sizeof host - 1);
  const std::string file = folder_ + "/" + host + "." + std::to_string(child_) + ".log";
  EXPECT_THAT(endsOf(linesOf(contentsOf(file))), ElementsAre("WARN ENV a warning 1"));
  struct stat status {};
  ASSERT_EQ(stat(file.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777u, 0600u);
}

TEST_F(Log, IsAppended) {
  const Environment environment = {{"ULYSSES_DEBUG_FILE", folder_ + "/log"}};
  for (int i = 0; i < 2; ++i) run(environment, logEach);
  EXPECT_EQ(linesOf(contentsOf(folder_ + "/log")).size(), 2u);
}

TEST_F(Log, AFileThatCannotBeIsWarnedAboutOnStandardError) {
  const std::string target = folder_ + "/target", link = folder_ + "/link", pipe = folder_ + "/pipe";
  ASSERT_EQ(symlink(target.c_str(), link.c_str()), 0);
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  const std::vector<std::pair<std::string, std::string>> cases = {
      {link, "it is a symbolic link"}, {pipe, "No such device"}, {folder_ + "/none/log", "No such file or directory"}};
  for (const auto& [file, reason] : cases) {
    const auto lines = run({{"ULYSSES_DEBUG_FILE", file}}, logEach);
    ASSERT_EQ(lines.size(), 2u) << file;
    EXPECT_THAT(lines[0], HasSubstr("WARN ENV ULYSSES_DEBUG_FILE=" + file));
    EXPECT_THAT(lines[0], HasSubstr("cannot be written: " + reason));
    EXPECT_THAT(lines[1], HasSubstr("a warning 1"));
  }
  EXPECT_FALSE(std::filesystem::exists(target));
}

TEST_F(Log, AForkedChildHasItsPidAndItsFile) {
  run({{"ULYSSES_DEBUG_FILE", folder_ + "/%p"}}, [] {
    log::warn(Subsystem::Env, "parent");
    const pid_t child = fork();
    if (child == 0) {
      log::warn(Subsystem::Env, "child");
      _exit(0);
    }
    waitpid(child, nullptr, 0);
    log::warn(Subsystem::Env, "parent again");
  });
  std::vector<std::string> all;
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    const std::string name = entry.path().filename();
    if (name == "stderr") continue;
    for (const std::string& line : linesOf(contentsOf(entry.path()))) {
      EXPECT_THAT(line, HasSubstr(":" + name + " WARN"));
      all.push_back(line.substr(line.rfind(' ') + 1));
    }
  }
  EXPECT_THAT(all, testing::UnorderedElementsAre("parent", "child", "again"));
}

TEST_F(Log, LinesOfThreadsThatBeginAtOnceAreWhole) {
  const auto lines = run({{"ULYSSES_DEBUG", "INFO"}}, [] {
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([] {
        for (int i = 0; i < 50; ++i) log::info(Subsystem::Plan, "{:>200}", i);
      });
    for (std::thread& thread : threads) thread.join();
  });
  EXPECT_EQ(lines.size(), 200u);
  for (const std::string& line : lines)
    EXPECT_TRUE(std::regex_match(line, std::regex("\\S+Z \\S+ INFO PLAN +\\d+"))) << line;
}

TEST(FileName, PlacesAreFilledInAndMadeFit) {
  const FilePlaces all{.host = "a/b", .pid = 7, .rank = 3, .comm = "../x y"};
  EXPECT_EQ(expandFileName("/t/%h.%p.%r.%c", all), "/t/a_b.7.3._._x_y");
  EXPECT_EQ(expandFileName("%%p %q %", all), "%p %q %");
  EXPECT_EQ(expandFileName("%r%c", {.host = "h", .pid = 1}), "%r%c");
}

}  // namespace
}  // namespace ulysses::test
