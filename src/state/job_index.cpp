#include "state/job_index.h"

#include <algorithm>
#include <string_view>

namespace dkron::state {
namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = lower(c);
  return result;
}

bool contains(std::string_view text, std::string_view lower_part) {
  return std::search(text.begin(), text.end(), lower_part.begin(), lower_part.end(),
                     [](char a, char b) { return lower(a) == b; }) != text.end();
}

// One job as a sort sees it: what it sorts by, then the name.
struct Row {
  std::string text;
  Instant time;
  std::int64_t number = 0;
  JobRef ref;
};

// Times that are missing come last upwards, except `next`, whose zero comes first (spec
// rest-api 4.1).
void fill_key(SortField field, const JobSummary& job, Row* row) {
  const auto missing_last = [&](Instant t) {
    row->time = t;
    row->number = t.is_zero() ? 1 : 0;
  };
  switch (field) {
    case SortField::Name: break;
    case SortField::Displayname: row->text = lower(job.displayname); break;
    case SortField::SuccessCount: row->number = job.success_count; break;
    case SortField::ErrorCount: row->number = job.error_count; break;
    case SortField::LastSuccess: missing_last(job.last_success); break;
    case SortField::LastError: missing_last(job.last_error); break;
    case SortField::Next: row->time = job.next; break;
    case SortField::Status: row->text = to_string(job.status); break;
    case SortField::Disabled: row->number = job.disabled ? 1 : 0; break;
  }
}

bool less(const Row& a, const Row& b) {
  if (a.number != b.number) return a.number < b.number;
  if (a.time != b.time) return a.time < b.time;
  if (const int order = a.text.compare(b.text); order != 0) return order < 0;
  return a.ref.name < b.ref.name;
}

JobRef make_ref(const JobSummary& job) {
  return JobRef{job.uid, job.version, job.name};
}

}  // namespace

void JobIndex::apply(const JobChanged& change) {
  std::lock_guard lock(mutex_);
  const JobSummary& summary = change.summary;
  if (const auto known = jobs_.find(summary.uid); known != jobs_.end()) {
    // The name of a uid never changes, so the order stays right.
    if (known->second->version <= summary.version) *known->second = summary;
    return;
  }
  // Uids grow: of two jobs with one name the smaller is the one that was deleted.
  if (const JobSummary* namesake = names_.find(summary.name)) {
    if (namesake->uid > summary.uid) return;
    const std::uint64_t deleted = namesake->uid;
    names_.erase(summary.name);
    jobs_.erase(deleted);
  }
  const auto added = jobs_.emplace(summary.uid, std::make_unique<JobSummary>(summary)).first;
  names_.insert(added->second.get());
}

void JobIndex::apply(const JobDeleted& change) {
  std::lock_guard lock(mutex_);
  const auto found = jobs_.find(change.uid);
  if (found == jobs_.end()) return;
  names_.erase(found->second->name);
  jobs_.erase(found);
}

void JobIndex::clear() {
  std::lock_guard lock(mutex_);
  names_ = NameOrder();
  jobs_.clear();
}

std::size_t JobIndex::size() const {
  std::lock_guard lock(mutex_);
  return jobs_.size();
}

bool JobIndex::find(const std::string& name, JobRef* ref) const {
  std::lock_guard lock(mutex_);
  const JobSummary* job = names_.find(name);
  if (job == nullptr) return false;
  *ref = make_ref(*job);
  return true;
}

bool JobIndex::find(std::uint64_t uid, JobSummary* summary) const {
  std::lock_guard lock(mutex_);
  const auto found = jobs_.find(uid);
  if (found == jobs_.end()) return false;
  *summary = *found->second;
  return true;
}

void JobIndex::visit(const std::function<void(const JobSummary&)>& visit) const {
  for (std::size_t from = 0;; from += kSliceJobs) {
    std::lock_guard lock(mutex_);
    if (from >= names_.size()) return;
    names_.visit(from, from + kSliceJobs, visit);
  }
}

IndexPage JobIndex::list(const IndexQuery& query) const {
  IndexPage page;
  if (query.is_plain()) {
    page.total = size();  // Also when the page is empty.
    for (std::uint64_t from = query.start; from < query.end; from += kSliceJobs) {
      std::lock_guard lock(mutex_);
      page.total = names_.size();
      if (from >= names_.size()) break;
      const std::uint64_t to = std::min<std::uint64_t>(query.end, from + kSliceJobs);
      names_.visit(from, to, [&](const JobSummary& job) { page.jobs.push_back(make_ref(job)); });
    }
    return page;
  }
  std::vector<Row> rows;
  const std::string text = lower(query.text);
  visit([&](const JobSummary& job) {
    if (query.filter && !query.filter(job)) return;
    if (!text.empty() && !contains(job.name, text) && !contains(job.displayname, text)) return;
    Row& row = rows.emplace_back();
    row.ref = make_ref(job);
    fill_key(query.sort, job, &row);
  });
  page.total = rows.size();
  if (query.start >= rows.size() || query.start >= query.end) return page;
  const auto order = [&](const Row& a, const Row& b) {
    return query.descending ? less(b, a) : less(a, b);
  };
  const auto end =
      rows.begin() + static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(query.end, rows.size()));
  std::partial_sort(rows.begin(), end, rows.end(), order);
  for (auto row = rows.begin() + static_cast<std::ptrdiff_t>(query.start); row != end; ++row) {
    page.jobs.push_back(std::move(row->ref));
  }
  return page;
}

}  // namespace dkron::state
