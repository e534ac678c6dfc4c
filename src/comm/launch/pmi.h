// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// PMI-1 over PMI_FD, as MPICH's hydra and Slurm speak it. What MPI in the same process says there is undisturbed: we
// have a descriptor of our own for the same connection, and both are silent between calls.
#pragma once
#include <sys/types.h>

#include "base/status.h"
#include "base/unique_fd.h"
#include "comm/launch/key_value.h"
#include "comm/launch/pmi_reply.h"

namespace ulysses {

class Pmi : public KeyValue {
 public:
  /// Talks over a socket. Throws SystemError, Timeout.
  Pmi(UniqueFd socket, Deadline deadline);
  /// Says that this process ends well: the launcher ends the job of one that goes without a word.
  ~Pmi() override;

  void publish(const std::string& key, const std::string& value, Deadline deadline) override;
  std::string lookUp(const std::string& key, Deadline deadline) override;

  /// The descriptor that PMI_FD names, duplicated. Throws InvalidArgument.
  static UniqueFd socketFromEnvironment();

 private:
  void barrier(Deadline deadline);
  void ask(const std::string& request, const char* answer, Deadline deadline);
  void send(const std::string& line, Deadline deadline);
  void receive(Deadline deadline);
  [[noreturn]] void fail(Result result, const std::string& what);

  UniqueFd socket_;
  pid_t owner_;          // a process forked later has nothing to say here
  bool broken_ = false;  // an answer may still come: nothing can be asked any more
  std::string space_;    // of keys
  int mostValueBytes_ = 0;
  std::string line_;  // the last answer
  PmiReply reply_;    // views into it
};

}  // namespace ulysses
