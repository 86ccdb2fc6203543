// JobCache: the rendered JSON of jobs by (uid, version), least recently used first out.
//
// A list of 10,000 jobs is 10,000 look-ups here and one concatenation. At most kLimitBytes.
// Thread-safe.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "state/job_index.h"
#include "store/store.h"

namespace dkron::api {

class JobCache {
 public:
  static constexpr std::size_t kLimitBytes = std::size_t{64} * 1024 * 1024;

  using Rendered = std::shared_ptr<const std::string>;

  // The JSON of each job, read and rendered when it is not there; jobs deleted meanwhile are left
  // out. Worker threads.
  Result<std::vector<Rendered>> get(const store::Reader& reader,
                                    const std::vector<state::JobRef>& jobs);

 private:
  struct Entry {
    std::uint64_t uid = 0;
    std::uint64_t version = 0;
    Rendered json;
  };
  using Entries = std::list<Entry>;

  Rendered find_locked(const state::JobRef& job);
  void put_locked(std::uint64_t uid, std::uint64_t version, Rendered json);

  std::mutex mutex_;
  Entries entries_;  // Most recently used first.
  std::unordered_map<std::uint64_t, Entries::iterator> by_uid_;
  std::size_t size_bytes_ = 0;
};

}  // namespace dkron::api
