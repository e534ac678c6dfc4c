// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "support/process_ranks.h"

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <type_traits>

#include "support/own_host.h"
#include "support/rank_runner.h"

namespace ulysses::test {

namespace {

struct Command {
  RunOptions options;
  std::size_t nComms;
};
struct Invitation {
  CommKey key;
  ulyssesUniqueId_t id;
};
struct Answer {
  std::int64_t cases;
  std::size_t textBytes;
};

template <typename T>
bool sendAll(int socket, const T* values, std::size_t count) {
  static_assert(std::is_trivially_copyable_v<T>);
  const auto* at = reinterpret_cast<const char*>(values);
  for (std::size_t left = count * sizeof(T); left > 0;) {
    const ssize_t sent = send(socket, at, left, MSG_NOSIGNAL);
    if (sent <= 0) return false;
    at += sent;
    left -= static_cast<std::size_t>(sent);
  }
  return true;
}

template <typename T>
bool receiveAll(int socket, T* values, std::size_t count) {
  static_assert(std::is_trivially_copyable_v<T>);
  return count == 0 || recv(socket, values, count * sizeof(T), MSG_WAITALL) == static_cast<ssize_t>(count * sizeof(T));
}

/// In the order of the invitations, the same at every rank.
std::string joinAll(const std::vector<Invitation>& invitations, int rank, CommTable* comms) {
  for (const Invitation& invitation : invitations) {
    if (invitation.key.nRanks <= rank) continue;
    const ulyssesConfig_t config = configOf(invitation.key);
    ulyssesComm_t comm = nullptr;
    const ulyssesResult_t result =
        ulyssesCommInitRankConfig(&comm, invitation.key.nRanks, &invitation.id, rank, &config);
    if (result != ulyssesSuccess) return callText("ulyssesCommInitRankConfig", result, nullptr);
    (*comms)[invitation.key] = comm;
  }
  return "";
}

Report obey(const Command& command, const std::vector<Invitation>& invitations, int rank) {
  CommTable comms;
  Report report;
  if (const std::string failure = joinAll(invitations, rank, &comms); !failure.empty()) {
    report.failures.push_back("processes: rank " + std::to_string(rank) + ": " + failure);
  } else {
    report = runRank(command.options, rank, comms, "processes");
  }
  for (const auto& [key, comm] : comms) (void)ulyssesCommDestroy(comm);
  return report;
}

void serve(int socket, int rank) {
  Command command;
  while (receiveAll(socket, &command, 1)) {
    std::vector<Invitation> invitations(command.nComms);
    if (!receiveAll(socket, invitations.data(), invitations.size())) return;
    const Report report = obey(command, invitations, rank);
    std::string text;
    for (const std::string& failure : report.failures) text += failure + "\n";
    const Answer answer = {report.cases, text.size()};
    if (!sendAll(socket, &answer, 1) || !sendAll(socket, text.data(), text.size())) return;
  }
}

std::vector<Invitation> invite(const RunOptions& options) {
  std::vector<Invitation> invitations;
  for (const CommKey& key : commsOf(options)) {
    Invitation invitation = {key, {}};
    const ulyssesResult_t result = ulyssesGetUniqueId(&invitation.id);
    if (result != ulyssesSuccess) throw std::runtime_error(callText("ulyssesGetUniqueId", result, nullptr));
    invitations.push_back(invitation);
  }
  return invitations;
}

}  // namespace

ProcessRanks::ProcessRanks(int nRanks) {
  const pid_t parent = getpid();
  for (int rank = 0; rank < nRanks; ++rank) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) throw std::runtime_error("socketpair");
    const pid_t pid = fork();
    if (pid < 0) throw std::runtime_error("fork");
    if (pid == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (getppid() != parent) _exit(1);
      close(ends[0]);
      for (const Worker& earlier : workers_) close(earlier.socket);
      workers_.clear();
      enterHost(rank);
      serve(ends[1], rank);
      std::exit(0);  // not _exit: sanitizers report leaks now
    }
    close(ends[1]);
    workers_.push_back({pid, ends[0]});
  }
}

ProcessRanks::~ProcessRanks() { (void)finish(); }

Report ProcessRanks::run(const RunOptions& options) {
  const std::vector<Invitation> invitations = invite(options);
  const Command command = {options, invitations.size()};
  const std::size_t nRanks = std::min(workers_.size(), static_cast<std::size_t>(options.maxRanks));
  for (std::size_t rank = 0; rank < nRanks; ++rank) {
    // A process that is gone shows when its answer does not come.
    (void)(sendAll(workers_[rank].socket, &command, 1) &&
           sendAll(workers_[rank].socket, invitations.data(), invitations.size()));
  }
  Report whole;
  for (std::size_t rank = 0; rank < nRanks; ++rank) collect(options, rank, &whole);
  return whole;
}

void ProcessRanks::collect(const RunOptions& options, std::size_t rank, Report* whole) {
  Answer answer = {0, 0};
  std::string text;
  bool answered = workers_[rank].pid > 0 && receiveAll(workers_[rank].socket, &answer, 1);
  if (answered) {
    text.resize(answer.textBytes);
    answered = receiveAll(workers_[rank].socket, text.data(), text.size());
  }
  if (!answered) {
    const std::string end = reap(rank);
    text = "processes: rank " + std::to_string(rank) + " " + (end.empty() ? "is gone" : end) + " in the run of seed " +
           std::to_string(options.seed) + ", first " + std::to_string(options.first) + ", cases " +
           std::to_string(options.count);
  }
  whole->cases = std::max(whole->cases, answer.cases);
  if (!text.empty()) whole->failures.push_back(text);
}

std::string ProcessRanks::reap(std::size_t rank) {
  Worker& worker = workers_[rank];
  if (worker.pid <= 0) return "";
  close(worker.socket);
  int status = 0;
  waitpid(worker.pid, &status, 0);
  worker.pid = 0;
  if (WIFSIGNALED(status)) {
    return "died of signal " + std::to_string(WTERMSIG(status)) + " (" + strsignal(WTERMSIG(status)) + ")";
  }
  return WEXITSTATUS(status) == 0 ? "" : "exited with " + std::to_string(WEXITSTATUS(status));
}

std::string ProcessRanks::finish() {
  std::string text;
  for (std::size_t rank = 0; rank < workers_.size(); ++rank) {
    if (const std::string end = reap(rank); !end.empty()) text += "rank " + std::to_string(rank) + " " + end + "\n";
  }
  workers_.clear();
  return text;
}

}  // namespace ulysses::test
