// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "net_ucx.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <vector>

#include "error.h"
#include "parse.h"
#include "system_info.h"

namespace ulysses::perf {
namespace {

// A port that nobody uses now.
int freePort() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t bytes = sizeof address;
  const bool bound = fd >= 0 && bind(fd, reinterpret_cast<sockaddr*>(&address), bytes) == 0 &&
                     getsockname(fd, reinterpret_cast<sockaddr*>(&address), &bytes) == 0;
  if (!bound) throwErrno("bind");
  (void)close(fd);
  return ntohs(address.sin_port);
}

struct Child {
  pid_t pid;
  int output;
};

Child start(const NetOptions& options, std::vector<std::string> words, int core) {
  std::array<int, 2> pipe{};
  if (pipe2(pipe.data(), O_CLOEXEC) != 0) throwErrno("pipe2");
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const pid_t child = fork();
  if (child < 0) throwErrno("fork");
  if (child == 0) {
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (options.pin) (void)pinToCore(core);
    if (!options.device.empty()) (void)setenv("UCX_NET_DEVICES", options.device.c_str(), 1);
    (void)dup2(pipe[1], STDOUT_FILENO);
    (void)dup2(pipe[1], STDERR_FILENO);
    (void)execvp(arguments[0], arguments.data());
    fmt::print("{}: {}; install it (Debian: ucx-utils), or leave --compare out\n", arguments[0], strerror(errno));
    (void)fflush(stdout);
    _exit(127);
  }
  (void)close(pipe[1]);
  return {child, pipe[0]};
}

struct Ended {
  int status;
  std::string output;
};

Ended await(const Child& child) {
  Ended ended{};
  std::array<char, 4096> chunk{};
  for (ssize_t n = 0; (n = read(child.output, chunk.data(), chunk.size())) > 0;)
    ended.output.append(chunk.data(), static_cast<size_t>(n));
  (void)close(child.output);
  (void)waitpid(child.pid, &ended.status, 0);
  return ended;
}

// The numbers of the last line of ucx_perftest -f: iterations, three latencies (us), two bandwidths, two rates.
std::vector<double> numbersOf(const std::string& output) {
  const size_t end = output.find_last_not_of(" \n");
  if (end == std::string::npos) return {};
  const size_t line = output.rfind('\n', end);
  std::vector<double> numbers;
  const char* at = output.c_str() + (line == std::string::npos ? 0 : line + 1);
  for (char* next = nullptr;; at = next) {
    const double number = std::strtod(at, &next);
    if (next == at) return numbers;
    numbers.push_back(number);
  }
}

}  // namespace

double runUcxPerftest(const NetOptions& options, const NetTask& task) {
  const bool isLatency = task.kind == NetTask::Kind::Latency;
  const std::string port = std::to_string(freePort());
  const Child server = start(options, {"ucx_perftest", "-p", port}, 1);
  std::vector<std::string> words = {"ucx_perftest",
                                    "127.0.0.1",
                                    "-p",
                                    port,
                                    "-t",
                                    isLatency ? "tag_lat" : "tag_bw",
                                    "-s",
                                    std::to_string(task.bytes),
                                    "-n",
                                    std::to_string(task.count),
                                    "-w",
                                    std::to_string(std::max<int64_t>(task.count / 10, 1)),
                                    "-f"};
  if (!isLatency) words.insert(words.end(), {"-O", std::to_string(task.depth)});
  Ended client{};
  for (int tries = 0; tries < 100; ++tries) {  // the server needs a moment to listen
    client = await(start(options, words, 0));
    if (client.output.find("Connection refused") == std::string::npos) break;
    (void)usleep(20'000);
  }
  if (client.status != 0) (void)kill(server.pid, SIGKILL);
  (void)await(server);
  const std::vector<double> numbers = numbersOf(client.output);
  constexpr size_t kOverallUs = 3;
  if (client.status != 0 || numbers.size() <= kOverallUs) throw RunError("ucx_perftest failed: " + client.output);
  const double us = numbers[kOverallUs];  // of a message
  return 1e-6 * us * (isLatency ? 1.0 : static_cast<double>(task.count));
}

}  // namespace ulysses::perf
