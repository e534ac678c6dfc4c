// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
#include "fault/namespaces.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <stdexcept>

namespace ulysses::test {

namespace {

void mapUserToItself(uid_t uid, gid_t gid) {
  std::ofstream("/proc/self/setgroups") << "deny";
  std::ofstream("/proc/self/uid_map") << uid << " " << uid << " 1";
  std::ofstream("/proc/self/gid_map") << gid << " " << gid << " 1";
}

void enter(int flags) {
  const uid_t uid = geteuid();
  const gid_t gid = getegid();
  if (unshare(flags) != 0) throw std::runtime_error(std::string("unshare: ") + std::strerror(errno));
  if (flags & CLONE_NEWUSER) mapUserToItself(uid, gid);
  if (!(flags & CLONE_NEWNS)) return;
  if (mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      mount("tmpfs", "/dev/shm", "tmpfs", 0, "mode=1777,size=64k") != 0)
    throw std::runtime_error(std::string("mount: ") + std::strerror(errno));
}

}  // namespace

std::string whyNotUnshare(int flags) {
  const pid_t pid = fork();
  if (pid == 0) {
    try {
      enter(flags);
    } catch (const std::exception&) {
      _exit(errno & 0xff);
    }
    _exit(0);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  if (status == 0) return "";
  return std::string("this sandbox forbids these namespaces: ") + std::strerror(WEXITSTATUS(status));
}

void inNamespaces(int flags, Rank& rank, int pidFlag, const Team::Body& body) {
  enter(flags);
  if (!(flags & CLONE_NEWPID)) return body(rank);
  const pid_t pid = fork();
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    try {
      body(rank);
    } catch (const std::exception& error) {
      rank.expect(false, error.what());
    }
    _exit(0);
  }
  rank.raiseFlag(pidFlag, pid);
  int status = 0;
  waitpid(pid, &status, 0);
  rank.expect(status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL), "the inner process ended badly");
}

void denySystemCalls(const std::vector<int>& numbers) {
  std::vector<sock_filter> filter = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))};
  for (const int number : numbers) {
    filter.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(number), 0, 1));
    filter.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM));
  }
  filter.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  const sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
    throw std::runtime_error("no seccomp filter");
}

}  // namespace ulysses::test
