// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Local sockets between all ranks of a host. Their names are in the abstract namespace: no file, so nothing is left
// whatever kills a process (docs/design/0003-abstract-sockets.md).
#pragma once
#include <memory>
#include <span>
#include <vector>

#include "comm/bootstrap/rendezvous.h"
#include "path/shm/peer.h"

namespace ulysses {

class MeshListener {
 public:
  /// Listens under a random name. Throws SystemError.
  MeshListener();
  const std::string& name() const { return name_; }

  /// Connects every pair of `ranks`, which are those of this host, ascending: each calls the lower ones and is called
  /// by the higher ones, both sides check the other's user and the token. Entries of `own` and of others are null.
  /// Strangers are hung up on: those of another user at once, silent ones when there are many. Throws Timeout,
  /// RemoteLost, SystemError. `peers` has those that are connected so far when it throws.
  void connect(const Membership& membership, std::span<const int> ranks, int own, Deadline deadline,
               std::vector<std::unique_ptr<ShmPeer>>& peers);

 private:
  std::unique_ptr<ShmPeer> call(const Membership& membership, int own, int rank, Deadline deadline);
  std::unique_ptr<ShmPeer> answer(const Membership& membership, Deadline deadline);

  struct Caller {
    UniqueFd socket;
    Deadline patience;
  };
  static std::string missingText(const std::vector<std::unique_ptr<ShmPeer>>& peers, const Membership& membership,
                                 std::span<const int> ranks, int own);
  bool makeRoom();
  void takeIn();
  std::unique_ptr<ShmPeer> greet(UniqueFd socket, const Membership& membership);

  std::string name_;
  UniqueFd socket_;
  std::vector<Caller> callers_;  // of our user, have not said who they are
};

}  // namespace ulysses
