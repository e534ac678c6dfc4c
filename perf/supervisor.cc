// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "supervisor.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "error.h"
#include "system_info.h"

namespace ulysses::perf {
namespace {

double nowS() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

void sleepMs(int ms) { (void)poll(nullptr, 0, ms); }

sigset_t watchedSignals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGCHLD, SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, signal);
  return set;
}

// First thing in every child: it ends with its parent, and gets the signals that the parent only watches.
void becomeChild(pid_t parent, int deathSignal) {
  prctl(PR_SET_PDEATHSIG, deathSignal);
  if (getppid() != parent) _exit(kExitFailure);  // it died before the call above
  const sigset_t watched = watchedSignals();
  sigprocmask(SIG_UNBLOCK, &watched, nullptr);
}

[[noreturn]] void runForkedRank(SharedArea& area, int rank, const std::function<void(int)>& body) {
  int code = 0;
  try {
    body(rank);
  } catch (const std::exception& error) {
    area.reportError(Side::kRanks, rank, error.what());
    code = kExitFailure;
  }
  std::fflush(nullptr);
  _exit(code);  // what the parent would do at its exit is not this process's to do
}

}  // namespace

Supervisor::Supervisor(const Options& options, SharedArea& area) : options_(options), area_(area) {
  const sigset_t watched = watchedSignals();
  sigprocmask(SIG_BLOCK, &watched, nullptr);
  signalFd_ = signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
  caseDoneFd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (signalFd_ < 0 || caseDoneFd_ < 0) throwErrno("signalfd or eventfd");
}

Supervisor::~Supervisor() {
  killAll();
  for (const int fd : {signalFd_, caseDoneFd_, mpiOutputFd_}) {
    if (fd >= 0) close(fd);
  }
}

void Supervisor::forkRanks(const std::function<void(int rank)>& body) {
  std::fflush(nullptr);  // or each child would print it again
  const pid_t parent = getpid();
  for (int rank = 0; rank < options_.ranks; ++rank) {
    const pid_t pid = fork();
    if (pid < 0) throwErrno(fmt::format("fork of rank {}", rank));
    if (pid == 0) {
      becomeChild(parent, SIGKILL);
      if (options_.pin) (void)pinToCore(rank);
      runForkedRank(area_, rank, body);
    }
    area_.slot(Side::kRanks, rank).pid = pid;
    children_.push_back({pid, rank});
  }
}

std::string Supervisor::startMpi(const std::vector<std::string>& command) {
  constexpr double kStartS = 60;
  mpiOutputFd_ = memfd_create("mpirun", MFD_CLOEXEC);
  if (mpiOutputFd_ < 0) throwErrno("memfd_create");
  std::vector<char*> words(command.size() + 1, nullptr);
  std::transform(command.begin(), command.end(), words.begin(),
                 [](const std::string& word) { return const_cast<char*>(word.c_str()); });
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) throwErrno("fork of mpirun");
  if (pid == 0) {
    becomeChild(parent, SIGTERM);  // mpirun ends its ranks and removes its files
    const int input = open("/dev/null", O_RDONLY | O_CLOEXEC);
    dup2(input, STDIN_FILENO);
    dup2(mpiOutputFd_, STDOUT_FILENO);
    dup2(mpiOutputFd_, STDERR_FILENO);
    execvp(words[0], words.data());
    _exit(127);
  }
  children_.push_back({pid, -1});
  Child& child = children_.back();
  for (const double deadline = nowS() + kStartS; area_.mpiReady() < static_cast<uint32_t>(options_.ranks); sleepMs(5)) {
    child.ended = waitpid(pid, &child.status, WNOHANG) == pid;
    if (!child.ended && nowS() < deadline) continue;
    const std::string reason = child.ended ? describe(child) : fmt::format("did not start in {:.0f} s", kStartS);
    if (!child.ended) {
      kill(pid, SIGTERM);
      waitpid(pid, nullptr, 0);
    }
    children_.pop_back();
    return fmt::format("{}: {}", command.front(), reason);
  }
  return "";
}

void Supervisor::watch(const std::function<void()>& onCaseDone, const std::function<void()>& onTick) {
  constexpr int kTickMs = 1000;
  lastProgressS_ = nowS();
  while (!allEnded()) {
    std::array<pollfd, 2> events = {{{signalFd_, POLLIN, 0}, {caseDoneFd_, POLLIN, 0}}};
    (void)poll(events.data(), events.size(), kTickMs);
    uint64_t done = 0;
    if (read(caseDoneFd_, &done, sizeof done) == sizeof done) onCaseDone();
    handleSignals();
    if (reap()) failWithCause();
    checkProgress();
    onTick();
  }
}

bool Supervisor::reap() {
  bool failed = false;
  for (Child& child : children_) {
    if (child.ended || waitpid(child.pid, &child.status, WNOHANG) != child.pid) continue;
    child.ended = true;
    failed = failed || child.status != 0;
  }
  return failed;
}

bool Supervisor::allEnded() const {
  return std::all_of(children_.begin(), children_.end(), [](const Child& child) { return child.ended; });
}

void Supervisor::handleSignals() {
  signalfd_siginfo info{};
  while (read(signalFd_, &info, sizeof info) == sizeof info) {
    if (info.ssi_signo == SIGCHLD) continue;
    killAll();
    throw RunError(fmt::format("ended by signal {} ({})", info.ssi_signo, strsignal(static_cast<int>(info.ssi_signo))));
  }
}

void Supervisor::checkProgress() {
  uint64_t heartbeats = 0;
  for (const Side side : {Side::kRanks, Side::kMpi}) {
    for (int rank = 0; rank < options_.ranks; ++rank) heartbeats += area_.slot(side, rank).heartbeat;
  }
  if (heartbeats != heartbeats_) {
    heartbeats_ = heartbeats;
    lastProgressS_ = nowS();
  }
  if (nowS() - lastProgressS_ < options_.watchdogS) return;
  std::string phases;
  for (int rank = 0; rank < options_.ranks; ++rank) {
    phases += fmt::format("\n  rank {} (pid {}): {}", rank, area_.slot(Side::kRanks, rank).pid.load(),
                          phaseName(area_.slot(Side::kRanks, rank).phase));
  }
  killAll();
  throw RunError(fmt::format("no rank got on for {} s (--watchdog):{}", options_.watchdogS, phases));
}

// A rank that crashes makes its peers fail too, sometimes before its own end is seen: wait a moment for all of them,
// and name what was killed by a signal first.
void Supervisor::failWithCause() {
  constexpr int kGraceMs = 200, kStepMs = 10;
  for (int waited = 0; waited < kGraceMs && !allEnded(); waited += kStepMs) {
    sleepMs(kStepMs);
    (void)reap();
  }
  std::vector<Child> failed;
  std::copy_if(children_.begin(), children_.end(), std::back_inserter(failed),
               [](const Child& child) { return child.ended && child.status != 0; });
  std::stable_partition(failed.begin(), failed.end(), [](const Child& child) { return WIFSIGNALED(child.status); });
  killAll();
  std::string text;
  for (const Child& child : failed) text += (text.empty() ? "" : "\n  then ") + describe(child);
  throw RunError(text);
}

std::string Supervisor::describe(const Child& child) const {
  const std::string who = child.rank < 0 ? fmt::format("mpirun (pid {})", child.pid)
                                         : fmt::format("rank {} (pid {})", child.rank, child.pid);
  if (WIFSIGNALED(child.status)) {
    const int signal = WTERMSIG(child.status);
    const char* hint = signal == SIGKILL ? "; if nobody killed it, the kernel ran out of memory: see dmesg" : "";
    return fmt::format("{} was killed by signal {} ({}) while {}{}", who, signal, strsignal(signal),
                       child.rank < 0 ? "running" : phaseName(area_.slot(Side::kRanks, child.rank).phase), hint);
  }
  const std::string text = child.rank < 0 ? mpiOutput() : area_.slot(Side::kRanks, child.rank).error;
  return fmt::format("{} failed with exit code {}: {}", who, WEXITSTATUS(child.status),
                     text.empty() ? "no text" : text);
}

std::string Supervisor::mpiOutput() const {
  constexpr off_t kMostBytes = 1500;
  for (int rank = 0; rank < options_.ranks; ++rank) {
    const char* error = area_.slot(Side::kMpi, rank).error;
    if (*error != '\0') return fmt::format("rank {}: {}", rank, error);
  }
  const off_t end = lseek(mpiOutputFd_, 0, SEEK_END);
  std::string text(static_cast<size_t>(std::min(end, kMostBytes)), '\0');
  const ssize_t got = pread(mpiOutputFd_, text.data(), text.size(), end - static_cast<off_t>(text.size()));
  text.resize(static_cast<size_t>(std::max<ssize_t>(got, 0)));
  return text;
}

void Supervisor::killAll() {
  constexpr int kMpirunGraceMs = 5000, kStepMs = 10;
  for (Child& child : children_) {
    if (!child.ended) kill(child.pid, child.rank < 0 ? SIGTERM : SIGKILL);  // mpirun then ends its own ranks
  }
  for (int waited = 0; waited < kMpirunGraceMs && !allEnded(); waited += kStepMs) {
    (void)reap();
    if (!allEnded()) sleepMs(kStepMs);
  }
  for (Child& child : children_) {
    if (child.ended) continue;
    kill(child.pid, SIGKILL);
    child.ended = waitpid(child.pid, &child.status, 0) == child.pid;
  }
}

}  // namespace ulysses::perf
