// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "probe_child.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>

#include "error.h"

namespace ulysses::perf {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kEndMs = 1000, kStepMs = 2;  // how long it may take to end once it has closed its output

// What the child writes until it closes its end or the deadline passes.
bool readUntil(int fd, Clock::time_point deadline, std::string& text) {
  std::array<char, 4096> buffer{};
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd event{fd, POLLIN, 0};
    if (left <= 0 || poll(&event, 1, static_cast<int>(left)) == 0) return false;
    const ssize_t got = read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return true;
    text.append(buffer.data(), static_cast<size_t>(got));
  }
}

}  // namespace

ProbeOutput probeInChild(const std::function<void()>& body) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) throwErrno("pipe2");
  const pid_t child = fork();
  if (child < 0) throwErrno("fork");
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(ends[1], STDOUT_FILENO);
    const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    dup2(nowhere, STDERR_FILENO);
    body();
    _exit(kProbeNotFound);
  }
  close(ends[1]);
  ProbeOutput output;
  output.late = !readUntil(ends[0], Clock::now() + std::chrono::milliseconds(kProbeMs), output.text);
  close(ends[0]);
  for (int waited = 0; waited < kEndMs && !output.late; waited += kStepMs) {
    if (waitpid(child, &output.status, WNOHANG) == child) return output;
    (void)poll(nullptr, 0, kStepMs);
  }
  kill(child, SIGKILL);  // it has said all, or nothing
  waitpid(child, &output.status, 0);
  return output;
}

}  // namespace ulysses::perf
