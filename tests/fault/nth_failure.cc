// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// A program's own functions stand before the C library's for every shared library in it; see allocation_count.cc.
#include "fault/nth_failure.h"

#include <dlfcn.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <type_traits>

namespace {

std::atomic<const char*> wanted{nullptr};
std::atomic<long> counted{0}, due{0};

bool isDue(const char* call) {
  const char* name = wanted.load(std::memory_order_acquire);
  return name != nullptr && std::strcmp(call, name) == 0 && counted.fetch_add(1) + 1 == due.load();
}

/// The same function behind this one.
template <typename Function>
Function* behind(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

/// Calls the function behind, or fails with that errno and -1 in the result's type.
template <typename Result, typename... Args>
Result callOrFail(const char* name, int error, std::type_identity_t<Args>... args) {
  if (!isDue(name)) return behind<Result(Args...)>(name)(args...);
  errno = error;
  if constexpr (std::is_pointer_v<Result>)
    return reinterpret_cast<Result>(-1);
  else
    return -1;
}

}  // namespace

void ulysses::test::armFailure(const char* call, long n) {
  counted = 0;
  due = n;
  wanted.store(call, std::memory_order_release);
}

long ulysses::test::disarmFailure() {
  wanted = nullptr;
  return counted;
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

extern "C" {

void* __libc_malloc(std::size_t bytes);

void* malloc(std::size_t bytes) {
  if (!isDue("malloc")) return __libc_malloc(bytes);
  errno = ENOMEM;
  return nullptr;
}

int socket(int domain, int type, int protocol) noexcept {
  return callOrFail<int, int, int, int>("socket", EMFILE, domain, type, protocol);
}
int bind(int fd, const sockaddr* address, socklen_t size) noexcept {
  return callOrFail<int, int, const sockaddr*, socklen_t>("bind", ENOMEM, fd, address, size);
}
int listen(int fd, int backlog) noexcept { return callOrFail<int, int, int>("listen", ENOBUFS, fd, backlog); }
int connect(int fd, const sockaddr* address, socklen_t size) {
  return callOrFail<int, int, const sockaddr*, socklen_t>("connect", ENOMEM, fd, address, size);
}
int accept4(int fd, sockaddr* address, socklen_t* size, int flags) {
  return callOrFail<int, int, sockaddr*, socklen_t*, int>("accept4", EMFILE, fd, address, size, flags);
}
ssize_t send(int fd, const void* data, std::size_t bytes, int flags) {
  return callOrFail<ssize_t, int, const void*, std::size_t, int>("send", ENOBUFS, fd, data, bytes, flags);
}
ssize_t recv(int fd, void* data, std::size_t bytes, int flags) {
  return callOrFail<ssize_t, int, void*, std::size_t, int>("recv", ENOMEM, fd, data, bytes, flags);
}
ssize_t sendmsg(int fd, const msghdr* message, int flags) {
  return callOrFail<ssize_t, int, const msghdr*, int>("sendmsg", ENOBUFS, fd, message, flags);
}
ssize_t recvmsg(int fd, msghdr* message, int flags) {
  return callOrFail<ssize_t, int, msghdr*, int>("recvmsg", ENOMEM, fd, message, flags);
}
int memfd_create(const char* name, unsigned flags) noexcept {
  return callOrFail<int, const char*, unsigned>("memfd_create", EMFILE, name, flags);
}
// With 64-bit offsets the C library's headers call these by other names.
void* mmap64(void* at, std::size_t bytes, int protection, int flags, int fd, off64_t offset) noexcept {
  return callOrFail<void*, void*, std::size_t, int, int, int, off64_t>("mmap64", ENOMEM, at, bytes, protection, flags,
                                                                       fd, offset);
}
int ftruncate64(int fd, off64_t bytes) noexcept {
  return callOrFail<int, int, off64_t>("ftruncate64", ENOSPC, fd, bytes);
}
int posix_fallocate64(int fd, off64_t offset, off64_t bytes) {
  return isDue("posix_fallocate64") ? ENOSPC
                                    : behind<int(int, off64_t, off64_t)>("posix_fallocate64")(fd, offset, bytes);
}
int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*body)(void*), void* argument) noexcept {
  using Create = int(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  return isDue("pthread_create") ? EAGAIN : behind<Create>("pthread_create")(thread, attributes, body, argument);
}

}  // extern "C"

#endif
