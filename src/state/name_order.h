// NameOrder: job names in order, with access by rank.
//
// A list of sorted blocks, so that inserting into a million names moves at most one block, and rank
// k is found by walking the blocks' sizes. The names are owned by the caller and must outlive their
// membership. Not thread-safe.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "state/changes.h"

namespace dkron::state {

class NameOrder {
 public:
  void insert(const JobSummary* job);   // Its name is not in yet.
  void erase(const std::string& name);  // It is in.
  const JobSummary* find(const std::string& name) const;
  std::size_t size() const { return size_; }

  // Calls back for ranks [from, to) in order; `to` may exceed size().
  template <class Visit>
  void visit(std::size_t from, std::size_t to, Visit visit) const {
    std::size_t rank = 0;
    for (const Block& block : blocks_) {
      if (rank >= to) return;
      const std::size_t end = rank + block.size();
      for (std::size_t i = from > rank ? from - rank : 0; i < block.size() && rank + i < to; ++i) {
        if (i + kAhead < block.size()) prefetch(block[i + kAhead]);
        visit(*block[i]);
      }
      rank = end;
    }
  }

 private:
  static constexpr std::size_t kBlockLimit = 1024;
  using Block = std::vector<const JobSummary*>;

  // Summaries lie anywhere in memory: a scan asks for those to come while it looks at one.
  static constexpr std::size_t kAhead = 8;
  static void prefetch(const JobSummary* job) {
    constexpr std::size_t kLineBytes = 64;
    const char* const memory = reinterpret_cast<const char*>(job);
    for (std::size_t at = 0; at < sizeof(JobSummary); at += kLineBytes)
      __builtin_prefetch(memory + at);
  }

  std::size_t block_of(const std::string& name) const;

  std::vector<Block> blocks_;
  std::size_t size_ = 0;
};

}  // namespace dkron::state
