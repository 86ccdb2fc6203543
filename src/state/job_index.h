// JobIndex: a summary of every job in memory, for lists, totals and look-ups without the disk.
//
// Fed with Changes on the main loop's thread; asked from any thread. Long scans give up the lock
// every kSliceJobs, so that neither side waits for longer than a slice (well below a millisecond);
// a scan that jobs come into or leave may show or miss those, never anything else. Changes that the
// loaded content holds already may be applied once more, as after a start: the newest state wins.
// At most 200 bytes a job.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "state/changes.h"
#include "state/name_order.h"
#include "store/store.h"

namespace dkron::state {

struct JobRef {
  std::uint64_t uid = 0;
  std::uint64_t version = 0;
  std::string name;
};

enum class SortField {
  Name,
  Displayname,
  SuccessCount,
  ErrorCount,
  LastSuccess,
  LastError,
  Next,
  Status,
  Disabled
};

struct IndexQuery {
  SortField sort = SortField::Name;
  bool descending = false;
  std::uint64_t start = 0;
  std::uint64_t end = UINT64_MAX;
  std::string text;  // Part of name or displayname, without regard to case; "": all.
  std::function<bool(const JobSummary&)> filter;  // Null: all.
  bool is_plain() const {
    return sort == SortField::Name && !descending && text.empty() && !filter;
  }
};

struct IndexPage {
  std::vector<JobRef> jobs;
  std::uint64_t total = 0;  // Matches before paging.
};

class JobIndex {
 public:
  void apply(const JobChanged& change);
  void apply(const JobDeleted& change);
  void clear();

  std::size_t size() const;
  bool find(const std::string& name, JobRef* ref) const;
  bool find(std::uint64_t uid, JobSummary* summary) const;
  IndexPage list(const IndexQuery& query) const;
  // Counts by the given predicate, in slices.
  void visit(const std::function<void(const JobSummary&)>& visit) const;

 private:
  static constexpr std::size_t kSliceJobs = 4096;

  mutable std::mutex mutex_;
  std::unordered_map<std::uint64_t, std::unique_ptr<JobSummary>> jobs_;
  NameOrder names_;
};

// Replaces the index's content by what the store holds: two sequential scans, 2-3 s for a million
// jobs. Blocking.
Result<void> load_index(const store::Reader& reader, JobIndex* index);

}  // namespace dkron::state
