// SPDX-FileCopyrightText: 2026 The libulysses_coll authors
// SPDX-License-Identifier: Apache-2.0
//
// Runs a fuzz target (libFuzzer's entry point) over inputs and mutations of them, without clang's runtime:
//   fuzz_TARGET [--runs N] [--seed S] FILE...
// The same seed tries the same inputs. An input that ends the process is left in fuzz-failed.bin in the working folder.
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using Input = std::vector<std::uint8_t>;

constexpr std::size_t kLongest = 4096;
Input current;  // for the signal handler

void keepAndEnd(int signal) {
  if (FILE* file = std::fopen("fuzz-failed.bin", "wb")) {
    std::fwrite(current.data(), 1, current.size(), file);
    std::fclose(file);
  }
  ::signal(signal, SIG_DFL);
  raise(signal);
}

class Mutator {
 public:
  Mutator(std::vector<Input> corpus, std::uint64_t seed) : corpus_(std::move(corpus)), random_(seed) {}

  Input next() {
    Input input = corpus_[pick(corpus_.size())];
    for (std::size_t i = pick(4) + 1; i > 0; --i) mutate(input);
    input.resize(std::min(input.size(), kLongest));
    return input;
  }

 private:
  std::size_t pick(std::size_t count) { return static_cast<std::size_t>(random_() % std::max<std::size_t>(count, 1)); }

  void mutate(Input& input) {
    static constexpr std::int64_t kEdges[] = {
        0, 1, -1, 2, 127, 128, 255, 256, 32767, 65535, 1 << 30, INT32_MAX, INT32_MIN, UINT32_MAX, INT64_MAX, INT64_MIN};
    const std::size_t at = pick(input.size());
    switch (pick(7)) {
      case 0:
        if (!input.empty()) input[at] ^= static_cast<std::uint8_t>(1 << pick(8));
        return;
      case 1:
        if (!input.empty()) input[at] = static_cast<std::uint8_t>(random_());
        return;
      case 2:
        input.insert(input.begin() + static_cast<std::ptrdiff_t>(at), static_cast<std::uint8_t>(random_()));
        return;
      case 3:
        input.resize(at);
        return;
      case 4: {  // a number of an edge, where numbers lie
        const std::size_t width = std::size_t{1} << pick(4), place = at / width * width;
        const std::int64_t edge = kEdges[pick(std::size(kEdges))];
        if (place + width <= input.size()) std::memcpy(input.data() + place, &edge, width);
        return;
      }
      case 5: {  // the end of another one
        const Input& other = corpus_[pick(corpus_.size())];
        const std::size_t from = std::min(at, other.size());
        input.resize(std::min(at, input.size()));
        input.insert(input.end(), other.begin() + static_cast<std::ptrdiff_t>(from), other.end());
        return;
      }
      default:
        for (std::size_t i = pick(32); i > 0; --i) input.push_back(static_cast<std::uint8_t>(random_()));
    }
  }

  std::vector<Input> corpus_;
  std::mt19937_64 random_;
};

void run(const Input& input) {
  current = input;
  LLVMFuzzerTestOneInput(current.data(), current.size());
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t runs = 100'000, seed = 1;
  std::vector<Input> corpus{{}};
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if ((word == "--runs" || word == "--seed") && i + 1 < argc) {
      (word == "--runs" ? runs : seed) = std::strtoull(argv[++i], nullptr, 10);
      continue;
    }
    std::ifstream file(word, std::ios::binary);
    if (!file) return std::fprintf(stderr, "%s: cannot read %s\n", argv[0], word.c_str()), 2;
    corpus.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  for (const int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL}) ::signal(signal, keepAndEnd);
  for (const Input& input : corpus) run(input);
  Mutator mutator(corpus, seed);
  for (std::uint64_t i = 0; i < runs; ++i) run(mutator.next());
  std::printf("%zu inputs and %llu mutations of them, seed %llu: nothing found\n", corpus.size(),
              static_cast<unsigned long long>(runs), static_cast<unsigned long long>(seed));
  return 0;
}
