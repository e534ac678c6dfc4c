// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "net_pair.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "error.h"
#include "system_info.h"

namespace ulysses::perf {
namespace {

constexpr int kPatienceMs = 120'000;

std::array<int, 2> socketPair() {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) throwErrno("socketpair");
  return ends;
}

int runEnd(const NetOptions& options, int index, int wire, int tasks) {
  (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (options.pin) (void)pinToCore(index);
  if (!options.device.empty()) (void)setenv("UCX_NET_DEVICES", options.device.c_str(), 1);
  try {
    NetEnd(options, index, wire, tasks).serve();
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "ulysses_perf: {}\n", error.what());
    return kExitFailure;
  }
}

}  // namespace

NetPair::NetPair(const NetOptions& options) {
  const std::array<int, 2> wire = socketPair();
  for (const int index : {0, 1}) start(options, index, wire[static_cast<size_t>(index)]);
  for (const int end : wire) (void)::close(end);
}

void NetPair::start(const NetOptions& options, int index, int wire) {
  const std::array<int, 2> ends = socketPair();
  const pid_t child = fork();
  if (child < 0) throwErrno("fork");
  if (child == 0) _exit(runEnd(options, index, wire, ends[1]));
  (void)::close(ends[1]);
  children_[static_cast<size_t>(index)] = child;
  tasks_[static_cast<size_t>(index)] = ends[0];
}

double NetPair::run(const NetTask& task) {
  double first = 0;
  for (const int tasks : tasks_)
    if (send(tasks, &task, sizeof task, MSG_NOSIGNAL) != sizeof task)
      throw RunError("a process of the pair has ended; see its message above");
  for (const int tasks : tasks_) {
    double seconds = 0;
    pollfd readable{.fd = tasks, .events = POLLIN, .revents = 0};
    if (poll(&readable, 1, kPatienceMs) != 1 || recv(tasks, &seconds, sizeof seconds, 0) != sizeof seconds)
      throw RunError("a process of the pair has ended or is stuck; see its message above");
    if (tasks == tasks_[0]) first = seconds;
  }
  return first;
}

NetPair::~NetPair() {
  const NetTask end;
  for (const int tasks : tasks_) {
    (void)send(tasks, &end, sizeof end, MSG_NOSIGNAL);
    (void)::close(tasks);
  }
  for (const pid_t child : children_) {
    for (int tries = 0; child > 0 && waitpid(child, nullptr, WNOHANG) == 0; ++tries) {
      if (tries == 500) (void)kill(child, SIGKILL);
      (void)usleep(10'000);
    }
  }
}

}  // namespace ulysses::perf
