// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// nccl_check: the real NCCL with the net plugin, ranks as processes of one GPU, each with an NCCL_HOSTID of its own: to
// NCCL they are on different hosts, so that all goes through the network. The environment has LD_LIBRARY_PATH with the
// plugin, libnccl.so.2 and UCX, see tests/gpu/run. Prints the lines of NCCL's log that tell what was used. Exits with
// 77 where there is no NCCL.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "nccl_meeting.h"
#include "nccl_rank.h"

namespace ulysses::nccl_check {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using Body = void (*)(const Nccl& nccl, Meeting& meeting, int rank, int nRanks);

constexpr int kNoNccl = 77;

struct Case {
  const char* name;
  int nRanks;
  const char* transports;  // UCX_TLS
  Body body;
  bool isDirect = false;         // NCCL gives memory of the GPU to the plugin
  const char* wanted = nullptr;  // beside the network's name, in the log of every rank that lives
  int dies = -1;                 // this rank is killed
};

constexpr const char* kNetwork = "Using network Ulysses";

// What a case does -----------------------------------------------------------------------------------------------

void oneRank(const Nccl& nccl, Meeting& meeting, int rank, int nRanks) {
  Rank alone(nccl, meeting, rank, nRanks);
  checkAllReduce(alone, 1000);
}

/// Twice, as some NCCL forget the plugin when the last communicator is gone.
void collectives(const Nccl& nccl, Meeting& meeting, int rank, int nRanks) {
  for (int round = 0; round < 2; ++round) {
    Rank joined(nccl, meeting, rank, nRanks);
    for (const size_t count : {size_t{1}, size_t{1000}, size_t{300'007}, size_t{1} << 21}) {
      checkAllReduce(joined, count);
      checkAllGather(joined, count);
      checkAllToAll(joined, count);
    }
    meeting.meet();
  }
}

void oneIsKilled(const Nccl& nccl, Meeting& meeting, int rank, int nRanks) {
  Rank joined(nccl, meeting, rank, nRanks);
  checkAllReduce(joined, 1000);
  meeting.meet();
  if (rank == nRanks - 1) raise(SIGKILL);
  const DeviceWords words(std::vector<uint32_t>(1 << 20));
  const int called = nccl.ncclAllReduce(words.data(), words.data(), 1 << 20, NcclType::Uint32, NcclOp::Sum,
                                        joined.comm(), joined.stream());
  const int error = called == kSuccess ? joined.wait() : called;
  if (error == kSuccess) throw std::runtime_error("an all-reduce with a dead rank succeeded");
  std::printf("rank %d: with a dead peer NCCL says: %s (%d)\n", rank, nccl.ncclGetErrorString(error), error);
  joined.abort();
}

const Case kCases[] = {
    {.name = "one rank", .nRanks = 1, .transports = "tcp,self", .body = oneRank},
    {.name = "2 ranks, tcp", .nRanks = 2, .transports = "tcp,self", .body = collectives, .wanted = "via NET/Ulysses/"},
    {.name = "2 ranks, shm",
     .nRanks = 2,
     .transports = "posix,self",
     .body = collectives,
     .wanted = "via NET/Ulysses/"},
    {.name = "4 ranks, tcp", .nRanks = 4, .transports = "tcp,self", .body = collectives, .wanted = "via NET/Ulysses/"},
    {.name = "one of 2 killed",
     .nRanks = 2,
     .transports = "tcp,self",
     .body = oneIsKilled,
     .wanted = "the peer's process ended",
     .dies = 1},
    {.name = "2 ranks, CUDA memory",
     .nRanks = 2,
     .transports = "tcp,self,cuda_copy",
     .body = collectives,
     .isDirect = true,
     .wanted = "via NET/Ulysses/"},
};

// Processes and logs ---------------------------------------------------------------------------------------------

fs::path logOf(const fs::path& folder, int rank) { return folder / ("rank" + std::to_string(rank) + ".log"); }

/// Before NCCL and UCX are loaded: both read it once. What the caller has set stays.
void setEnvironment(const Case& run, const fs::path& folder, int rank) {
  const auto prefer = [](const char* name, const std::string& value) { setenv(name, value.c_str(), 0); };
  setenv("NCCL_HOSTID", ("rank" + std::to_string(rank)).c_str(), 1);
  setenv("NCCL_DEBUG_FILE", logOf(folder, rank).c_str(), 1);
  setenv("NCCL_DEBUG", "INFO", 1);
  setenv("NCCL_DEBUG_SUBSYS", "INIT,NET,GRAPH", 1);
  setenv("NCCL_NET", "Ulysses", 1);  // no other network, silently
  setenv("UCX_TLS", run.transports, 1);
  if (run.isDirect) setenv("NCCL_NET_GDR_LEVEL", "SYS", 1);
  prefer("NCCL_NET_PLUGIN", "ulysses");
  prefer("NCCL_NET_PLUGIN_REF_COUNT", "1");  // NCCL 2.27 to 2.29.7, see docs/nccl_plugin.md
  prefer("UCX_NET_DEVICES", "lo");
  prefer("NCCL_SOCKET_IFNAME", "lo");
  prefer("NCCL_MNNVL_ENABLE", "0");
  prefer("NCCL_NVLS_ENABLE", "0");
  prefer("NCCL_CUMEM_ENABLE", "0");
  prefer("NCCL_MAX_NCHANNELS", "2");  // kernels of ranks that wait for each other have to fit onto the GPU together
  prefer("NCCL_RAS_ENABLE", "0");
}

int runRank(const Case& run, const fs::path& folder, Meeting& meeting, int rank) {
  setEnvironment(run, folder, rank);
  int status = 1;
  try {
    const Nccl nccl = Nccl::load();
    if (rank == 0) std::printf("  NCCL %s\n", nccl.version().c_str());
    run.body(nccl, meeting, rank, run.nRanks);
    status = 0;
  } catch (const NoNccl& none) {
    std::printf("not run: no libnccl (%s)\n", none.what());
    status = kNoNccl;
  } catch (const std::exception& error) {
    std::printf("rank %d: %s\n", rank, error.what());
  }
  std::fflush(stdout);
  return status;
}

std::vector<std::string> linesOf(const fs::path& file) {
  std::vector<std::string> lines;
  std::ifstream stream(file);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

bool has(const std::vector<std::string>& lines, const std::string& text) {
  for (const std::string& line : lines)
    if (line.find(text) != std::string::npos) return true;
  return false;
}

/// What tells that the plugin was used, and how; each once.
void printKeyLines(const std::vector<std::string>& lines) {
  std::set<std::string> printed;
  for (const std::string& line : lines)
    for (const char* key :
         {"NCCL version", "NET/Plugin", "NET plugin", "NET/Ulysses", "Using network", "GPU Direct RDMA", "NCCL WARN"}) {
      const size_t from = line.find("NCCL ");
      if (line.find(key) != std::string::npos && from != std::string::npos && printed.size() < 16 &&
          printed.insert(line.substr(from)).second)
        std::printf("    %s\n", line.substr(from).c_str());
    }
}

/// Exit statuses of all. Those that are late are killed: after a failure of another soon, as they may wait for it.
std::vector<int> collect(const Case& run, const std::vector<pid_t>& children) {
  auto deadline = Clock::now() + std::chrono::seconds(40);
  std::vector<int> statuses(children.size(), -1);
  std::vector<bool> ended(children.size());
  while (std::find(ended.begin(), ended.end(), false) != ended.end()) {
    const bool late = Clock::now() > deadline;
    for (size_t i = 0; i < children.size(); ++i) {
      if (ended[i]) continue;
      if (late) kill(children[i], SIGKILL);
      if (waitpid(children[i], &statuses[i], late ? 0 : WNOHANG) == 0) continue;
      ended[i] = true;
      if (late) std::printf("rank %zu was not done in time\n", i);
      if (statuses[i] != 0 && static_cast<int>(i) != run.dies)
        deadline = std::min(deadline, Clock::now() + std::chrono::seconds(5));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return statuses;
}

/// Whether a rank ended as it should, by its status and its log.
bool isRight(const Case& run, const fs::path& folder, int rank, int status) {
  if (rank == run.dies) return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
  const std::vector<std::string> lines = linesOf(logOf(folder, rank));
  bool right = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  for (const char* text : {kNetwork, run.wanted})
    if (text && !has(lines, text)) {
      std::printf("rank %d: NCCL's log has no \"%s\"\n", rank, text);
      right = false;
    }
  if (rank == 0) printKeyLines(lines);
  if (!right)
    for (size_t i = lines.size() - std::min(lines.size(), size_t{25}); i < lines.size(); ++i)
      std::printf("    rank %d: %s\n", rank, lines[i].c_str());
  return right;
}

/// 0, 1 or kNoNccl.
int runCase(const Case& run, const fs::path& folder) {
  std::printf("%s (UCX_TLS=%s)\n", run.name, run.transports);
  std::fflush(stdout);
  Meeting* const meeting = Meeting::make(run.nRanks);
  std::vector<pid_t> children;  // this process has nothing of CUDA, NCCL or UCX
  for (int rank = 0; rank < run.nRanks; ++rank) {
    const pid_t child = fork();
    if (child == 0) _exit(runRank(run, folder, *meeting, rank));
    children.push_back(child);
  }
  const std::vector<int> statuses = collect(run, children);
  Meeting::free(meeting);
  for (const int status : statuses)
    if (WIFEXITED(status) && WEXITSTATUS(status) == kNoNccl) return kNoNccl;
  bool right = true;
  for (int rank = 0; rank < run.nRanks; ++rank)
    right = isRight(run, folder, rank, statuses[static_cast<size_t>(rank)]) && right;
  if (run.isDirect && right && !has(linesOf(logOf(folder, 0)), "GPU Direct RDMA Enabled"))
    std::printf("  without CUDA memory: the UCX at hand does not take it, or NCCL does not give it\n");
  std::printf("%s: %s\n", run.name, right ? "ok" : "FAILED");
  return right ? 0 : 1;
}

int runAll() {
  int failed = 0;
  for (const Case& run : kCases) {
    std::string pattern = (fs::temp_directory_path() / "nccl_check_XXXXXX").string();
    if (!mkdtemp(pattern.data())) throw std::runtime_error("mkdtemp failed");
    const int result = runCase(run, pattern);
    fs::remove_all(pattern);
    if (result == kNoNccl) return kNoNccl;
    failed += result;
  }
  std::printf("%zu cases, %d failed\n", std::size(kCases), failed);
  return failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace ulysses::nccl_check

int main() {
  try {
    return ulysses::nccl_check::runAll();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "nccl_check: %s\n", error.what());
    return 1;
  }
}
