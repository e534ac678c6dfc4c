// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "info_ranks.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <functional>
#include <vector>

#include "error.h"
#include "gather.h"
#include "host_report.h"
#include "merge_hosts.h"
#include "options.h"
#include "pairs.h"
#include "shared.h"
#include "supervisor.h"
#include "ulysses_coll.h"

namespace ulysses::perf {
namespace {

using nlohmann::ordered_json;

constexpr int kWatchdogS = 60;  // of joining, and of each pair

struct Comm {
  ulyssesComm_t handle = nullptr;
  Comm() = default;
  Comm(const Comm&) = delete;
  Comm& operator=(const Comm&) = delete;
  ~Comm() {
    if (handle != nullptr) (void)ulyssesCommDestroy(handle);
  }
};

// Names may hold any bytes: what is not UTF-8 is replaced.
std::string textOf(const ordered_json& json) {
  return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

ordered_json rowOf(ulyssesComm_t comm, int nRanks, int rank, bool measure, const std::function<void()>& onPair) {
  ordered_json row = pairRow(comm, nRanks, rank);
  if (measure) measurePairs(comm, nRanks, rank, row, onPair);
  return row;
}

ordered_json headOf(const std::string& startedBy, int nRanks, bool measure) {
  return {{"count", nRanks},
          {"started_by", startedBy},
          {"measured_bytes", measure ? ordered_json(kMeasuredBytes) : ordered_json(nullptr)}};
}

// What rank 0 of the local ranks leaves for the tool.
class Note {
 public:
  Note() : fd_(memfd_create("ulysses_info", MFD_CLOEXEC)) {
    if (fd_ < 0) throwErrno("memfd_create");
  }
  Note(const Note&) = delete;
  Note& operator=(const Note&) = delete;
  ~Note() { close(fd_); }

  void write(const std::string& text) const {
    for (size_t done = 0; done < text.size();) {
      const ssize_t bytes = ::write(fd_, text.data() + done, text.size() - done);
      if (bytes < 0 && errno != EINTR) throwErrno("write of the report");
      if (bytes > 0) done += static_cast<size_t>(bytes);
    }
  }

  std::string read() const {
    std::string text(static_cast<size_t>(lseek(fd_, 0, SEEK_END)), '\0');
    if (pread(fd_, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) throwErrno("read of the report");
    return text;
  }

 private:
  int fd_;
};

void runLocalRank(const SharedArea& area, int rank, bool measure, const Note& note) {
  waitUntilAtLeast(area.started(), 1);
  Comm comm;
  RankSlot& slot = area.slot(Side::kRanks, rank);
  slot.enter(Phase::kJoining);
  requireSuccess("ulyssesCommInitRank", ulyssesCommInitRank(&comm.handle, area.nRanks(), &area.uniqueId(), rank),
                 nullptr);
  slot.enter(Phase::kTiming);
  const ordered_json row = rowOf(comm.handle, area.nRanks(), rank, measure, [&] { slot.beat(); });
  const std::vector<std::string> rows = gatherTexts(comm.handle, area.nRanks(), rank, textOf(row));
  if (rank != 0) return;
  ordered_json all = {{"settings", settingsOf(comm.handle)}, {"rows", ordered_json::array()}};
  for (const std::string& text : rows) all["rows"].push_back(ordered_json::parse(text));
  note.write(textOf(all));
}

}  // namespace

RankReport reportLocalRanks(int nRanks, bool measure) {
  Options options;
  options.ranks = nRanks;
  options.watchdogS = kWatchdogS;
  RankReport report{ordered_json::array({hostReport(topology("")["machine"])}),
                    headOf("ulysses_info", nRanks, measure)};
  const Note note;
  SharedArea area = SharedArea::create(nRanks, 1);
  Supervisor supervisor(options, area);
  supervisor.forkRanks([&](int rank) { runLocalRank(area, rank, measure, note); });
  requireSuccess("ulyssesGetUniqueId", ulyssesGetUniqueId(&area.uniqueId()), nullptr);
  storeAndWake(area.started(), 1);
  supervisor.watch([] {}, [] {});
  report.ranks.update(ordered_json::parse(note.read()));
  report.hosts[0]["ranks"] = ordered_json::array();
  for (ordered_json& row : report.ranks["rows"]) {
    row["host"] = 0;
    report.hosts[0]["ranks"].push_back(row["rank"]);
  }
  return report;
}

RankReport reportLaunchedRanks(const std::string& launcher, int nRanks, int rank, bool measure) {
  const ordered_json machine = topology("")["machine"];
  Comm comm;
  requireSuccess("ulyssesCommInitLauncher", ulyssesCommInitLauncher(&comm.handle, nullptr), nullptr);
  const std::vector<HostKey> keys = allGather(comm.handle, nRanks, hostKey(machine));
  ordered_json own = {{"row", rowOf(comm.handle, nRanks, rank, measure, [] {})}};
  if (firstOfHost(keys, rank) == rank) own["host"] = hostReport(machine);
  const std::vector<std::string> texts = gatherTexts(comm.handle, nRanks, rank, textOf(own));
  if (rank != 0) return {};
  ordered_json head = headOf(launcher, nRanks, measure);
  head["settings"] = settingsOf(comm.handle);
  return mergeHosts(texts, keys, std::move(head));
}

}  // namespace ulysses::perf
