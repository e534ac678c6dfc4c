// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "library_tables.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <map>
#include <vector>

#include "error.h"
#include "ulysses_coll.h"

namespace ulysses::perf {
namespace {

constexpr int64_t kJoinMs = 30'000;

// What the rank processes tell the parent.
struct Row {
  ulyssesResult_t result;
  char error[512];
};

class SharedRows {
 public:
  explicit SharedRows(int nRanks) : nRanks_(static_cast<size_t>(nRanks)) {
    bytes_ = nRanks_ * sizeof(Row) + nRanks_ * nRanks_ * sizeof(ulyssesPathInfo_t);
    data_ = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (data_ == MAP_FAILED) throw RunError(fmt::format("mmap of {} bytes failed: {}", bytes_, std::strerror(errno)));
  }
  SharedRows(const SharedRows&) = delete;
  SharedRows& operator=(const SharedRows&) = delete;
  ~SharedRows() { munmap(data_, bytes_); }
  Row& row(size_t rank) const { return static_cast<Row*>(data_)[rank]; }
  ulyssesPathInfo_t& pair(size_t rank, size_t peer) const {
    return reinterpret_cast<ulyssesPathInfo_t*>(static_cast<Row*>(data_) + nRanks_)[rank * nRanks_ + peer];
  }

 private:
  size_t nRanks_, bytes_;
  void* data_;
};

ulyssesResult_t fillRow(const SharedRows& rows, const ulyssesUniqueId_t& id, int nRanks, int rank) {
  ulyssesConfig_t config = ULYSSES_CONFIG_INITIALIZER;
  config.init_timeout_ms = kJoinMs;
  ulyssesComm_t comm = nullptr;
  ulyssesResult_t result = ulyssesCommInitRankConfig(&comm, nRanks, &id, rank, &config);
  for (int peer = 0; peer < nRanks && result == ulyssesSuccess; ++peer)
    result = ulyssesCommGetPath(comm, peer, &rows.pair(static_cast<size_t>(rank), static_cast<size_t>(peer)));
  if (result != ulyssesSuccess)
    std::strncpy(rows.row(static_cast<size_t>(rank)).error, ulyssesGetLastError(nullptr), 511);
  return result;
}

void runRanks(const SharedRows& rows, int nRanks) {
  ulyssesUniqueId_t id;
  if (ulyssesGetUniqueId(&id) != ulyssesSuccess) throw RunError(ulyssesGetLastError(nullptr));
  std::vector<pid_t> children;
  for (int rank = 0; rank < nRanks; ++rank) {
    const pid_t child = fork();
    if (child == 0) {
      rows.row(static_cast<size_t>(rank)).result = fillRow(rows, id, nRanks, rank);
      _exit(0);
    }
    children.push_back(child);
  }
  for (size_t rank = 0; rank < children.size(); ++rank) {
    int status = 0;
    waitpid(children[rank], &status, 0);
    if (status != 0 || rows.row(rank).result != ulyssesSuccess)
      throw RunError(fmt::format("rank {} failed: {}", rank, rows.row(rank).error));
  }
}

}  // namespace

std::string environmentTable() {
  std::string text = "| variable | default | values | meaning |\n|---|---|---|---|\n";
  ulyssesEnvironmentVariable_t variable;
  for (int i = 0; ulyssesGetEnvironmentVariable(i, &variable) == ulyssesSuccess; ++i)
    text +=
        fmt::format("| `{}` | {} | {} | {} |\n", variable.name, variable.defaultText, variable.values, variable.help);
  return text;
}

std::string pairMatrix(int nRanks) {
  const SharedRows rows(nRanks);
  runRanks(rows, nRanks);
  std::map<std::string, std::string> reasons;
  std::string text = "path of each pair (row: reader, column: peer)\n      ";
  for (int peer = 0; peer < nRanks; ++peer) text += fmt::format("{:>6}", peer);
  for (size_t rank = 0; rank < static_cast<size_t>(nRanks); ++rank) {
    text += fmt::format("\n{:>6}", rank);
    for (size_t peer = 0; peer < static_cast<size_t>(nRanks); ++peer) {
      const ulyssesPathInfo_t& info = rows.pair(rank, peer);
      text += fmt::format("{:>6}", info.path);
      reasons[info.path] = info.reason;
    }
  }
  for (const auto& [path, reason] : reasons) text += fmt::format("\n  {}: {}", path, reason);
  return text + "\n";
}

}  // namespace ulysses::perf
